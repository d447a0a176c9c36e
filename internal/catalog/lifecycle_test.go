package catalog_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
)

// The tags by which Kubernetes' own types say how long an API server serves them; it reads the same ones.
type (
	deprecated interface {
		APILifecycleDeprecated() (major, minor int)
	}
	removed interface {
		APILifecycleRemoved() (major, minor int)
	}
	replaced interface {
		APILifecycleReplacement() schema.GroupVersionKind
	}
)

// untagged is the versions whose types are still there and say nothing of themselves, though no API server
// serves them: of rbac/v1alpha1 the changelog of 1.23 tells it.
var untagged = map[string]bool{"rbac.authorization.k8s.io/v1alpha1": true}

// noManifest is the kinds that are only ever sent to a sub-resource, so that no manifest can be of them.
var noManifest = map[string]bool{"DeploymentRollback": true, "Eviction": true, "Scale": true}

// TestCalendarIsKubernetes holds the calendar of APIs to the lifecycle of each type that k8s.io/api has.
func TestCalendarIsKubernetes(t *testing.T) {
	compared := 0
	for gvk := range scheme.Scheme.AllKnownTypes() {
		o, err := scheme.Scheme.New(gvk)
		if err != nil {
			t.Fatalf("make a %s: %v", gvk, err)
		}
		if strings.HasSuffix(gvk.Kind, "List") || noManifest[gvk.Kind] || untagged[gvk.GroupVersion().String()] {
			continue
		}
		var want catalog.API
		if d, ok := o.(deprecated); ok {
			want.DeprecatedIn = milestone(d.APILifecycleDeprecated())
		}
		if r, ok := o.(removed); ok {
			want.RemovedIn = milestone(r.APILifecycleRemoved())
		}
		version, kind := gvk.ToAPIVersionAndKind()
		got, known := catalog.APIOf(version, kind)
		switch {
		case got.DeprecatedIn != want.DeprecatedIn || got.RemovedIn != want.RemovedIn:
			t.Errorf("%s %s: the calendar says deprecated in %q and removed in %q, its type says %q and %q",
				version, kind, got.DeprecatedIn, got.RemovedIn, want.DeprecatedIn, want.RemovedIn)
		case known && got.Replacement == "":
			if r, ok := o.(replaced); ok {
				t.Errorf("%s %s: the calendar has no replacement, its type names %s", version, kind, r.APILifecycleReplacement())
			}
		}
		if known {
			compared++
		}
	}
	if compared < 80 {
		t.Errorf("only %d kinds of the calendar were compared", compared)
	}
}

// TestReplacementsExist holds that what the calendar proposes is an API that Kubernetes has, and the
// newest that it has of the kind. It prints what has no type any more and so rests on its source alone.
func TestReplacementsExist(t *testing.T) {
	elsewhere := map[string]bool{"apiextensions.k8s.io": true, "apiregistration.k8s.io": true} // not among the types of k8s.io/api
	var gone []string
	for _, entry := range wholeFile(t, "support/apis.yaml").Get("apis").Items() {
		group := entry.Get("group").Str()
		for _, item := range entry.Get("kinds").Items() {
			kind := item.Str()
			gvk := schema.GroupVersionKind{Group: group, Version: entry.Get("version").Str(), Kind: kind}
			if !scheme.Scheme.Recognizes(gvk) {
				gone = append(gone, gvk.GroupVersion().String()+" "+kind)
			}
			checkReplacement(t, entry, kind, elsewhere[group])
		}
	}
	t.Logf("without a type: %s", strings.Join(gone, ", "))
}

func checkReplacement(t *testing.T, entry document.Value, kind string, elsewhere bool) {
	t.Helper()
	text := entry.Get("replacement").Str()
	if text == "" || elsewhere {
		return
	}
	gv, err := schema.ParseGroupVersion(text)
	if err != nil {
		t.Errorf("%s: %v", kind, err)
		return
	}
	if kind == "Endpoints" {
		kind = "EndpointSlice"
	}
	// ResourceClass became DeviceClass, as resource.k8s.io grew up.
	if kind == "ResourceClass" {
		kind = "DeviceClass"
	}
	if !scheme.Scheme.Recognizes(gv.WithKind(kind)) {
		t.Errorf("the replacement %s has no %s", text, kind)
	}
	if stable := (schema.GroupVersion{Group: gv.Group, Version: "v1"}); gv.Version != "v1" && gv.Group != "autoscaling" && scheme.Scheme.Recognizes(stable.WithKind(kind)) {
		t.Errorf("the replacement of %s is %s, and there is %s", kind, text, stable)
	}
}

func milestone(major, minor int) string {
	if major == 0 && minor == 0 {
		return ""
	}
	return fmt.Sprintf("%d.%d", major, minor)
}
