package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/coaming/coaming/internal/verdict"
)

// isLoopback says whether a host is this machine.
func isLoopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// guard stands below everything that speaks to one host: it allows plain HTTP only where it was allowed, names
// the client, and asks again when a host could not answer just then.
type guard struct {
	under     http.RoundTripper
	insecure  bool
	userAgent string
	backoff   time.Duration
}

const repetitions = 2

// RoundTrip sends one request, and again where that may help.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && !g.insecure && !isLoopback(r.URL.Host) {
		return nil, &verdict.RemedyError{
			Err:    fmt.Errorf("%s would be asked over plain HTTP", r.URL.Host),
			Remedy: "Allow it by name with --insecure-registry, or serve it over TLS.",
		}
	}
	if g.userAgent != "" {
		r.Header.Set("User-Agent", g.userAgent)
	}
	wait := g.backoff
	for n := 0; ; n++ {
		answer, err := g.under.RoundTrip(r)
		again := r.Body == nil && n < repetitions && r.Context().Err() == nil && (err == nil && temporary(answer.StatusCode) || err != nil && broken(err))
		if !again {
			return answer, err
		}
		if err == nil {
			if asked, e := strconv.Atoi(answer.Header.Get("Retry-After")); e == nil && asked > 0 {
				wait = max(wait, min(time.Duration(asked)*time.Second, 8*g.backoff))
			}
			_, _ = io.CopyN(io.Discard, answer.Body, 4096)
			_ = answer.Body.Close()
		}
		select {
		case <-r.Context().Done():
			return nil, r.Context().Err()
		case <-time.After(wait):
		}
		wait *= 2
	}
}

func temporary(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// broken says whether a connection broke that had stood, which another may not.
func broken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// maxRedirects is how often a registry may send on for one blob.
const maxRedirects = 5

// follow is the policy of redirects: few, never from TLS to plain HTTP, and never to this machine.
func follow(insecure bool, named string) func(*http.Request, []*http.Request) error {
	return func(r *http.Request, via []*http.Request) error {
		switch {
		case len(via) > maxRedirects:
			return fmt.Errorf("it sends on more than %d times", maxRedirects)
		case r.URL.Scheme != "https" && (r.URL.Scheme != "http" || !insecure):
			return fmt.Errorf("it sends on to %.20s://%.100s, which is not asked", r.URL.Scheme, r.URL.Host)
		case isLoopback(r.URL.Host) && !isLoopback(named):
			return errors.New("it sends on to this machine")
		}
		if ip, err := netip.ParseAddr(r.URL.Hostname()); err == nil && inside(ip) {
			if own, err := netip.ParseAddr(bareHost(named)); err != nil || !inside(own) {
				// Its name may stand for an address inside; what is dialled is then asked, and through a proxy nothing is.
				return errInside(ip)
			}
		}
		return nil
	}
}

// paced is a stream that must keep moving: what waits for it waits no longer than first, and then for as long
// as its bytes may take at the least pace.
type paced struct {
	body   io.ReadCloser
	cancel context.CancelFunc
	first  time.Duration
	pace   int64 // bytes in a second

	n      int64
	waited time.Duration
	slow   bool
}

// Read gives up where the stream has become too slow.
func (p *paced) Read(b []byte) (int, error) {
	allowed := p.first + time.Duration(p.n/p.pace)*time.Second - p.waited
	if allowed <= 0 || p.slow {
		p.cancel()
		return 0, p.tooSlow()
	}
	begun := time.Now()
	timer := time.AfterFunc(allowed, p.cancel)
	n, err := p.body.Read(b)
	late := !timer.Stop()
	p.waited += time.Since(begun)
	p.n += int64(n)
	if late && err != nil && !errors.Is(err, io.EOF) {
		p.slow = true
		return n, p.tooSlow()
	}
	return n, err
}

func (p *paced) tooSlow() error {
	return errSlow(fmt.Sprintf("it came slower than %d bytes in a second", p.pace))
}

// errSlow is a stream that was given up.
type errSlow string

func (e errSlow) Error() string { return string(e) }

// Close ends the request.
func (p *paced) Close() error {
	p.cancel()
	return p.body.Close()
}
