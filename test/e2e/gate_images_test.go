package e2e

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/coaming/coaming/internal/verdict"
)

const gateImagesPlan = `
apiVersion: coaming.dev/v1alpha1
kind: Enforcement
spec:
  mode: off
  timeoutSeconds: 3
  images:
  - {namespaces: [denying], mode: enforce, failOn: critical, unseen: deny}
  - {namespaces: [waiting], mode: enforce, failOn: critical, unseen: wait, waitSeconds: 2}
  - {namespaces: [auditing], mode: enforce, failOn: critical, unseen: audit}
  - {namespaces: [pinning], mode: enforce, failOn: critical, unseen: wait, waitSeconds: 2, pin: true}
`

const flawOfLeft = `{"id": "GHSA-aaaa", "aliases": ["CVE-2026-1"], "modified": "2026-01-01T00:00:00Z", "summary": "A flaw in left",
 "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
 "affected": [{"package": {"ecosystem": "npm", "name": "left"}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "2.0.0"}]}]}]}`

// pushNode pushes an image in which npm has installed a package, and returns its digest.
func pushNode(t *testing.T, reference, version string) string {
	t.Helper()
	const module = "left"
	text := fmt.Sprintf(`{"name":%q,"version":%q}`, module, version)
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := w.WriteHeader(&tar.Header{Name: "app/node_modules/" + module + "/package.json", Mode: 0o644, Size: int64(len(text))}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
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
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

// registerMutation has the API server ask the gate what to change of pods and what makes them.
func (g *runningGate) registerMutation(t *testing.T, s *sandbox) {
	t.Helper()
	s.apply(t, fmt.Sprintf(`
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: coaming-gate}
webhooks:
- name: mutate.coaming.dev
  clientConfig: {url: "https://%s/mutate", caBundle: %s}
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  timeoutSeconds: 3
  rules:
  - {apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [pods]}
  - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}
`, g.address, base64.StdEncoding.EncodeToString(g.bundle)))
}

func podOf(namespace, name, image string) string {
	return fmt.Sprintf(`{apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: %s}, spec: {containers: [{name: app, image: %q}]}}`, name, namespace, image)
}

// TestGateImages lets pods in by what their images hold, on the real API server: an image that nobody looked into is refused, let
// through or waited for, one with a critical vulnerability is refused, what pods ran before is looked into first, and tags become digests.
func TestGateImages(t *testing.T) {
	s := startSandbox(t)
	server := httptest.NewServer(registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelError))))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	for _, namespace := range []string{"denying", "waiting", "auditing", "pinning"} {
		s.apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: "+namespace+"}}")
	}
	for _, image := range []string{"known", "unknown", "wanted"} {
		pushNode(t, host+"/shop/"+image+":1", "2.0.0")
	}
	pushNode(t, host+"/shop/bad:1", "1.0.0")
	digest := pushNode(t, host+"/shop/tagged:1", "2.1.0")

	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "1.json"), []byte(flawOfLeft), 0o600); err != nil {
		t.Fatal(err)
	}
	index := filepath.Join(dir, "advisories.db")
	wantCode(t, coaming(t, "db", "build", dir, "-o", index), verdict.ExitClean)
	eventually(t, "a pod that was there before", func() bool {
		_, err := s.try(t, podOf("denying", "before", host+"/shop/known:1"), "create", "-f", "-")
		return err == nil // its service account comes in a moment
	})
	g := startGate(t, s, gateImagesPlan, "--images", "--db", index, "--store", filepath.Join(dir, "store"))
	g.register(t, s, "Fail")
	g.registerMutation(t, s)
	create := []string{"create", "-f", "-"} // a dry run has nobody look into an image
	eventually(t, "the API server asks the gate", func() bool {
		message, err := s.try(t, podOf("denying", "canary", host+"/shop/canary:1"), create...)
		return err != nil && strings.Contains(message, "denied the request")
	})

	message, err := s.try(t, podOf("denying", "unseen", host+"/shop/unknown:1"), create...)
	if err == nil || !strings.Contains(message, "was not looked at") {
		t.Errorf("an image that nobody looked into, where that is denied: %v\n%s", err, message)
	}
	mounting := fmt.Sprintf(`{apiVersion: v1, kind: Pod, metadata: {name: mounting, namespace: denying}, spec: {containers: [{name: app, image: %q}], volumes: [{name: files, image: {reference: %q}}]}}`,
		host+"/shop/known:1", host+"/shop/nobody:2")
	if message, err := s.try(t, mounting, create...); err == nil || !strings.Contains(message, "shop/nobody:2 was not looked at") {
		t.Errorf("a volume of an image that nobody looked into, where that is denied: %v\n%s", err, message)
	}
	eventually(t, "what a pod ran before is known", func() bool {
		_, err := s.try(t, podOf("denying", "again", host+"/shop/known:1"), create...)
		return err == nil
	})
	eventually(t, "the image that was refused is known", func() bool {
		_, err := s.try(t, podOf("denying", "seen", host+"/shop/unknown:1"), create...)
		return err == nil
	})
	if message, err := s.try(t, podOf("auditing", "unseen", host+"/shop/nobody:1"), create...); err != nil {
		t.Errorf("an image that nobody looked into, where that is audited: %v\n%s", err, message)
	}
	eventually(t, "a request waits for its image", func() bool {
		message, err := s.try(t, podOf("waiting", "wanted", host+"/shop/wanted:1"), create...)
		if err != nil {
			t.Logf("the machine is slow: %s", message)
		}
		return err == nil
	})
	eventually(t, "a critical vulnerability is refused", func() bool {
		message, err := s.try(t, podOf("waiting", "bad", host+"/shop/bad:1"), create...)
		if err == nil {
			t.Fatal("an image with a critical vulnerability was let in")
		}
		return strings.Contains(message, "left 1.0.0 has CVE-2026-1, fixed in 2.0.0")
	})
	if message, err := s.try(t, podOf("waiting", "missing", host+"/shop/missing:1"), create...); err == nil {
		t.Errorf("an image that does not exist was let in: %s", message)
	}

	eventually(t, "a tag becomes a digest", func() bool {
		message, err := s.try(t, deployment("pinning", "tagged", fmt.Sprintf(`{initContainers: [{name: init, image: %q}], containers: [{name: app, image: %[1]q}], volumes: [{name: files, image: {reference: %[1]q}}]}`, host+"/shop/tagged:1")), "apply", "-f", "-")
		if err != nil {
			t.Logf("not yet: %s", message)
		}
		return err == nil
	})
	images := s.kubectl(t, "-n", "pinning", "get", "deployment", "tagged", "-o", "jsonpath={.spec.template.spec.containers[0].image} {.spec.template.spec.initContainers[0].image} {.spec.template.spec.volumes[0].image.reference}")
	want := host + "/shop/tagged:1@" + digest
	if images != want+" "+want+" "+want {
		t.Errorf("the images are %s, want %s three times", images, want)
	}
	if note := s.kubectl(t, "-n", "pinning", "get", "deployment", "tagged", "-o", `jsonpath={.metadata.annotations.coaming\.dev/pinned}`); !strings.Contains(note, "shop/tagged:1") || !strings.Contains(note, digest) {
		t.Errorf("the annotation says %q", note)
	}
	pushNode(t, host+"/shop/tagged:1", "1.0.0") // the tag moves: what was pinned stays
	if message, err := s.try(t, "", "-n", "pinning", "label", "deployment", "tagged", "x=y"); err != nil {
		t.Errorf("label: %v %s", err, message)
	}
	if images := s.kubectl(t, "-n", "pinning", "get", "deployment", "tagged", "-o", "jsonpath={.spec.template.spec.containers[0].image}"); images != want {
		t.Errorf("after another change the image is %s", images)
	}
}
