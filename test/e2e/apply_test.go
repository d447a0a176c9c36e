package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/source"
)

// identity is what the API server tells objects apart by; kind is "Kind" or "Kind.group".
type identity struct{ kind, namespace, name string }

func (id identity) String() string { return id.kind + " " + id.namespace + "/" + id.name }

// applier applies objects one by one, and keeps account of what became of them.
type applier struct {
	client *discovery.DiscoveryClient
	served map[string]resource // by "apiVersion kind"

	namespaced map[string]bool // by "Kind.group"

	mu      sync.Mutex
	applied map[identity]*fact.Object
	refused map[identity]string
	counts  map[string]int // of what was not applied, by reason
}

type resource struct {
	path       string // "/apis/apps/v1"
	plural     string
	namespaced bool
}

func newApplier(t *testing.T, s *sandbox) *applier {
	t.Helper()
	a := &applier{client: s.client(t), applied: map[identity]*fact.Object{}, refused: map[identity]string{}, counts: map[string]int{}}
	a.discover(t)
	return a
}

// discover asks what is served; definitions of custom resources add to it.
func (a *applier) discover(t *testing.T) {
	t.Helper()
	_, lists, err := a.client.ServerGroupsAndResourcesWithContext(t.Context())
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		t.Fatal(err)
	}
	a.served, a.namespaced = map[string]resource{}, map[string]bool{}
	for _, list := range lists {
		path := "/apis/" + list.GroupVersion
		if !strings.Contains(list.GroupVersion, "/") {
			path = "/api/" + list.GroupVersion
		}
		for _, r := range list.APIResources {
			if !strings.Contains(r.Name, "/") {
				a.served[list.GroupVersion+" "+r.Kind] = resource{path: path, plural: r.Name, namespaced: r.Namespaced}
				group, _, found := strings.Cut(list.GroupVersion, "/")
				if found {
					group = "." + group
				} else {
					group = ""
				}
				a.namespaced[r.Kind+group] = r.Namespaced
			}
		}
	}
}

// stages are applied one after the other: what others need comes first, and what makes the API server ask
// somebody who is not there comes last.
func stage(o *fact.Object) int {
	switch o.GroupKind() {
	case "Namespace", "CustomResourceDefinition.apiextensions.k8s.io":
		return 0
	case "ValidatingWebhookConfiguration.admissionregistration.k8s.io", "MutatingWebhookConfiguration.admissionregistration.k8s.io",
		"ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding.admissionregistration.k8s.io":
		return 2
	}
	return 1
}

// apply applies what can be applied. Of several objects of one name the first is taken.
func (a *applier) apply(t *testing.T, objects []*fact.Object) {
	t.Helper()
	for at := range 3 {
		var now []*fact.Object
		for _, o := range objects {
			if stage(o) == at {
				now = append(now, o)
			}
		}
		a.makeNamespaces(t, now)
		a.applyAll(t, now)
		if at == 0 {
			a.awaitDefinitions(t, now)
		}
	}
}

// normal is the identity that an object has once it is applied; ok is false when the server does not know its kind.
func (a *applier) normal(o *fact.Object) (id identity, ok bool) {
	r, ok := a.served[o.APIVersion+" "+o.Kind]
	id = identity{o.GroupKind(), o.Namespace, o.Name}
	if r.namespaced {
		id.namespace = cmp.Or(id.namespace, "default")
	}
	return id, ok
}

// makeNamespaces makes those that objects stand in and nobody made, and waits for their accounts, without
// which no pod is admitted.
func (a *applier) makeNamespaces(t *testing.T, objects []*fact.Object) {
	t.Helper()
	var names []string
	for _, o := range objects {
		if id, ok := a.normal(o); ok && id.namespace != "" && o.GroupKind() != "Namespace" {
			names = append(names, id.namespace)
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		path := "/api/v1/namespaces"
		body := fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q}}`, name)
		err := a.client.RESTClient().Post().AbsPath(path).SetHeader("Content-Type", "application/json").Body([]byte(body)).Do(t.Context()).Error()
		if err != nil && !apierrors.IsAlreadyExists(err) {
			continue // its objects will be refused, which is counted
		}
		account := path + "/" + name + "/serviceaccounts/default"
		eventually(t, account, func() bool { return a.client.RESTClient().Get().AbsPath(account).Do(t.Context()).Error() == nil })
	}
}

func (a *applier) applyAll(t *testing.T, objects []*fact.Object) {
	t.Helper()
	work := make(chan *fact.Object)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for o := range work {
				a.applyOne(t, o)
			}
		})
	}
	for _, o := range objects {
		if a.admit(o) {
			work <- o
		}
	}
	close(work)
	wg.Wait()
}

// admit enters an object as applied, until the API server refuses it.
func (a *applier) admit(o *fact.Object) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	id, ok := a.normal(o)
	switch {
	case !ok:
		a.counts["the API server does not serve "+o.APIVersion+" "+o.Kind]++
	case o.Root.At("metadata", "name").Str() == "":
		a.counts["it has no name of its own (generateName)"]++
	case a.applied[id] != nil:
		a.counts["another object of its kind, namespace and name was taken"]++
	default:
		a.applied[id] = o
		return true
	}
	return false
}

func (a *applier) applyOne(t *testing.T, o *fact.Object) {
	t.Helper()
	id, _ := a.normal(o)
	r := a.served[o.APIVersion+" "+o.Kind]
	path := r.path
	if r.namespaced {
		path += "/namespaces/" + id.namespace
	}
	err := a.client.RESTClient().Patch(types.ApplyPatchType).AbsPath(path, r.plural, id.name).
		Param("fieldManager", "e2e").Param("force", "true").Body(manifest(o)).Do(t.Context()).Error()
	if err == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.applied, id)
	a.refused[id] = err.Error()
	a.counts[fmt.Sprintf("the API server refused it (%s)", apierrors.ReasonForError(err))]++
}

// manifest is what is sent for an object: as the product has read it, but for a definition, whose schemas it
// does not keep and the API server wants.
func manifest(o *fact.Object) []byte {
	if doc := o.Root.Doc(); o.Kind == "CustomResourceDefinition" && len(o.Root.Steps()) == 0 {
		start, end := doc.Span()
		return []byte(doc.Source().Content()[start:end])
	}
	return o.Root.AppendJSON(nil)
}

// taken asks whether a controller has laid hands on an object since it was applied: adopted it, because its
// selector matches, or removed it as one too many.
func (a *applier) taken(t *testing.T, id identity) bool {
	t.Helper()
	r := a.served[a.applied[id].APIVersion+" "+a.applied[id].Kind]
	path := r.path
	if r.namespaced {
		path += "/namespaces/" + id.namespace
	}
	body, err := a.client.RESTClient().Get().AbsPath(path, r.plural, id.name).SetHeader("Accept", "application/json").Do(t.Context()).Raw()
	if err != nil {
		return apierrors.IsNotFound(err)
	}
	var object metav1.PartialObjectMetadata
	if err := json.Unmarshal(body, &object); err != nil {
		t.Fatal(err)
	}
	return metav1.GetControllerOf(&object) != nil
}

// awaitDefinitions waits until custom resources are served whose definitions were applied.
func (a *applier) awaitDefinitions(t *testing.T, objects []*fact.Object) {
	t.Helper()
	eventually(t, "the definitions of custom resources are served", func() bool {
		a.discover(t)
		for _, o := range objects {
			id, _ := a.normal(o)
			if a.applied[id] != o || o.Kind != "CustomResourceDefinition" {
				continue
			}
			spec := o.Root.Get("spec")
			for _, version := range spec.Get("versions").Items() {
				_, ok := a.served[spec.Get("group").Str()+"/"+version.Get("name").Str()+" "+spec.At("names", "kind").Str()]
				if version.Get("served").Bool() && !ok {
					return false
				}
			}
		}
		return true
	})
}

// tell prints what was applied and what was not.
func (a *applier) tell(t *testing.T, of int) {
	t.Helper()
	t.Logf("%d of %d objects were applied", len(a.applied), of)
	for _, reason := range sortedKeys(a.counts) {
		t.Logf("  %4d not: %s", a.counts[reason], reason)
	}
	for id, message := range a.refused {
		t.Logf("  refused: %s: %.300s", id, message)
	}
}

// readFiles is the objects of files, as the product reads them.
func readFiles(t *testing.T, paths ...string) []*fact.Object {
	t.Helper()
	r, err := source.Files(t.Context(), source.FileOptions{Paths: paths})
	if err != nil {
		t.Fatal(err)
	}
	return r.Objects
}
