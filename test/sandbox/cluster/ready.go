package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// pollInterval is short because a person or a test waits; an unready component refuses quickly.
const pollInterval = 20 * time.Millisecond

// await asks until check has no objection. It gives up when ctx is over, blaming p, or as soon as any component has ended.
func (c *Cluster) await(ctx context.Context, p *process, check func(context.Context) error) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	objection := errors.New("no answer yet")
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil { // else it is no answer but our own giving up
			objection = err
		}
		select {
		case dead := <-c.ended:
			return dead.exited()
		case <-ctx.Done():
			return p.failure(fmt.Errorf("%w: %w", context.Cause(ctx), objection))
		case <-ticker.C:
		}
	}
}

// storeListens looks for etcd's socket.
func (c *Cluster) storeListens(context.Context) error {
	_, err := os.Lstat(filepath.Join(c.Info.Dir, etcdSocket))
	return err
}

// probe asks the API server about itself.
type probe struct {
	client *http.Client
	server string
}

// ready is the API server's own opinion.
func (p probe) ready(ctx context.Context) error { return p.get(ctx, "/readyz") }

// podsPossible looks for the service account that every pod runs as unless it names another: it is there when the controllers work.
func (p probe) podsPossible(ctx context.Context) error {
	return p.get(ctx, "/api/v1/namespaces/default/serviceaccounts/default")
}

func (p probe) get(ctx context.Context, path string) error {
	_, err := p.read(ctx, path)
	return err
}

func (p probe) read(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.server+path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", path, err)
	}
	response, err := p.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if response.StatusCode == http.StatusOK {
		return body, nil
	}
	return nil, fmt.Errorf("%s says %s: %s", path, response.Status, gist(string(body)))
}

// gist keeps of a health report only the checks that fail, "[-]name failed: reason".
func gist(body string) string {
	var failing []string
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "[-]") {
			failing = append(failing, strings.TrimSpace(line))
		}
	}
	if len(failing) == 0 {
		return strings.TrimSpace(body)
	}
	return strings.Join(failing, ", ")
}
