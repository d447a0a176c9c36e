package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// endpoint is one repository at one host.
type endpoint struct {
	client *Client
	host   *Host
	at     name.Repository
	base   string // of URLs, "/v2/" and the repository included
	logins []login

	mu     sync.Mutex
	speaks *http.Client // once the host has taken a login
	login  int          // the one it has taken
}

// login is one way of saying who asks; the zero value says nothing.
type login struct {
	auth  authn.Authenticator
	words []string // what no message may hold
}

// endpoint is made once for each repository and host, so that a token is asked for once.
func (c *Client) endpoint(repository name.Repository, h *Host) (*endpoint, error) {
	c.mu.Lock()
	e := c.endpoints[h.Name+" "+repository.Name()]
	c.mu.Unlock()
	if e != nil {
		return e, nil
	}
	host, prefix, _ := strings.Cut(h.Name, "/")
	options := []name.Option{name.WeakValidation}
	if h.Insecure {
		options = append(options, name.Insecure)
	}
	registry, err := name.NewRegistry(host, options...)
	if err != nil {
		return nil, fmt.Errorf("ask registry %.100s: %w", host, err)
	}
	at := registry.Repo(strings.TrimPrefix(prefix, "v2/"), repository.RepositoryStr())
	e = &endpoint{client: c, host: h, at: at, base: "/v2/" + at.RepositoryStr()}
	if h.rooted {
		e.base = "/" + path.Join(prefix, repository.RepositoryStr())
	}
	if c.Credentials != nil {
		found, err := c.Credentials.Find(hostOf(registry.RegistryStr()) + "/" + at.RepositoryStr())
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			e.logins = append(e.logins, login{f.authenticator(), f.secrets()})
		}
	}
	if len(e.logins) == 0 {
		e.logins = []login{{auth: authn.Anonymous}}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.endpoints == nil {
		c.endpoints = map[string]*endpoint{}
	}
	c.endpoints[h.Name+" "+repository.Name()] = e
	return e, nil
}

// answerError is an answer that is none to what was asked.
type answerError struct {
	host   string
	status int
	said   string
}

func (e *answerError) Error() string {
	text := fmt.Sprintf("%s answers %d %s", e.host, e.status, http.StatusText(e.status))
	if e.said != "" {
		text += " (" + e.said + ")"
	}
	return text
}

// get asks for a document or a blob. A host that does not take a login is asked with the next.
func (e *endpoint) get(ctx context.Context, what string, header http.Header) (*http.Response, error) {
	e.mu.Lock()
	speaks, n := e.speaks, e.login
	e.mu.Unlock()
	for {
		answer, err := e.try(ctx, speaks, n, what, header)
		if err == nil {
			return answer, nil
		}
		err = e.masked(err)
		if !refused(err) || n+1 >= len(e.logins) {
			return nil, err
		}
		n, speaks = n+1, nil
	}
}

// refused says whether an answer was about who asks.
func refused(err error) bool {
	if a, ok := errors.AsType[*answerError](err); ok {
		return a.status == http.StatusUnauthorized || a.status == http.StatusForbidden
	}
	return false
}

// missing says whether what was asked for is not there.
func missing(err error) bool {
	a, ok := errors.AsType[*answerError](err)
	return ok && a.status == http.StatusNotFound
}

// try asks with one login.
func (e *endpoint) try(ctx context.Context, speaks *http.Client, n int, what string, header http.Header) (*http.Response, error) {
	if speaks == nil {
		made, err := e.connect(ctx, n)
		if err != nil {
			return nil, err
		}
		speaks = made
		e.mu.Lock()
		e.speaks, e.login = speaks, n
		e.mu.Unlock()
	}
	url := e.at.Scheme() + "://" + e.at.RegistryStr() + e.base + what
	if e.host.namespace != "" {
		mark := "?"
		if strings.Contains(what, "?") {
			mark = "&" // a page of a list
		}
		url += mark + "ns=" + e.host.namespace
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	maps.Copy(r.Header, header)
	r.Header.Set("Accept-Encoding", identity)
	answer, err := speaks.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusOK || answer.StatusCode == http.StatusPartialContent {
		return answer, nil
	}
	said, _ := io.ReadAll(io.LimitReader(answer.Body, 512))
	_ = answer.Body.Close()
	return nil, &answerError{host: e.at.RegistryStr(), status: answer.StatusCode, said: codeOf(said)}
}

// connect asks a host how it wants to be spoken to, and for a token where it wants one.
func (e *endpoint) connect(ctx context.Context, n int) (*http.Client, error) {
	under, err := e.client.transport(e.host)
	if err != nil {
		return nil, err
	}
	backoff := e.client.Backoff
	if backoff == 0 {
		backoff = time.Second
	}
	insecure := e.host.Insecure || isLoopback(e.at.RegistryStr())
	g := &guard{under: under, insecure: insecure, userAgent: e.client.UserAgent, backoff: backoff}
	ctx, cancel := e.client.within(ctx)
	defer cancel()
	wrapped, err := transport.NewWithContext(ctx, e.at.Registry, e.logins[n].auth, short{g}, []string{e.at.Scope(transport.PullScope)})
	if err != nil {
		if t, ok := errors.AsType[*transport.Error](err); ok && t.StatusCode != 0 {
			return nil, &answerError{host: e.at.RegistryStr(), status: t.StatusCode}
		}
		return nil, fmt.Errorf("ask %s: %w", e.at.RegistryStr(), err)
	}
	return &http.Client{Transport: wrapped, CheckRedirect: follow(insecure, e.at.RegistryStr())}, nil
}

// short bounds the answers that are read whole by what speaks for tokens: all but those of blobs and manifests,
// which alone are asked for as they stand.
type short struct{ under http.RoundTripper }

const identity = "identity" // content encoding, RFC 9110

// RoundTrip sends one request.
func (s short) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := s.under.RoundTrip(r)
	if err != nil || r.Header.Get("Accept-Encoding") == identity {
		return answer, err
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(answer.Body, 1<<20), answer.Body}
	return answer, nil
}

var code = regexp.MustCompile(`"code"\s*:\s*"([A-Z_]{1,40})"`)

// codeOf is the code of a registry's error (opencontainers/distribution-spec, "Error Codes"). The rest of what it
// says may hold anything.
func codeOf(said []byte) string {
	if m := code.FindSubmatch(said); m != nil {
		return string(m[1])
	}
	return ""
}

// masked keeps credentials, which a host may repeat, what stands in queries of URLs (a blob's often holds a
// signature), and overlong words out of messages.
func (e *endpoint) masked(err error) error {
	clean := query.ReplaceAllString(err.Error(), "$1?…")
	for _, l := range e.logins {
		for _, w := range l.words {
			clean = strings.ReplaceAll(clean, w, "[masked]")
		}
	}
	if len(clean) > maxMessage {
		clean = strings.ToValidUTF8(clean[:maxMessage], "") + "…"
	}
	return &maskedError{clean, err}
}

const maxMessage = 600

var query = regexp.MustCompile(`(https?://[^\s"?]+)\?[^\s"]*`)

// maskedError is an error whose words may be shown.
type maskedError struct {
	text  string
	cause error
}

func (e *maskedError) Error() string { return e.text }
func (e *maskedError) Unwrap() error { return e.cause }
