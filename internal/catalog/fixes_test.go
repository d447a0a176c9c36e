package catalog_test

import (
	"strconv"
	"testing"

	kuberuntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/workbench"
	"github.com/coaming/coaming/test/specimen"
)

// unproved are the bad examples whose fix cannot be proved, by rule and index, each with its reason.
var unproved = map[string]string{
	"role-read-secrets/1": "the rule of the role is about secrets alone: what whoever holds it needs instead, nobody can know",
	"api-deprecated/0":    "Endpoints become several EndpointSlices, which the control plane makes itself",
	"api-deprecated/1":    "the fields of a ResourceClaim changed from version to version",
	"api-removed/0":       "PodSecurityPolicy has no successor",
}

// TestFixes demands of every rule with a fix that it is proved on each of the rule's bad examples:
// the finding goes, no rule finds anything new, what the API server's types took before they still
// take, and a second run finds nothing to do. Of a choice every candidate is tried that is offered.
func TestFixes(t *testing.T) {
	rules := compiled(t)
	unused := map[string]bool{}
	for name := range unproved {
		unused[name] = true
	}
	tried := 0
	for _, r := range rules {
		if len(r.Fix) == 0 {
			continue
		}
		t.Run(r.ID, func(t *testing.T) {
			for i, e := range r.Bad {
				name := r.ID + "/" + strconv.Itoa(i)
				tried++
				delete(unused, name)
				texts, err := workbench.Mend(t.Context(), r, e, rules, now)
				if (err == nil) == (unproved[name] != "") {
					t.Errorf("bad example %d: %v (exception: %q)\n%s", i, err, unproved[name], workbench.ExampleText(e))
				}
				for _, text := range texts {
					demandTypes(t, workbench.ExampleText(e), text)
				}
			}
		})
	}
	for name := range unused {
		t.Errorf("%s is excepted, and no bad example", name)
	}
	if tried < 400 {
		t.Errorf("%d bad examples were fixed: the catalogue holds more", tried)
	}
}

// demandTypes demands that the API server's types take what they took before, and whatever is new.
func demandTypes(t *testing.T, before, after string) {
	t.Helper()
	was := decoded(t, before)
	for name, err := range decoded(t, after) {
		if old, known := was[name]; err != nil && (!known || old == nil) {
			t.Errorf("its type no longer takes %s: %v:\n%s", name, err, after)
		}
	}
}

// decoded is, by kind and name, what the strict decoder of the API server's types says of the objects of
// a text; of kinds that it does not know it says nothing.
func decoded(t *testing.T, text string) map[string]error {
	t.Helper()
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, json.SerializerOptions{Yaml: true, Strict: true})
	said := map[string]error{}
	for _, root := range specimen.Values(t, text) {
		_, _, err := strict.Decode([]byte(document.YAML(root)), nil, nil)
		if kuberuntime.IsNotRegisteredError(err) || kuberuntime.IsMissingKind(err) || kuberuntime.IsMissingVersion(err) {
			continue
		}
		said[root.Get("kind").Str()+" "+root.At("metadata", "namespace").Str()+"/"+root.At("metadata", "name").Str()] = err
	}
	return said
}
