package gate

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/inject"
)

const mutatingSpec = `  mode: off
  rules: [{rules: [seccomp-missing, privileged-container], mode: enforce}]
  images: [{pin: true}]
  mutations:
    defaults: [{rules: [seccomp-missing, privilege-escalation, capabilities-not-dropped]}]
    resources: [{requests: {cpu: 50m, memory: 64Mi}, limits: {memory: 256Mi}}]
    sidecars:
    - {template: audit-forwarder, values: {image: "registry.example.com/fluent-bit:4"}}
    - {template: falco-agent, values: {image: "registry.example.com/falco:1"}}
`

// tags stands in for what has asked registries what tags name.
type tags map[string]string

func (t tags) Clear(_ context.Context, images []string, _ enforcement.Place) []admission.Cleared {
	list := make([]admission.Cleared, len(images))
	for i, image := range images {
		list[i] = admission.Cleared{State: admission.Queued, Digest: t[image]}
	}
	return list
}

// mutating is a gate with the real injector.
func mutating(t *testing.T, version string) *served {
	t.Helper()
	return serve(t, func(o *Options) {
		o.Load = func(context.Context) (*Ruling, error) {
			plan, err := enforcement.Read("plan.yaml", "apiVersion: coaming.dev/v1alpha1\nkind: Enforcement\nspec:\n"+mutatingSpec)
			if err != nil {
				return nil, err
			}
			in, err := inject.New(inject.Options{Plan: plan, Rules: compiled(), Now: func() time.Time { return now }})
			if err != nil {
				return nil, err
			}
			return &Ruling{Timeout: 2 * time.Second, Desk: admission.New(admission.Options{
				Plan: plan, Rules: compiled(), Version: version, Now: func() time.Time { return now }, Width: 2,
				Clearance: tags{"registry.example.com/app:1": "sha256:" + strings.Repeat("ab", 32)},
				Mutate: func(ctx context.Context, o *fact.Object, at enforcement.Place) ([]admission.Operation, error) {
					patch, err := in.Patch(ctx, o, at, version)
					var list []admission.Operation
					for _, op := range patch {
						list = append(list, admission.Operation{Op: op.Op, Path: op.Path, Value: op.Value})
					}
					return list, err
				},
				Drift: func(o *fact.Object, at enforcement.Place) []string {
					drifts, err := in.Drifts(o, at, version)
					var lines []string
					for i := range drifts {
						lines = append(lines, drifts[i].Template+": "+drifts[i].Message)
					}
					if err != nil {
						lines = append(lines, err.Error())
					}
					return lines
				},
			})}, nil
		}
	})
}

// response is an answer as the API server reads it.
type response struct {
	Response struct {
		Allowed          bool
		Patch            []byte
		PatchType        string
		Warnings         []string
		AuditAnnotations map[string]string
	}
}

// asks sends a review of an object, and returns the answer and what the API server's library makes of its patch.
func (s *served) asks(t *testing.T, path, operation, object, old string) (*response, string) {
	t.Helper()
	if old == "" {
		old = "null"
	}
	code, text := s.post(t, path, strings.NewReader(fmt.Sprintf(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":%q,"namespace":"shop",`+
		`"kind":{"group":"","version":"v1","kind":"Pod"},"object":%s,"oldObject":%s}}`, operation, object, old)))
	r := &response{}
	if err := json.Unmarshal([]byte(text), r); code != http.StatusOK || err != nil || !r.Response.Allowed && path == "/mutate" {
		t.Fatalf("%d %s", code, text)
	}
	if len(r.Response.Patch) == 0 {
		return r, object
	}
	if r.Response.PatchType != "JSONPatch" {
		t.Errorf("the patch is a %q", r.Response.PatchType)
	}
	patch, err := jsonpatch.DecodePatch(r.Response.Patch)
	if err != nil {
		t.Fatalf("%v: %s", err, r.Response.Patch)
	}
	after, err := patch.Apply([]byte(object))
	if err != nil {
		t.Fatalf("%v: %s", err, r.Response.Patch)
	}
	return r, string(after)
}

func podOf(annotations, spec string) string {
	return `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"shop","annotations":{` + annotations + `}},"spec":` + spec + `}`
}

const appPod = `{"containers":[{"name":"app","image":"registry.example.com/app:1"}]}`

// TestMutates demands every sort of mutation over TLS, each with its reason on the object, once and no second time, and that what
// comes of it is what is judged.
func TestMutates(t *testing.T) {
	for version, field := range map[string]string{catalog.Newest: "initContainers", "1.28": "containers"} {
		s := mutating(t, version)
		_, after := s.asks(t, "/mutate", "CREATE", podOf("", appPod), "")
		for _, want := range []string{
			`"image":"registry.example.com/app:1@sha256:abab`, `"type":"RuntimeDefault"`, `"allowPrivilegeEscalation":false`, `"drop":["ALL"]`, `"memory":"256Mi"`,
			`"coaming.dev/injected":"audit-forwarder@`, "falco-agent@", `"coaming.dev/pinned":"app: registry.example.com/app:1 named sha256:`, "rule seccomp-missing: ", "resources: the plan's", "sidecar falco-agent@",
		} {
			if !strings.Contains(after, want) {
				t.Errorf("%s: there is no %s in %s", version, want, after)
			}
		}
		var made struct {
			Spec map[string][]struct{ Name, RestartPolicy string }
		}
		_ = json.Unmarshal([]byte(after), &made) // other fields are no lists
		at := slices.IndexFunc(made.Spec[field], func(c struct{ Name, RestartPolicy string }) bool { return strings.Contains(c.Name, "forwarder") })
		if at < 0 || (made.Spec[field][at].RestartPolicy == "Always") != (field == "initContainers") {
			t.Errorf("%s: the sidecar is none of %s as the server knows them: %s", version, field, after)
		}
		if again, _ := s.asks(t, "/mutate", "CREATE", after, ""); len(again.Response.Patch) > 0 || len(again.Response.Warnings) > 0 {
			t.Errorf("%s: a second patch: %s %v", version, again.Response.Patch, again.Response.Warnings)
		}
		if before, _ := s.asks(t, "/validate", "CREATE", podOf("", appPod), ""); before.Response.Allowed {
			t.Error("what was not changed is let in")
		}
		if r, _ := s.asks(t, "/validate", "CREATE", after, ""); !r.Response.Allowed {
			t.Errorf("%s: what was changed is refused", version)
		}
		s.drifted(t, after)
	}
}

// drifted demands that a sidecar which somebody changed in a pod that runs is told of.
func (s *served) drifted(t *testing.T, after string) {
	t.Helper()
	standing := strings.Replace(after, `"name":"a"`, `"name":"a","resourceVersion":"7"`, 1)
	other := strings.Replace(standing, "registry.example.com/fluent-bit:4", "registry.example.com/fluent-bit:3", 1)
	r, _ := s.asks(t, "/mutate", "UPDATE", other, standing)
	if len(r.Response.Patch) > 0 || len(r.Response.Warnings) != 1 || !strings.Contains(r.Response.Warnings[0], "audit-forwarder: ") || r.Response.AuditAnnotations["drift"] == "" {
		t.Errorf("a changed sidecar: %s %v %v", r.Response.Patch, r.Response.Warnings, r.Response.AuditAnnotations)
	}
	if _, figures := s.get(t, s.metrics); !strings.Contains(figures, `coaming_gate_findings_total{became="drift"} 1`) {
		t.Error("no figure tells of it")
	}
}

// TestOptOut demands that a workload's word is honoured for mutations, part by part, and for nothing else.
func TestOptOut(t *testing.T) {
	s := mutating(t, catalog.Newest)
	for refused, lacks := range map[string][]string{
		"off":             {"@sha256", "RuntimeDefault", "256Mi", "audit-forwarder@", "falco-agent@"},
		"pin":             {"@sha256"},
		"sidecars":        {"audit-forwarder@", "falco-agent@"},
		"falco-agent":     {"falco-agent@"},
		"defaults":        {"rule seccomp-missing", "rule capabilities-not-dropped"},
		"resources":       {"resources: the plan's"},
		"seccomp-missing": {"rule seccomp-missing"},
	} {
		all := []string{"registry.example.com/app:1@sha256", "resources: the plan's", "audit-forwarder@", "falco-agent@", "rule capabilities-not-dropped"}
		_, after := s.asks(t, "/mutate", "CREATE", podOf(fmt.Sprintf(`"coaming.dev/mutate":%q`, refused), appPod), "")
		for _, text := range lacks {
			if strings.Contains(after, text) {
				t.Errorf("%s: there is %s in %s", refused, text, after)
			}
		}
		for _, text := range all {
			off := refused == "off" || slices.ContainsFunc(lacks, func(l string) bool { return strings.Contains(text, l) })
			if !off && !strings.Contains(after, text) {
				t.Errorf("%s: there is no %s in %s", refused, text, after)
			}
		}
	}
	r, _ := s.asks(t, "/validate", "CREATE", podOf(`"coaming.dev/mutate":"off"`, privileged), "")
	if r.Response.Allowed {
		t.Error("who is not changed is not judged")
	}
}
