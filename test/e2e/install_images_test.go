package e2e

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/loopback"
)

// installImagesPlan lets pods in by what their images hold: a namespace for each answer to an image of which nothing is known.
const installImagesPlan = `
apiVersion: coaming.dev/v1alpha1
kind: Enforcement
metadata: {name: images}
spec:
  mode: off
  timeoutSeconds: 3
  images:
  - {namespaces: [waiting], mode: enforce, onError: fail, failOn: critical, unseen: wait, waitSeconds: 2, pin: true}
  - {namespaces: [denying], mode: enforce, onError: fail, failOn: critical, unseen: deny}
  - {namespaces: [auditing], mode: enforce, onError: fail, failOn: critical, unseen: audit}
`

// flawOfClean is published later, about what was clean until then.
var flawOfClean = strings.NewReplacer("GHSA-aaaa", "GHSA-bbbb", "CVE-2026-1", "CVE-2026-2", `"introduced": "0"`, `"introduced": "2.0.0"`, `"fixed": "2.0.0"`, `"fixed": "3.0.0"`).Replace(flawOfLeft)

// flawOfOther has the index cover Go, which the program of the images is written in: else nothing would be known of its packages.
const flawOfOther = `{"id": "GO-2026-1", "modified": "2026-01-01T00:00:00Z", "summary": "A flaw elsewhere",
 "affected": [{"package": {"ecosystem": "Go", "name": "example.test/other"}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}]}]}`

// port is a registry outside of the cluster that pods and the node reach over TLS, and only by an authority that nobody else knows. It
// serves a mirror of advisories, too.
type port struct {
	host      string
	authority []byte // PEM
	transport http.RoundTripper
	mirror    string // the folder that is served as https://HOST/advisories/
	program   []byte // what its images run
}

// openPort serves a real registry of this process's at an address outside of the cluster.
func (d *drill) openPort(t *testing.T) *port {
	t.Helper()
	program := filepath.Join(t.TempDir(), "probe")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", program, "./probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the pods' program: %v\n%s", err, out)
	}
	p := &port{host: d.Node.Outside[0], mirror: t.TempDir(), program: []byte(readText(t, program))}
	own, err := loopback.New(net.ParseIP(p.host))
	if err != nil {
		t.Fatal(err)
	}
	if p.authority, _, err = own.PEM(); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(d.Dir, "registry.sock")
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelError))))
	mux.Handle("/advisories/", http.StripPrefix("/advisories/", http.FileServer(http.Dir(p.mirror))))
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: own.GetCertificate},
	}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() { _ = server.Close() })
	p.transport = &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: own.Pool()},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}
	relay := exec.CommandContext(t.Context(), d.Binary, "in", "--dir", d.Dir, "--outside", program, "relay", p.host+":443", socket)
	relay.Stderr = t.Output()
	if err := relay.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = relay.Wait() }) // the context's end kills it
	// The node's runtime trusts what the machine trusts.
	if _, err := d.tryOnNode(t.Context(), string(p.authority), "in", "--dir", d.Dir, "tee", "-a", "/etc/ssl/certs/ca-certificates.crt"); err != nil {
		t.Fatal(err)
	}
	return p
}

// push pushes an image that runs, and in which npm has installed a version of a package. It returns its digest.
func (p *port) push(t *testing.T, repository, version string) string {
	t.Helper()
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for _, f := range []struct {
		name, text string
		mode       int64
	}{{"probe", string(p.program), 0o755}, {"app/node_modules/left/package.json", fmt.Sprintf(`{"name":"left","version":%q}`, version), 0o644}} {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	image, err := mutate.AppendLayers(empty.Image, static.NewLayer(layer.Bytes(), types.OCIUncompressedLayer))
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Config.Entrypoint = "linux", "amd64", []string{"/probe", "serve", "tcp:8080"}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(p.host + "/" + repository)
	if err == nil {
		err = remote.Write(ref, image, remote.WithTransport(p.transport))
	}
	if err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

// advisories makes an index of records, in place of the one that is there.
func advisories(t *testing.T, file, created string, args []string, records ...string) {
	t.Helper()
	dir := t.TempDir()
	for i, record := range append(records, flawOfOther) {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.json", i)), []byte(record), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fresh := file + ".new"
	wantCode(t, coaming(t, append([]string{"db", "build", dir, "-o", fresh, "--created", created}, args...)...), verdict.ExitClean)
	if err := os.Chmod(fresh, 0o644); err != nil { //nolint:gosec // the gate's user reads it
		t.Fatal(err)
	}
	if err := os.Rename(fresh, file); err != nil {
		t.Fatal(err)
	}
}

// signingKey makes a key pair in PEM.
func signingKey(t *testing.T) (private, public string) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pkix, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))),
		writeFile(t, "key.pub", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix})))
}

// indexClaim is a claim in the gate's namespace of a volume with a folder of the node's.
const indexClaim = `
{apiVersion: v1, kind: Namespace, metadata: {name: coaming-system}}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: advisories}
spec:
  accessModes: [ReadOnlyMany]
  capacity: {storage: 1Gi}
  storageClassName: ""
  hostPath: {path: %q, type: Directory}
  claimRef: {namespace: coaming-system, name: advisories}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: advisories, namespace: coaming-system}
spec: {accessModes: [ReadOnlyMany], storageClassName: "", volumeName: advisories, resources: {requests: {storage: 1Gi}}}
`

// TestInstallImages installs the gate on a real node with an index of advisories and a registry beyond the cluster, and runs pods: an image with a
// critical vulnerability is refused by tag and by digest, a clean one runs as the digest that was judged, what is published later counts without another
// installation, and an index that the pods fetch themselves, signed, says the same as one on a volume.
func TestInstallImages(t *testing.T) {
	d := newDrill(t)
	p := d.openPort(t)
	for _, namespace := range []string{"waiting", "denying", "auditing"} {
		d.kubectl(t, "create", "namespace", namespace)
	}
	clean, bad := p.push(t, "shop/clean:1", "2.0.0"), p.push(t, "shop/bad:1", "1.0.0")
	folder := filepath.Join(d.Dir, "advisories")
	if err := os.Mkdir(folder, 0o755); err != nil { //nolint:gosec // the gate's user reads it
		t.Fatal(err)
	}
	index := filepath.Join(folder, "coaming-advisories.db")
	today := time.Now().UTC().Truncate(24 * time.Hour)
	advisories(t, index, today.Format(time.RFC3339), nil, flawOfLeft)
	d.apply(t, fmt.Sprintf(indexClaim, folder))
	registries := filepath.Join(t.TempDir(), "registries.yaml")
	if err := os.WriteFile(registries, fmt.Appendf(nil, "registries: {%q: {ca: certs/authority.pem}}\n", p.host), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(filepath.Dir(registries), "certs"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(registries), "certs", "authority.pem"), p.authority, 0o600); err != nil {
		t.Fatal(err)
	}
	d.install(t, "--image", d.image, "--set", "image.pullPolicy=Never", "--set", "images.tagAge=5s", "--plan", writeFile(t, "plan.yaml", installImagesPlan),
		"--index-claim", "advisories", "--registry-config", registries, "--images-from-registry", p.host+"/**")
	d.status(t, 0, "")

	// A vulnerable image is refused: by its tag, which the refusal tells with the digest, and by its digest alone.
	d.refused(t, "waiting", p.host+"/shop/bad:1", "left 1.0.0 has CVE-2026-1, fixed in 2.0.0")
	d.refused(t, "waiting", p.host+"/shop/bad@"+bad, "left 1.0.0 has CVE-2026-1, fixed in 2.0.0")
	// A clean one runs, as what was judged.
	d.runs(t, "waiting", "clean", p.host+"/shop/clean:1", p.host+"/shop/clean:1@"+clean)
	// What nobody has looked into is refused or let through, and known a moment later.
	late := p.push(t, "shop/late:1", "2.1.0")
	d.refused(t, "denying", p.host+"/shop/late:1", "was not looked at")
	d.runs(t, "auditing", "unseen", p.host+"/shop/late@"+late, p.host+"/shop/late@"+late)
	d.runs(t, "denying", "seen", p.host+"/shop/late:1", p.host+"/shop/late:1")
	// A registry that is not among those named is not asked: nothing is known of its images.
	d.refused(t, "waiting", "198.51.100.10/shop/clean:1", "")

	// The tag moves: what runs goes on, and who comes now gets what the tag names now.
	p.push(t, "shop/clean:1", "1.5.0")
	d.refused(t, "waiting", p.host+"/shop/clean:1", "left 1.5.0 has CVE-2026-1")
	d.runs(t, "waiting", "old", p.host+"/shop/clean:1@"+clean, p.host+"/shop/clean:1@"+clean)

	// A newer index lies in the volume: what was clean is refused, without another installation.
	advisories(t, index, today.Add(time.Second).Format(time.RFC3339), nil, flawOfLeft, flawOfClean)
	d.refused(t, "waiting", p.host+"/shop/clean@"+clean, "left 2.0.0 has CVE-2026-2, fixed in 3.0.0")

	// The pods fetch the index themselves, by the key that signed it.
	private, public := signingKey(t)
	advisories(t, filepath.Join(p.mirror, "coaming-advisories.db"), today.Format(time.RFC3339), []string{"--key", private}, flawOfLeft)
	if err := os.Rename(filepath.Join(p.mirror, "coaming-advisories.db.new.sig"), filepath.Join(p.mirror, "coaming-advisories.db.sig")); err != nil {
		t.Fatal(err)
	}
	d.install(t, "--index-from", "https://"+p.host+"/advisories/", "--index-key", public,
		"--set", "gate.env[0].name=SSL_CERT_FILE", "--set", "gate.env[0].value=/etc/coaming-registries/certs/authority.pem")
	d.refused(t, "waiting", p.host+"/shop/bad@"+bad, "left 1.0.0 has CVE-2026-1, fixed in 2.0.0")
	d.runs(t, "waiting", "again", p.host+"/shop/clean@"+clean, p.host+"/shop/clean@"+clean)
	d.status(t, 0, "")
	d.unprivileged(t)
	if restarts := d.kubectl(t, "get", "pods", "-n", "coaming-system", "-o", "jsonpath={.items[*].status.containerStatuses[*].restartCount}"); strings.Trim(restarts, "0 ") != "" {
		t.Errorf("containers of the gate were started again: %s", restarts)
	}
	wantCode(t, d.coaming(t, "uninstall"), 0)
}

// refused creates a pod until what refuses it says why: at first nobody has looked into its image. It is never let in.
func (d *drill) refused(t *testing.T, namespace, image, why string) {
	t.Helper()
	last := ""
	defer func() {
		if t.Failed() {
			t.Logf("the last answer: %s", last)
		}
	}()
	within(t, 90*time.Second, image+" is refused: "+why, func() bool {
		d.count++
		message, err := d.sandbox.try(t, podOf(namespace, fmt.Sprintf("refused-%d", d.count), image), "create", "-f", "-")
		if err == nil && !strings.Contains(why, "CVE-2026-2") && !strings.Contains(why, "1.5.0") {
			t.Fatalf("%s in %s was let in", image, namespace)
		}
		last = message
		return err != nil && strings.Contains(message, "denied the request") && strings.Contains(message, why)
	})
}

// runs creates a pod once it is let in, and waits until the node runs it as the image that is wanted.
func (d *drill) runs(t *testing.T, namespace, pod, image, want string) {
	t.Helper()
	last := ""
	defer func() {
		if t.Failed() {
			t.Logf("the last answer: %s", last)
		}
	}()
	within(t, 90*time.Second, image+" is let in", func() bool {
		message, err := d.sandbox.try(t, podOf(namespace, pod, image), "create", "-f", "-")
		last = message
		return err == nil
	})
	if got := d.kubectl(t, "get", "pod", pod, "-n", namespace, "-o", "jsonpath={.spec.containers[0].image}"); got != want {
		t.Errorf("%s/%s has the image %s, want %s", namespace, pod, got, want)
	}
	d.kubectl(t, "wait", "pod", pod, "-n", namespace, "--for=condition=Ready", "--timeout=60s")
	_, digest, pinned := strings.Cut(want, "@")
	if id := d.kubectl(t, "get", "pod", pod, "-n", namespace, "-o", "jsonpath={.status.containerStatuses[0].imageID}"); pinned && !strings.HasSuffix(id, digest) {
		t.Errorf("%s/%s runs %s, want %s", namespace, pod, id, digest)
	}
}
