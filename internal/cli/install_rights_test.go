package cli

import (
	"io"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/install"
	"github.com/coaming/coaming/internal/verdict"
)

// TestRightsForExceptionObjects demands that the gate may write the policies that any exception asks for, where exceptions may come as
// objects: none could be made otherwise until somebody installs again.
func TestRightsForExceptionObjects(t *testing.T) {
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	env := &Env{Stderr: io.Discard, Version: "test", Now: func() time.Time { return now }}
	values := map[string]any{
		"exceptionObjects": true,
		"plan": map[string]any{
			"apiVersion": "coaming.dev/v1alpha1", "kind": "Enforcement", "metadata": map[string]any{"name": "a"},
			"spec": map[string]any{
				"mode": "off", "rules": []any{
					map[string]any{"rules": []any{"host-network", "privileged-container", "role-wildcard"}, "namespaces": []any{"shop"}, "mode": "enforce"},
					map[string]any{"rules": []any{"host-pid"}, "namespaces": []any{"lab"}, "mode": "enforce", "onError": "fail"},
				},
			},
		},
	}
	cluster := install.Offline("1.36")
	o, err := installation(t.Context(), env, cluster, values)
	if err != nil {
		t.Fatal(err)
	}
	may := map[string]bool{}
	for _, list := range [][]*install.Object{o.Native, o.Later} {
		for _, object := range list {
			may[object.GetKind()+" "+object.GetName()] = true
		}
	}
	e, err := readEnforced(values, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range []string{"host-network", "role-wildcard", "host-pid"} {
		e.exceptions = []verdict.Exception{{
			Rules: []string{rule}, Selector: verdict.Selector{Kind: "Role", Name: "a"}, Namespace: "shop", Owner: "o", Reason: "r", Expires: now.AddDate(0, 1, 0), Grant: verdict.GrantFile,
		}}
		objects, err := e.native("1.36", nil)
		if err != nil {
			t.Fatal(err)
		}
		own := 0
		for _, object := range objects {
			name := object.GetKind() + " " + object.GetName()
			if !may[name] {
				t.Errorf("with an exception of %s the gate wants %s, and may not write it", rule, name)
			}
			if object.GetAnnotations()["coaming.dev/rule"] == rule {
				own++
			}
		}
		if own == 0 {
			t.Errorf("what is excused of %s has no policy of its own", rule)
		}
	}
}
