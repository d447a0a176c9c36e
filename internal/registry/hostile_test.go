package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestHostileRegistry holds what a registry may do to its client: a clear error, in bounded time and memory.
func TestHostileRegistry(t *testing.T) {
	manifest := func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/manifests/") }
	blob := func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/blobs/") }
	for title, tt := range map[string]struct {
		answer http.HandlerFunc
		want   string // in the error; "" is none
	}{
		"a manifest of a GiB": {func(w http.ResponseWriter, r *http.Request) {
			if manifest(r) {
				w.Header().Set("Content-Length", strconv.Itoa(1<<30))
				_, _ = io.CopyN(w, zeros{}, 1<<30)
			}
		}, "of 1073741824 bytes"},
		"a manifest without end": {func(w http.ResponseWriter, r *http.Request) {
			if manifest(r) {
				_, _ = io.CopyN(w, zeros{}, 1<<30)
			}
		}, "more than 8388608 bytes"},
		"a token without end": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/blobs/token" {
				_, _ = io.CopyN(w, zeros{}, 1<<30)
			} else {
				w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/blobs/token"`)
				w.WriteHeader(http.StatusUnauthorized)
			}
		}, "exceeds"},
		"a wrong digest": {func(w http.ResponseWriter, r *http.Request) {
			if manifest(r) {
				w.Header().Set("Docker-Content-Digest", digestOf([]byte("x")))
				_, _ = w.Write(text)
			}
		}, "tampered with"},
		"schema 1": {func(w http.ResponseWriter, r *http.Request) {
			if manifest(r) {
				w.Header().Set("Content-Type", "application/vnd.docker.distribution.manifest.v1+prettyjws")
				_, _ = io.WriteString(w, `{"schemaVersion":1,"fsLayers":[]}`)
			}
		}, "schema 1"},
		"no JSON": {func(w http.ResponseWriter, r *http.Request) {
			if manifest(r) {
				_, _ = io.WriteString(w, "<html>")
			}
		}, "no JSON"},
		"redirects without end": {func(w http.ResponseWriter, r *http.Request) {
			if blob(r) {
				http.Redirect(w, r, r.URL.Path+"x", http.StatusTemporaryRedirect)
			}
		}, "sends on more than"},
		"redirect to another scheme": {func(w http.ResponseWriter, r *http.Request) {
			if blob(r) {
				http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
			}
		}, "file://"},
		"redirect to a cloud's metadata": {func(w http.ResponseWriter, r *http.Request) {
			if blob(r) {
				http.Redirect(w, r, "http://169.254.169.254/latest?sig=hunter22", http.StatusFound)
			}
		}, "machine's own network"},
		"a token server in the metadata": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://169.254.169.254/token"`)
			w.WriteHeader(http.StatusUnauthorized)
		}, "private or link-local"},
		"a redirect that works": {func(w http.ResponseWriter, r *http.Request) {
			if blob(r) && r.URL.RawQuery == "" {
				http.Redirect(w, r, r.URL.Path+"?signature=hunter22", http.StatusTemporaryRedirect)
			}
		}, ""},
		"fewer bytes than promised": {func(w http.ResponseWriter, r *http.Request) {
			if blob(r) {
				w.Header().Set("Content-Length", "1000000")
				_, _ = io.WriteString(w, "short")
			}
		}, "EOF"},
		"always busy": {func(w http.ResponseWriter, r *http.Request) {
			if blob(r) {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}, "503"},
		"never an answer": {func(w http.ResponseWriter, r *http.Request) {
			if manifest(r) {
				<-r.Context().Done()
			}
		}, "timeout"},
		"drop by drop": {func(w http.ResponseWriter, r *http.Request) {
			if blob(r) {
				for range 200 {
					_, _ = io.WriteString(w, "x")
					_ = http.NewResponseController(w).Flush()
					select {
					case <-r.Context().Done():
						return
					case <-time.After(20 * time.Millisecond):
					}
				}
			}
		}, "slower than"},
	} {
		t.Run(title, func(t *testing.T) {
			host := started(t, tt.answer)
			c := quick(&Client{Timeout: 300 * time.Millisecond, Pace: 1 << 20, Hosts: nil})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			begun := time.Now()
			err := fetch(t.Context(), c, host+"/team/shop:1")
			runtime.ReadMemStats(&after)
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 96<<20 {
				t.Errorf("%d MiB were allocated", grown>>20)
			}
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), "hunter22") || len(err.Error()) > 1000) {
				t.Errorf("it tells too much: %v", err)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

// TestPatience asks again where a registry is busy, and for the rest where a connection breaks.
func TestPatience(t *testing.T) {
	var busy, broken atomic.Int32
	var ranges []string
	host := started(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "/manifests/") && busy.Add(1) <= 2:
			w.Header().Set("Retry-After", "1000000")
			w.WriteHeader(http.StatusTooManyRequests)
		case strings.Contains(r.URL.Path, "/blobs/"):
			from := 0
			if header := r.Header.Get("Range"); header != "" {
				ranges = append(ranges, header)
				_, _ = fmt.Sscanf(header, "bytes=%d-", &from)
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(large)-1, len(large)))
			}
			w.Header().Set("Content-Length", strconv.Itoa(len(large)-from))
			if from > 0 {
				w.WriteHeader(http.StatusPartialContent)
			}
			part := large[from:]
			if broken.Add(1) <= 2 {
				part = part[:100_000]
			}
			_, _ = io.WriteString(w, part)
		}
	})
	if err := fetch(t.Context(), quick(&Client{}), host+"/team/shop:1"); err != nil {
		t.Error(err)
	}
	if got := strings.Join(ranges, " "); got != "bytes=100000- bytes=200000-" {
		t.Errorf("ranges %s", got)
	}
	broken.Store(-1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := fetch(ctx, quick(&Client{}), host+"/team/shop:1"); !errors.Is(err, context.Canceled) {
		t.Errorf("it went on when the command had ended: %v", err)
	}
}

// FuzzConfig gives the readers of credentials and of hosts' settings what they do not expect.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"auths":{"https://a.example/v1/":{"auth":"YTpi"},"*.b":{"identitytoken":"x"}},"credHelpers":{"c":"d"}}`))
	f.Add([]byte("registries: {docker.io: {mirrors: [mirror.example/hub], insecure: true}}"))
	f.Add([]byte("server = \"https://a\"\n[host.\"http://b:1/v2\"]\nca = [\"x\"]\nclient = [[\"a\", \"b\"]]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, parse := range []func([]byte) (*Config, error){ParseConfigJSON, ParseConfig} {
			if c, err := parse(text); err == nil {
				_, _ = c.Find("a.b/c/d")
			}
		}
		if h, err := parseHosts(text); err == nil {
			for name := range h {
				_ = h.of(name)
			}
		}
		h := Hosts{}
		if parseHostsTOML(text, "docker.io", "/x", h) == nil {
			if len(h.of("docker.io")) == 0 {
				t.Error("nobody is asked")
			}
		}
	})
}
