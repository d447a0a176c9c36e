// Package registry asks registries of images for what they hold: manifests by tag or digest, and blobs as
// streams. It knows mirrors, private authorities and the credentials that stand in the files it was given,
// and asks only the registry that it was told to, that registry's token server, and where the registry sends
// it for a blob. It stores nothing and judges nothing. internal/image and the commands in cli import it.
package registry

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/coaming/coaming/internal/verdict"
)

// Client asks registries. The zero value asks each by itself, over TLS that the system trusts, as nobody. It
// may be used by several goroutines, and keeps the tokens that it was given while it lives.
type Client struct {
	// Credentials are asked for each repository, in their order; nil has none.
	Credentials Keychain
	// Hosts are the mirrors and the ways of asking certain registries.
	Hosts Hosts
	// UserAgent is what the client calls itself.
	UserAgent string
	// Proxy is http.Transport's; nil asks without one.
	Proxy func(*http.Request) (*url.URL, error)
	// Timeout is how long connecting, and the beginning of an answer, may each take; 0 is 30 seconds.
	Timeout time.Duration
	// Backoff is the wait before the first of two repetitions, which doubles; 0 is a second.
	Backoff time.Duration
	// Pace is the least number of bytes in a second that a blob may come at once it has begun; 0 is 4 KiB.
	Pace int64

	mu         sync.Mutex
	transports map[string]*http.Transport
	endpoints  map[string]*endpoint // by repository
}

func (c *Client) timeout() time.Duration {
	if c.Timeout > 0 {
		return c.Timeout
	}
	return 30 * time.Second
}

// Parse reads a reference that names its registry: REGISTRY/NAME:TAG or REGISTRY/NAME@DIGEST.
func Parse(reference string) (name.Reference, error) {
	ref, err := name.ParseReference(reference, name.StrictValidation)
	if err != nil {
		return nil, &verdict.RemedyError{
			Err:    fmt.Errorf("%.200q names no image in a registry", reference),
			Remedy: "Name the registry, too, and a tag or a digest: docker.io/library/debian:12.",
		}
	}
	return ref, nil
}

// ParseImage reads a reference as Kubernetes does in the field image of a container: what names no registry
// stands in docker.io, and what names no tag is the latest.
func ParseImage(reference string) (name.Reference, error) {
	ref, err := name.ParseReference(reference, name.WeakValidation)
	if err != nil {
		return nil, fmt.Errorf("%.200q is no reference of an image", reference)
	}
	return ref, nil
}

// Repository is one repository and its mirrors.
type Repository struct {
	client    *Client
	name      name.Repository
	endpoints []*endpoint // in the order in which they are asked
}

// Repository is where a reference stands. It asks nobody yet.
func (c *Client) Repository(repository name.Repository) (*Repository, error) {
	r := &Repository{client: c, name: repository}
	for _, h := range c.Hosts.of(hostOf(repository.RegistryStr())) {
		e, err := c.endpoint(repository, h)
		if err != nil {
			return nil, err
		}
		r.endpoints = append(r.endpoints, e)
	}
	return r, nil
}

// hostOf is the name of a registry as people write it.
func hostOf(registry string) string {
	if registry == name.DefaultRegistry {
		return "docker.io"
	}
	return registry
}

// transport is what speaks to a host, made once for each way of asking.
func (c *Client) transport(h *Host) (*http.Transport, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.transports[h.Name]; t != nil {
		return t, nil
	}
	secured, err := h.tls()
	if err != nil {
		return nil, err
	}
	d := &door{named: h.Name, dialer: net.Dialer{Timeout: c.timeout()}}
	t := &http.Transport{
		Proxy: d.proxy(c.Proxy), DialContext: d.dial, TLSClientConfig: secured, TLSHandshakeTimeout: c.timeout(),
		ResponseHeaderTimeout: c.timeout(), ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute,
		MaxResponseHeaderBytes: 64 << 10, DisableCompression: true,
	}
	if c.transports == nil {
		c.transports = map[string]*http.Transport{}
	}
	c.transports[h.Name] = t
	return t, nil
}

// Close ends the connections that wait for a next request.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.transports {
		t.CloseIdleConnections()
	}
}

// within bounds what a request for a document may take from beginning to end.
func (c *Client) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 4*c.timeout())
}
