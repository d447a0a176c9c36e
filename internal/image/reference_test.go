package image

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"github.com/coaming/coaming/internal/registry"
)

// serve starts a registry and returns its host. What stands before its handler may answer itself.
func serve(t testing.TB, before func(w http.ResponseWriter, r *http.Request) bool) string {
	t.Helper()
	handler := ggcr.New(ggcr.Logger(slog.NewLogLogger(slog.DiscardHandler, 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Pushing") == "" && before != nil && before(w, r) {
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// push stores the blobs at a registry: manifests by their digest, and the last descriptor under the tag, too.
func (b blobs) push(t testing.TB, host, repository, tag string, top descriptor, manifests ...descriptor) {
	t.Helper()
	client := &http.Client{Timeout: time.Minute}
	send := func(method, url, kind string, body []byte) {
		r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Pushing", "1")
		if kind != "" {
			r.Header.Set("Content-Type", kind)
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode >= 300 {
			t.Fatalf("%s %s: %s", method, url, answer.Status)
		}
	}
	base := "http://" + host + "/v2/" + repository
	for file, text := range b {
		if digest, ok := strings.CutPrefix(file, "blobs/sha256/"); ok {
			send(http.MethodPost, base+"/blobs/uploads/?digest=sha256:"+digest, "application/octet-stream", text)
		}
	}
	for _, d := range append(manifests, top) {
		kind := d.MediaType
		if kind == "" {
			kind = "application/vnd.oci.image.manifest.v1+json"
		}
		send(http.MethodPut, base+"/manifests/"+d.Digest, kind, b[blobFile(d.Digest)])
	}
	kind := top.MediaType
	if kind == "" {
		kind = "application/vnd.oci.image.manifest.v1+json"
	}
	send(http.MethodPut, base+"/manifests/"+tag, kind, b[blobFile(top.Digest)])
}

func asking(c *registry.Client) Options {
	c.Timeout, c.Backoff = 2*time.Second, time.Millisecond
	return Options{Registry: c}
}

// TestRegistry reads one image by tag and by digest, and one of several by its platform.
func TestRegistry(t *testing.T) {
	host := serve(t, nil)
	b := blobs{}
	amd, arm := b.image(t, "amd64", gzipped(t, tarOf(t, node("intel", "1"))), zstded(t, tarOf(t, node("b", "2")))), b.image(t, "arm64", tarOf(t, node("arm", "1")))
	arm.Platform.Variant = "v8"
	amd.MediaType, arm.MediaType = "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.manifest.v1+json"
	index := b.document(t, indexOrManifest{Manifests: []descriptor{amd, arm}})
	index.MediaType = "application/vnd.oci.image.index.v1+json"
	b.push(t, host, "team/shop", "1.4", index, amd, arm)
	b.push(t, host, "team/one", "1", amd)
	for word, want := range map[string]struct{ platform, told, digest string }{
		host + "/team/one:1":                             {"", "b 2 @1, intel 1 @0", amd.Digest},
		"oci://" + host + "/team/one@" + amd.Digest:      {"linux/amd64", "b 2 @1, intel 1 @0", amd.Digest},
		host + "/team/shop:1.4":                          {"linux/arm64", "arm 1 @0", arm.Digest},
		host + "/team/shop@" + index.Digest:              {"linux/amd64", "b 2 @1, intel 1 @0", amd.Digest},
		host + "/team/shop:1.4@" + index.Digest:          {"linux/arm64/v8", "arm 1 @0", arm.Digest},
		"oci://" + host + "/team/shop:1.4@" + arm.Digest: {"", "arm 1 @0", arm.Digest},
	} {
		o := asking(&registry.Client{})
		o.Platform = want.platform
		img, c, err := Read(t.Context(), word, o)
		if err != nil {
			t.Errorf("%s: %v", word, err)
			continue
		}
		if told(img) != want.told || img.Digest != want.digest || !c.Complete() || img.Form != "registry" {
			t.Errorf("%s: got %s, %s, gaps %v; want %v", word, told(img), img.Digest, c.Gaps, want)
		}
	}
	for word, want := range map[string]string{
		host + "/team/gone:1": "NAME_UNKNOWN", host + "/team/one:2": "MANIFEST_UNKNOWN", "oci://shop:1.4": "names no image in a registry",
	} {
		if _, _, err := Read(t.Context(), word, asking(&registry.Client{})); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", word, err, want)
		}
	}
	o := asking(&registry.Client{})
	o.Platform = "linux/s390x"
	for _, word := range []string{host + "/team/shop:1.4", host + "/team/one:1"} {
		if _, _, err := Read(t.Context(), word, o); err == nil || !strings.Contains(err.Error(), "linux/amd64") {
			t.Errorf("%s for a platform that is not there: %v", word, err)
		}
	}
	if _, _, err := Read(t.Context(), host+"/team/one:1", Options{}); err == nil {
		t.Error("without a client a registry was asked")
	}
}

// TestWords holds what a word means.
func TestWords(t *testing.T) {
	t.Chdir(files(t, map[string][]byte{"registry.example/there:1": nil}))
	for word, want := range map[string]kind{
		"registry.example/shop:1.4": inRegistry, "registry.example/team/shop@sha256:00": inRegistry, "localhost/shop:1": inRegistry, "reg:5000/shop:1": inRegistry,
		"10.0.0.1:5000/a/b:1": inRegistry, "docker.io/library/debian:12": inRegistry, "oci://shop": inRegistry, "[::1]:5000/a:1": inRegistry,
		"shop:1.4": inFiles, "library/shop:1.4": inFiles, "registry.example/shop": inFiles, "./registry.example/shop:1.4": inFiles, "/registry.example/shop:1": inFiles,
		"image.tar": inFiles, "out.d/image:1.tar": inFiles, ".": inFiles, "..": inFiles, "-": inStream, "containerd://x": inContainerd, "docker-daemon://x": inDocker,
		"https://registry.example/shop:1": inFiles, "user@registry.example/shop:1": inFiles, "": inFiles,
		"registry.example/there:1": inFiles, "oci://registry.example/there:1": inRegistry,
	} {
		if got, _ := placeOf(word); got != want {
			t.Errorf("%q is %d, want %d", word, got, want)
		}
	}
}
