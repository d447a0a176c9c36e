package cli_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	server "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/clearance"
	"github.com/coaming/coaming/internal/cli"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/hold"
	"github.com/coaming/coaming/internal/registry"
	"github.com/coaming/coaming/internal/verdict"
)

// pushImage pushes an image of Debian's in which npm has installed packages, "left@1.0.0".
func pushImage(t *testing.T, reference string, packages ...string) {
	t.Helper()
	files := map[string]string{
		"etc/os-release":      "ID=debian\nVERSION_ID=\"12\"\n",
		"var/lib/dpkg/status": "Package: openssl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.0.11-1~deb12u1\nMaintainer: Debian OpenSSL Team\n",
	}
	for _, p := range packages {
		module, version, _ := strings.Cut(p, "@")
		files["app/node_modules/"+module+"/package.json"] = fmt.Sprintf(`{"name":%q,"version":%q}`, module, version)
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for path, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: path, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
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
	ref, err := name.ParseReference(reference)
	if err == nil {
		err = remote.Write(ref, image)
	}
	if err != nil {
		t.Fatal(err)
	}
}

const osvOfGate = `{"id": "GHSA-aaaa", "aliases": ["CVE-2026-1"], "modified": "2026-01-01T00:00:00Z", "summary": "A flaw in left", "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
 "affected": [{"package": {"ecosystem": "npm", "name": "left"}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "2.0.0"}]}]}]}
`

const osvOfGate2 = `{"id": "GHSA-bbbb", "aliases": ["CVE-2026-2"], "modified": "2026-01-01T00:00:00Z", "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L"}],
 "affected": [{"package": {"ecosystem": "npm", "name": "right"}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}]}]}
`

// gateBench is a folder with an index of advisories and two images in a registry, of which a Deployment runs both.
type gateBench struct {
	t         *testing.T
	dir, host string
	object    string // JSON
	images    []string
	now       time.Time
}

func newGateBench(t *testing.T) *gateBench {
	t.Helper()
	b := &gateBench{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	s := httptest.NewServer(server.New(server.Logger(slog.NewLogLogger(slog.DiscardHandler, 0))))
	t.Cleanup(s.Close)
	b.host = strings.TrimPrefix(s.URL, "http://")
	b.images = []string{b.host + "/team/web:1", b.host + "/team/old:1"}
	pushImage(t, b.images[0], "right@1.0.0")
	pushImage(t, b.images[1], "left@1.0.0", "right@1.0.0")
	b.object = fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"shop","namespace":"shop"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"web","image":%q}],"initContainers":[{"name":"old","image":%q}]}}}}`, b.images[0], b.images[1])
	b.write("osv/1.json", osvOfGate)
	b.write("osv/2.json", osvOfGate2)
	b.write("deploy.json", b.object)
	if code, out := b.run("db", "build", b.path("osv"), "-o", b.path("a.db"), "--created", "2026-11-22T00:00:00Z"); code != 0 {
		t.Fatal(out)
	}
	return b
}

func (b *gateBench) path(name string) string { return filepath.Join(b.dir, filepath.FromSlash(name)) }

func (b *gateBench) write(name, text string) {
	b.t.Helper()
	if err := os.MkdirAll(filepath.Dir(b.path(name)), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(b.path(name), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *gateBench) run(args ...string) (code int, out string) {
	var text bytes.Buffer
	code = cli.Run(b.t.Context(), cli.Env{
		Args: args, Name: "coaming", Version: "test", Stdin: strings.NewReader(""), Stdout: &text, Stderr: &text,
		Getenv: func(string) string { return "" }, Now: func() time.Time { return b.now },
	})
	return code, text.String()
}

// clear is a clearance in which the images were looked into.
func (b *gateBench) clear(plan *enforcement.Plan) *clearance.Clearance {
	b.t.Helper()
	all, err := catalog.Rules()
	if err != nil {
		b.t.Fatal(err)
	}
	compiled, err := catalog.Compile(all)
	if err != nil {
		b.t.Fatal(err)
	}
	c, err := clearance.New(clearance.Settings{
		Connect: func() (*registry.Client, error) { return &registry.Client{}, nil }, Store: &hold.Store{Dir: b.t.TempDir()}, Program: "test", Index: b.path("a.db"),
		Rules: compiled, Plan: func() *enforcement.Plan { return plan }, Now: func() time.Time { return b.now },
	})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan error)
	go func() { ended <- c.Run(ctx) }()
	b.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.t.Error(err)
		}
	})
	for range 30 { // each time it waits for as long as a request may
		cleared := c.Clear(b.t.Context(), b.images, enforcement.Place{Namespace: "shop", LabelsKnown: true})
		if !slices.ContainsFunc(cleared, func(known admission.Cleared) bool { return known.State != admission.Known }) {
			return c
		}
	}
	b.t.Fatalf("the images were not looked into: %+v", c.Stats())
	return c
}

// TestGateFindsWhatScanFinds looks at the same images both ways: what 'coaming scan --images' finds of them, the gate does, each
// fault under the same fingerprint and with the same verdict.
func TestGateFindsWhatScanFinds(t *testing.T) {
	b := newGateBench(t)
	code, out := b.run("scan", b.path("deploy.json"), "--images", "--no-store", "--db", b.path("a.db"), "--format", "json")
	var result verdict.Result
	if err := json.Unmarshal([]byte(out), &result); err != nil || code != verdict.ExitFindings {
		t.Fatalf("%d %v: %.300s", code, err, out)
	}
	say := func(f *verdict.Finding) string {
		text := strings.Join([]string{f.Fingerprint, f.Rule, f.Verdict.String(), f.Severity.String(), f.Message, f.Subject.String(), f.Path}, " | ")
		if v := f.Vulnerability; v != nil {
			text += " | " + v.ID + v.Digest
		}
		return text
	}
	want, got := map[string]bool{}, map[string]bool{}
	for i := range result.Findings {
		if f := &result.Findings[i]; f.Subject.Kind == "Image" {
			want[say(f)] = true
		}
	}
	for _, known := range b.clear(b.plan("enforce", "low", "wait")).Clear(t.Context(), b.images, enforcement.Place{Namespace: "shop"}) {
		for i := range known.Findings {
			got[say(&known.Findings[i])] = true
		}
	}
	if len(want) < 4 {
		t.Errorf("the scan finds too little to compare: %v", want)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("scan (-), gate (+):\n%s", diff)
	}
}

func (b *gateBench) plan(mode, failOn, unseen string) *enforcement.Plan {
	b.t.Helper()
	p, err := enforcement.Read("plan.yaml", fmt.Sprintf(`apiVersion: coaming.dev/v1alpha1
kind: Enforcement
spec:
  mode: off
  images:
  - {mode: %s, failOn: %q, unseen: %s, waitSeconds: 2, onError: fail}
`, mode, failOn, unseen))
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// TestGateDecidesAsScan holds a Deployment to thresholds and exceptions both ways: what a scan with --fail-on fails for, the gate
// refuses, what is unknown to one is to the other, and what is excused is excused.
func TestGateDecidesAsScan(t *testing.T) {
	b := newGateBench(t)
	index := b.path("a.db")
	const excuse = "exceptions:\n- {rules: [vulnerable-package], fingerprints: [FP], owner: shop, reason: not called, expires: 2026-12-31}\n"
	for failOn, want := range map[string]int{
		"critical": verdict.ExitFindings, `severity >= critical && fixed`: verdict.ExitFindings, `pkg == "left"`: verdict.ExitFindings,
		`exploited`: verdict.ExitUnknown, `likelihood > 0.5`: verdict.ExitUnknown, `id == "CVE-2026-9"`: verdict.ExitUnknown,
	} {
		for _, excused := range []bool{false, true} {
			args := []string{"scan", b.path("deploy.json"), "--images", "--no-store", "--db", index, "--rule", "vulnerable-package", "--fail-on", failOn}
			desk := admission.Options{Plan: b.plan("enforce", failOn, "wait"), Version: catalog.Newest, Now: func() time.Time { return b.now }}
			if excused {
				text := strings.ReplaceAll(excuse, "FP", b.fingerprint("CVE-2026-1"))
				b.write("exceptions.yaml", text)
				args = append(args, "--exceptions", b.path("exceptions.yaml"))
				list, err := exception.File("exceptions.yaml", text)
				if err != nil {
					t.Fatal(err)
				}
				desk.Exceptions = list
			}
			desk.Clearance = b.clear(desk.Plan)
			code, out := b.run(args...)
			answer := b.ask(admission.New(desk))
			if !excused && code != want {
				t.Errorf("--fail-on %s: scan exits %d, want %d", failOn, code, want)
			}
			wantDenied := code != verdict.ExitClean // onError: fail refuses what is unknown
			if answer.Allowed == wantDenied {
				t.Errorf("--fail-on %s, excused %v: scan exits %d, the gate allows %v: %q\n%.600s", failOn, excused, code, answer.Allowed, answer.Denials, out)
			}
		}
	}
}

func (b *gateBench) fingerprint(id string) string {
	b.t.Helper()
	_, out := b.run("scan", b.path("deploy.json"), "--images", "--no-store", "--db", b.path("a.db"), "--rule", "vulnerable-package", "--format", "json")
	var result verdict.Result
	if err := json.Unmarshal([]byte(out), &result); err != nil {
		b.t.Fatal(err)
	}
	at := slices.IndexFunc(result.Findings, func(f verdict.Finding) bool { return f.Vulnerability != nil && f.Vulnerability.ID == id })
	if at < 0 {
		b.t.Fatalf("no finding of %s in %.300s", id, out)
	}
	return result.Findings[at].Fingerprint
}

// ask puts the Deployment to a desk.
func (b *gateBench) ask(desk *admission.Desk) *admission.Outcome {
	b.t.Helper()
	body := fmt.Sprintf(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","operation":"CREATE","namespace":"shop","kind":{"group":"apps","version":"v1","kind":"Deployment"},"object":%s}}`, b.object)
	_, out, err := desk.Validate(b.t.Context(), admission.Everything, body)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}
