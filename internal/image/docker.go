package image

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// readDocker catalogues an image of Docker's engine, which sends it as docker save would write it
// (docs.docker.com/reference/api/engine, ImageGet).
func readDocker(ctx context.Context, name string, o *Options) (*fact.Image, *verdict.Coverage, error) {
	socket := cmp.Or(o.DockerSocket, "/var/run/docker.sock")
	shown := schemeDocker + name
	var dialer net.Dialer
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		},
		// The engine packs the image before it answers.
		ResponseHeaderTimeout: 5 * time.Minute, DisableCompression: true,
	}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker/images/"+url.PathEscape(name)+"/get", nil)
	if err != nil {
		return nil, nil, fmt.Errorf("open image %s: %w", shown, err)
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return nil, nil, &verdict.RemedyError{
			Err:    fmt.Errorf("open image %s: ask Docker's engine at %s: %w", shown, socket, err),
			Remedy: "See that the engine runs and that you may use its socket; --docker-socket names another.",
		}
	}
	defer answer.Body.Close() //nolint:errcheck // nothing was written
	if answer.StatusCode != http.StatusOK {
		var said struct{ Message string }
		_ = json.NewDecoder(io.LimitReader(answer.Body, 4096)).Decode(&said)
		return nil, nil, fmt.Errorf("open image %s: Docker's engine answers %s: %.200s", shown, answer.Status, said.Message)
	}
	img, c, err := readStream(ctx, shown, answer.Body, o)
	if err == nil {
		img.Form = "docker-daemon"
	}
	return img, c, err
}
