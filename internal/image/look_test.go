package image

import (
	"archive/tar"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/credential"
)

// FuzzLook reads anything as each of the files that are looked into.
func FuzzLook(f *testing.F) {
	f.Add([]byte("root:x:0:0:root:/root:/bin/sh\n"))
	f.Add([]byte("root::19000::::::\n"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAA\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte("machine x login y password z\n_authToken=abcdefgh\n\"auth\": \"abcd\""))
	f.Fuzz(func(_ *testing.T, text []byte) {
		r := &record{path: "x"}
		readAccounts(r, text)
		readShadow(r, text)
		readCertificates(r, text)
		for _, at := range []string{"app/.env", "srv/.netrc", "srv/.npmrc", "srv/.docker/config.json", "srv/.kube/config", "srv/settings.yaml", "srv/a.p12"} {
			credential.InFile(at, text)
		}
		capabilities(text)
	})
}

// TestNoValueIsKept looks for credentials in all that is kept of an image.
func TestNoValueIsKept(t *testing.T) {
	const secret = "kT9vQ2mZx7aa"
	at := configured(t, map[string]any{
		"os": "linux", "architecture": "amd64",
		"config": map[string]any{
			"Env": []string{"DB_PASSWORD=" + secret, "URL=postgres://a:" + secret + "@db/x"}, "Cmd": []string{"app", "--password", secret},
			"Labels": map[string]string{"password": secret},
		},
		"history": []map[string]any{{"created_by": "RUN TOKEN=" + secret + " make"}, {"created_by": "ENV DB_PASSWORD=" + secret, "empty_layer": true}},
	}, tar.Header{Name: "app/.env", Linkname: "DB_PASSWORD=" + secret + "\n"}, tar.Header{Name: "etc/shadow", Linkname: "root:" + secret + ":1::::::\n"})
	img, _ := mustRead(t, at, Options{})
	o, err := img.Object()
	if err != nil {
		t.Fatal(err)
	}
	if text := string(o.Root.AppendSorted(nil)); strings.Contains(text, secret) {
		t.Errorf("a credential is kept: %s", text)
	}
	if len(img.Contents.Secrets) != 1 {
		t.Errorf("secrets %+v", img.Contents.Secrets)
	}
	for _, l := range img.Layers {
		if strings.Contains(l.CreatedBy, secret) {
			t.Errorf("a layer tells %s", l.CreatedBy)
		}
	}
}
