package registry

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"github.com/coaming/coaming/internal/verdict"
)

const manifestKind = "application/vnd.oci.image.manifest.v1+json"

var text = []byte(`{"schemaVersion":2,"config":{"digest":"sha256:00"}}`)

func digestOf(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

// serving is a registry in which team/shop:1 and a blob stand; before may answer itself.
func serving(t testing.TB, before http.HandlerFunc) *httptest.Server {
	t.Helper()
	handler := ggcr.New(ggcr.Logger(slog.NewLogLogger(slog.DiscardHandler, 0)))
	push := func(method, path, kind string, body string) {
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, r); w.Code >= 300 {
			t.Fatal(w.Body.String())
		}
	}
	for _, repository := range []string{"team/shop", "hub/team/shop", "library/shop"} {
		push(http.MethodPut, "/v2/"+repository+"/manifests/1", manifestKind, string(text))
		push(http.MethodPost, "/v2/"+repository+"/blobs/uploads/?digest="+digestOf([]byte(large)), "application/octet-stream", large)
	}
	return httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect { // it is asked as a proxy
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		answered := &recording{ResponseWriter: w}
		if before != nil {
			before(answered, r)
		}
		if !answered.done {
			handler.ServeHTTP(w, r)
		}
	}))
}

type recording struct {
	http.ResponseWriter
	done bool
}

func (r *recording) WriteHeader(status int) { r.done = true; r.ResponseWriter.WriteHeader(status) }
func (r *recording) Write(b []byte) (int, error) {
	r.done = true
	return r.ResponseWriter.Write(b)
}
func (r *recording) Unwrap() http.ResponseWriter { return r.ResponseWriter }

var large = strings.Repeat("0123456789abcdef", 1<<14) // 256 KiB

func started(t testing.TB, before http.HandlerFunc) string {
	t.Helper()
	s := serving(t, before)
	s.Start()
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func quick(c *Client) *Client {
	c.Backoff = time.Millisecond
	if c.Timeout == 0 {
		c.Timeout = 2 * time.Second
	}
	return c
}

// fetch asks for the manifest and the blob of REGISTRY/team/shop:1.
func fetch(ctx context.Context, c *Client, reference string) error {
	ref, err := Parse(reference)
	if err != nil {
		return err
	}
	r, err := c.Repository(ref.Context())
	if err != nil {
		return err
	}
	d, err := r.Manifest(ctx, ref.Identifier())
	if err != nil {
		return err
	}
	if string(d.Text) != string(text) {
		return fmt.Errorf("the manifest is %.100q", d.Text)
	}
	b, _, err := r.Blob(ctx, digestOf([]byte(large)))
	if err != nil {
		return err
	}
	defer b.Close() //nolint:errcheck // nothing was written
	got, err := io.ReadAll(b)
	if err == nil && string(got) != large {
		err = fmt.Errorf("the blob has %d bytes", len(got))
	}
	return err
}

func TestCredentials(t *testing.T) {
	good, bad := base64.StdEncoding.EncodeToString([]byte("anna:hunter22")), base64.StdEncoding.EncodeToString([]byte("anna:wrong111"))
	var host string
	basic := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Basic "+good {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprintf(w, `{"errors":[{"code":"UNAUTHORIZED","message":"not with %s"}]}`, r.Header.Get("Authorization"))
		}
	}
	var tokens atomic.Int32
	bearer := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			if tokens.Add(1); r.Header.Get("Authorization") != "Basic "+good || r.URL.Query().Get("scope") != "repository:team/shop:pull" {
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = io.WriteString(w, r.Header.Get("Authorization")+" hunter22 wrong111")
				return
			}
			_, _ = io.WriteString(w, `{"token":"t0ken"}`)
			return
		}
		if r.Header.Get("Authorization") != "Bearer t0ken" {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="x"`, host))
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
	for _, handler := range []http.HandlerFunc{basic, bearer} {
		host = started(t, func(w http.ResponseWriter, r *http.Request) { handler(w, r) })
		for stored, works := range map[string]bool{
			fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, good):                                              true,
			fmt.Sprintf(`{"auths":{"https://%s/v1/":{"username":"anna","password":"hunter22"}}}`, host):        true,
			fmt.Sprintf(`{"auths":{%q:{"auth":%q},"%s/team":{"auth":%q}}}`, host, good, host, bad):             true, // the next is tried
			fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, bad):                                               false,
			fmt.Sprintf(`{"auths":{"%s/other":{"auth":%q},"registry.example":{"auth":%q}}}`, host, good, good): false,
			fmt.Sprintf(`{"auths":{"%s/tea":{"auth":%q}}}`, host, good):                                        false,
			fmt.Sprintf(`{"auths":{"*.0.0.1:%s/team":{"auth":%q}}}`, strings.SplitN(host, ":", 2)[1], good):    true,
			`{}`: false,
		} {
			config, err := ParsePullSecret(DockerConfigJSON, []byte(stored))
			if err != nil {
				t.Fatal(err)
			}
			err = fetch(t.Context(), quick(&Client{Credentials: config}), host+"/team/shop:1")
			if (err == nil) != works {
				t.Errorf("%s: %v", stored, err)
			}
			if err != nil {
				remedy, ok := errors.AsType[*verdict.RemedyError](err)
				if !ok || !strings.Contains(remedy.Remedy, "--auth-file") {
					t.Errorf("no remedy in %v", err)
				}
				for _, secret := range []string{"hunter22", "wrong111", good, bad, "t0ken"} {
					if strings.Contains(err.Error(), secret) {
						t.Errorf("%q is in %q", secret, err)
					}
				}
			}
		}
	}
	config, err := ParsePullSecret(DockerConfig, fmt.Appendf(nil, `{%q:{"username":"anna","password":"hunter22","email":"x"}}`, host))
	if err != nil {
		t.Fatal(err)
	}
	tokens.Store(0)
	c := quick(&Client{Credentials: Keychains{For{"elsewhere:1", Password("a", "bbbb")}, config}})
	for range 3 {
		if err := fetch(t.Context(), c, host+"/team/shop:1"); err != nil {
			t.Error(err)
		}
	}
	if n := tokens.Load(); n != 1 {
		t.Errorf("%d tokens were asked for, want one for all", n)
	}
	if s := fmt.Sprintf("%v %+v %#v", Password("anna", "hunter22"), []Credential{Password("anna", "hunter22")}, Password("anna", "hunter22")); strings.Contains(s, "hunter22") {
		t.Error("a credential prints itself")
	}
}

func TestBadConfigs(t *testing.T) {
	for stored, want := range map[string]string{
		`{"auths": "hunter22"}`: "no docker config file", `hunter22`: "no docker config file", `{"auths":{"a":{"auth":"hunter22!"}}}`: "the entry of a",
		`{"auths":{"a":{"auth":"aHVudGVyMjI="}}}`: "the entry of a", `{"auths":{"a":null}}`: "",
	} {
		_, err := ParseConfigJSON([]byte(stored))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) || err != nil && strings.Contains(err.Error(), "hunter22") {
			t.Errorf("%s: %v", stored, err)
		}
	}
	if _, err := ParsePullSecret("Opaque", nil); err == nil {
		t.Error("any secret is taken")
	}
}

// TestHelper runs a credential helper where one stands, and does without where none does.
func TestHelper(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the helper is a shell script")
	}
	bin := t.TempDir()
	script := "#!/bin/sh\nread host\ncase $host in 127.0.0.1:*) echo '{\"Username\":\"anna\",\"Secret\":\"hunter22\"}';; https://index.docker.io/v1/) echo '{\"Username\":\"<token>\",\"Secret\":\"id\"}';; broken) echo hunter22; exit 1;; *) echo 'credentials not found in native keychain'; exit 1;; esac\n"
	if err := os.WriteFile(filepath.Join(bin, "docker-credential-shop"), []byte(script), 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	file := filepath.Join(bin, "config.json")
	if err := os.WriteFile(file, []byte(`{"credHelpers":{"127.0.0.1:1":"shop","gone.example":"no-such","evil":"../x","broken":"shop"},"credsStore":"shop"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := ReadConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	for repository, want := range map[string]string{"127.0.0.1:1/a": "hunter22", "docker.io/library/a": "id", "gone.example/a": "", "other/a": ""} {
		found, err := c.Find(repository)
		got := ""
		if len(found) > 0 {
			got = found[0].password + found[0].identity
		}
		if err != nil || got != want {
			t.Errorf("%s: %q, %v", repository, got, err)
		}
	}
	for _, repository := range []string{"evil/a", "broken/a"} {
		if _, err := c.Find(repository); err == nil || strings.Contains(err.Error(), "hunter22") {
			t.Errorf("%s: %v", repository, err)
		}
	}
	if parsed, _ := ParseConfigJSON([]byte(`{"credsStore":"shop"}`)); parsed != nil {
		if found, err := parsed.Find("127.0.0.1:1/a"); len(found) > 0 || err != nil {
			t.Error("the text of a pull secret ran a program")
		}
	}
}

// TestMirrors asks mirrors in their order, and the registry itself behind them.
func TestMirrors(t *testing.T) {
	var asked []string
	note := func(name string, before http.HandlerFunc) string {
		return started(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/manifests/") {
				asked = append(asked, name)
			}
			if before != nil {
				before(w, r)
			}
		})
	}
	down := note("down", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotImplemented) })
	lacks := note("lacks", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" {
			w.WriteHeader(http.StatusNotFound)
		}
	})
	wrong := note("wrong", func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/manifests/") {
			_, _ = io.WriteString(w, `{"schemaVersion":2}`)
		}
	})
	good, own := note("good", nil), note("own", nil)
	for title, tt := range map[string]struct {
		mirrors []string
		suffix  string
		want    string
	}{
		"the first":        {[]string{good, down}, ":1", "good"},
		"a path":           {[]string{good + "/hub"}, ":1", "good"},
		"one that is down": {[]string{down, good}, ":1", "down good"},
		"one that lacks":   {[]string{lacks, good}, ":1", "lacks good"},
		"none":             {[]string{down, lacks}, ":1", "down lacks own"},
		"a false one":      {[]string{wrong, good}, "@" + digestOf(text), "wrong good"},
		"no mirrors":       {nil, ":1", "own"},
	} {
		asked = nil
		hosts, err := parseHosts(fmt.Appendf(nil, "registries: {%q: {mirrors: [%s]}}", own, `"`+strings.Join(tt.mirrors, `","`)+`"`))
		if tt.mirrors == nil {
			hosts, err = nil, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := fetch(t.Context(), quick(&Client{Hosts: hosts}), own+"/team/shop"+tt.suffix); err != nil {
			t.Errorf("%s: %v", title, err)
		}
		want := strings.ReplaceAll(tt.want, "down ", "") // a host that refuses is asked how it speaks, and no more
		if got := strings.Join(asked, " "); got != want {
			t.Errorf("%s: asked %s, want %s", title, got, want)
		}
	}
	err := fetch(t.Context(), quick(&Client{Hosts: Hosts{lacks: {Mirrors: []string{down}}}}), lacks+"/team/shop:1")
	if err == nil || !strings.Contains(err.Error(), "501") || !strings.Contains(err.Error(), "404") {
		t.Errorf("not every answer is told: %v", err)
	}
}

func TestHostsFiles(t *testing.T) {
	dir := t.TempDir()
	for file, text := range map[string]string{
		"docker.io/hosts.toml":         "server = \"https://registry-1.docker.io\"\n[host.\"https://mirror.example/v2/hub\"]\n  capabilities = [\"pull\", \"resolve\"]\n  override_path = true\n  ca = \"ca.pem\"\n[host.\"http://second.example:5000\"]\n  skip_verify = true\n  client = [[\"c.pem\", \"k.pem\"]]\n[host.\"https://push.example\"]\n  capabilities = [\"push\"]\n",
		"reg.example_5000_/hosts.toml": "server = \"https://real.example\"\n",
		"_default/hosts.toml":          "[host.\"https://all.example\"]\n",
		"empty/other":                  "",
	} {
		file = filepath.Join(dir, file)
		_ = os.MkdirAll(filepath.Dir(file), 0o755)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hosts, err := ReadHostsDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for registry, want := range map[string]string{
		"docker.io": "mirror.example/v2/hub ns=docker.io rooted ca, second.example:5000 ns=docker.io insecure skip cert, docker.io", "reg.example:5000": "real.example ns=reg.example:5000", "any.example": "all.example ns=any.example, any.example",
	} {
		var list []string
		for _, h := range hosts.of(registry) {
			var line strings.Builder
			line.WriteString(h.Name)
			for word, is := range map[string]bool{" ns=" + h.namespace: h.namespace != ""} {
				if is {
					line.WriteString(word)
				}
			}
			for _, w := range []struct {
				word string
				is   bool
			}{{" rooted", h.rooted}, {" insecure", h.Insecure}, {" skip", h.SkipVerify}, {" ca", h.CA == filepath.Join(dir, registry, "ca.pem")}, {" cert", h.Key == filepath.Join(dir, registry, "k.pem")}} {
				if w.is {
					line.WriteString(w.word)
				}
			}
			list = append(list, line.String())
		}
		if got := strings.Join(list, ", "); got != want {
			t.Errorf("%s: got %s, want %s", registry, got, want)
		}
	}
	for text, want := range map[string]string{
		"registries: {a: {mirror: [x]}}": "mirror", "registries: {'a@b': {}}": "no host", "registries: {a: {key: x}}": "go together", "registry: {}": "registry", "[": "",
	} {
		if _, err := parseHosts([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestTLS asks a registry of a private authority, which wants to know who asks.
func TestTLS(t *testing.T) {
	s := serving(t, nil)
	s.StartTLS()
	t.Cleanup(s.Close)
	host := strings.TrimPrefix(s.URL, "https://")
	if err := fetch(t.Context(), quick(&Client{}), host+"/team/shop:1"); err == nil {
		t.Error("an unknown authority was trusted")
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for title, h := range map[string]*Host{"authority": {CA: ca}, "any certificate": {SkipVerify: true}} {
		if err := fetch(t.Context(), quick(&Client{Hosts: Hosts{host: h}}), host+"/team/shop:1"); err != nil {
			t.Errorf("%s: %v", title, err)
		}
	}
	for title, h := range map[string]*Host{"no file": {CA: ca + "x"}, "no key": {Certificate: ca, Key: ca}} {
		if err := fetch(t.Context(), quick(&Client{Hosts: Hosts{host: h}}), host+"/team/shop:1"); err == nil {
			t.Errorf("%s: no error", title)
		}
	}
}

// TestPlainHTTP is refused unless it was allowed by name; a proxy stands in for a registry with a name of its own.
func TestPlainHTTP(t *testing.T) {
	s := serving(t, nil)
	s.Start()
	t.Cleanup(s.Close)
	proxy := func(*http.Request) (*url.URL, error) { return url.Parse(s.URL) }
	for _, host := range []string{"registry.example", "10.1.2.3:5000", "registry.local"} {
		err := fetch(t.Context(), quick(&Client{Proxy: proxy}), host+"/team/shop:1")
		if err == nil {
			t.Errorf("%s was asked over plain HTTP", host)
		}
		if err := fetch(t.Context(), quick(&Client{Proxy: proxy, Hosts: Hosts(nil).Insecure([]string{host})}), host+"/team/shop:1"); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestNamesOfImages(t *testing.T) {
	for reference, want := range map[string]string{
		"nginx": "index.docker.io/library/nginx:latest", "a/b:1": "index.docker.io/a/b:1", "reg.example/a@sha256:" + strings.Repeat("0", 64): "reg.example/a@sha256:" + strings.Repeat("0", 64),
	} {
		ref, err := ParseImage(reference)
		if err != nil || ref.Name() != want {
			t.Errorf("%s: %v, %v", reference, ref, err)
		}
	}
	for _, reference := range []string{"nginx", "a/b:1", "nginx:1", ""} {
		if _, err := Parse(reference); err == nil {
			t.Errorf("%s: no registry is named", reference)
		}
	}
}
