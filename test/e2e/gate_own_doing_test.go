package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestGateAndOwnDoing has the API server ask the gate about objects whose writers made them hard to read or to judge, where the webhook's
// errors are ignored: what is privileged does not come in, and what is not does.
func TestGateAndOwnDoing(t *testing.T) {
	s := startSandbox(t)
	s.apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}")
	g := startGate(t, s, `
apiVersion: coaming.dev/v1alpha1
kind: Enforcement
spec:
  mode: audit
  timeoutSeconds: 3
  rules: [{rules: [privileged-container], namespaces: [shop], mode: enforce}]
`)
	g.register(t, s, "Ignore")
	const privileged = `{"name":"app","image":"a:1","securityContext":{"privileged":true}}`
	eventually(t, "the API server asks the gate", func() bool {
		_, err := s.try(t, deployment("shop", "canary", privilegedPod), "create", "--dry-run=server", "-f", "-")
		return err != nil
	})
	letters := strings.Repeat("<", 600_000)
	var many strings.Builder
	for i := range 400 {
		fmt.Fprintf(&many, `{"name":"c%d","image":"a:latest"},`, i)
	}
	managed := `,"managedFields":[{"manager":"m","operation":"Update","apiVersion":"v1","time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":` +
		strings.Repeat(`{"f:x":`, 900) + "{}" + strings.Repeat("}", 900) + `}]`
	pod := func(name, metadata, containers string) string {
		return fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q,"namespace":"shop"%s},"spec":{"containers":[%s]}}`, name, metadata, containers)
	}
	with := func(env, container string) string { // kubectl writes letters as they are in what it sends raw
		return strings.Replace(container, `"image":`, `"env":[{"name":"A","value":"`+env+`"}],"image":`, 1)
	}
	plain := strings.Replace(privileged, "true", "false", 1)
	for name, c := range map[string]struct {
		metadata   string
		containers func(last string) string
	}{
		"letters":    {"", func(last string) string { return with(letters, last) }},
		"managed":    {managed, func(last string) string { return last }},
		"containers": {"", func(last string) string { return many.String() + last }},
		"words": {"", func(last string) string {
			return strings.Replace(last, `"image":`, `"args":["a"`+strings.Repeat(`,"a"`, 80_000)+`],"image":`, 1)
		}},
		"largest": {"", func(last string) string { // of three megabytes that the API server takes, eighteen are made
			return with(strings.Repeat("<", 3_000_000), last)
		}},
	} {
		file := writeFile(t, "pod.json", pod(name, c.metadata, c.containers(privileged)))
		message, err := s.try(t, "", "create", "--raw", "/api/v1/namespaces/shop/pods", "-f", file)
		if err == nil || !strings.Contains(message, `admission webhook "validate.coaming.dev" denied the request`) {
			t.Errorf("%s: %v %.400s", name, err, message)
		}
		if name == "words" || name == "largest" {
			continue // what the first costs is its own doing, and etcd does not take the second
		}
		file = writeFile(t, "plain.json", pod(name+"-plain", c.metadata, c.containers(plain)))
		if message, err := s.try(t, "", "create", "--raw", "/api/v1/namespaces/shop/pods", "-f", file); err != nil {
			t.Errorf("%s, well: %v %.400s", name, err, message)
		}
	}
	// What cannot be judged can still be given finalizers, and be deleted.
	if message, err := s.try(t, "", "-n", "shop", "patch", "pod", "managed-plain", "--type=merge", "-p", `{"metadata":{"finalizers":["example.com/x"]}}`); err != nil {
		t.Errorf("a finalizer: %v %s", err, message)
	}
}
