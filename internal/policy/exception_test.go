package policy

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/specimen"
)

var moment = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

func granted(change func(*verdict.Exception)) verdict.Exception {
	e := verdict.Exception{Rules: []string{"host-pid"}, Owner: "ann", Reason: "known", Expires: moment.AddDate(0, 1, 0)}
	change(&e)
	return e
}

// TestExemptions asks each condition about objects that it is for, and about others.
func TestExemptions(t *testing.T) {
	deployment := func(e *verdict.Exception) {
		e.Selector, e.Namespace = verdict.Selector{Kind: "Deployment.apps", Name: "driver"}, "storage"
	}
	labelled := func(e *verdict.Exception) {
		e.Selector, e.Namespace = verdict.Selector{Kind: "Pod", Name: "p", Labels: map[string]string{"a.b/c": `it's "x"`}}, "shop"
	}
	nowhere := func(e *verdict.Exception) { e.Selector = verdict.Selector{Kind: "Pod", Name: "p"} }
	pod := func(owner string) string {
		return `{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p", "namespace": "storage", "ownerReferences": [` + owner + `]}}`
	}
	const replicaSet = `{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "driver-5d8f", "controller": true}`
	tests := map[string]struct {
		grant        func(*verdict.Exception)
		object, user string
		excused      bool
	}{
		"object":              {deployment, `{"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "driver", "namespace": "storage"}}`, "ann", true},
		"other name":          {deployment, `{"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "drive", "namespace": "storage"}}`, "ann", false},
		"other namespace":     {deployment, `{"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "driver", "namespace": "shop"}}`, "ann", false},
		"other group":         {deployment, `{"kind": "Deployment", "apiVersion": "example.com/v1", "metadata": {"name": "driver", "namespace": "storage"}}`, "ann", false},
		"no name yet":         {deployment, `{"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"generateName": "driver", "namespace": "storage"}}`, "ann", false},
		"its pod":             {deployment, pod(replicaSet), "system:serviceaccount:kube-system:replicaset-controller", true},
		"what says it is one": {deployment, pod(replicaSet), "ann", false},
		"pod of another":      {deployment, pod(strings.Replace(replicaSet, "driver-", "driver-two-", 1)), "system:kube-controller-manager", false},
		"its replica set":     {deployment, `{"kind": "ReplicaSet", "apiVersion": "apps/v1", "metadata": {"name": "driver-5d8f", "namespace": "storage", "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "driver", "controller": true}]}}`, "system:serviceaccount:kube-system:deployment-controller", true},
		"labels":              {labelled, `{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p", "namespace": "shop", "labels": {"a.b/c": "it's \"x\""}}}`, "ann", true},
		"other label":         {labelled, `{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p", "namespace": "shop", "labels": {"a.b/c": "c"}}}`, "ann", false},
		"no labels":           {labelled, `{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p", "namespace": "shop"}}`, "ann", false},
		"namespace": {func(e *verdict.Exception) {
			e.Selector, e.Namespace = verdict.Selector{Kind: "Namespace", Name: "shop"}, "shop"
		}, `{"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "shop"}}`, "ann", true},
		"in no namespace": {nowhere, `{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p", "namespace": "shop"}}`, "ann", false},
		"of no namespace": {nowhere, `{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p"}}`, "ann", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			x := Exempt([]verdict.Exception{granted(test.grant)}, moment, 366*24*time.Hour)
			list := x.Conditions("host-pid")
			if len(list) != 1 {
				t.Fatalf("%d conditions: %v", len(list), x.Notes)
			}
			var object map[string]any
			if err := json.Unmarshal([]byte(test.object), &object); err != nil {
				t.Fatal(err)
			}
			object["request"] = map[string]any{"userInfo": map[string]any{"username": test.user}}
			got := evaluate(t, strings.ReplaceAll(list[0].Expression, "request.", "object.request."), object)
			o := fact.NewObject(specimen.Value(t, test.object), &fact.Origin{})
			o.Made = exception.IsController(test.user)
			if excuses := x.Excuses("host-pid", o, moment); excuses != test.excused {
				t.Errorf("excused without asking the expression: %v", excuses)
			}
			if got != !test.excused {
				t.Errorf("the policy applies: %v, want %v, by %s", got, !test.excused, list[0].Expression)
			}
		})
	}
}

// TestExemptionsThatAreNone demands of what no policy can say that it is told, and excuses nothing.
func TestExemptionsThatAreNone(t *testing.T) {
	for want, change := range map[string]func(*verdict.Exception){
		"single findings": func(e *verdict.Exception) { e.Fingerprints = []string{strings.Repeat("a", 16)} },
		"one container":   func(e *verdict.Exception) { e.Namespace, e.AtMost, e.Container = "shop", 1, "a" },
		"an image":        func(e *verdict.Exception) { e.AtMost, e.Image = 1, "sha256:"+strings.Repeat("a", 64) },
		"has expired":     func(e *verdict.Exception) { e.Namespace, e.AtMost, e.Expires = "shop", 1, moment },
		"days ahead":      func(e *verdict.Exception) { e.Namespace, e.AtMost, e.Expires = "shop", 1, moment.AddDate(3, 0, 0) },
		"no scope":        func(*verdict.Exception) {},
		"nobody counts":   func(e *verdict.Exception) { e.Selector.Labels, e.AtMost = map[string]string{"a": "b"}, 1 },
		"come one by one": func(e *verdict.Exception) { e.Namespace, e.AtMost = "shop", 1 },
		"does not count": func(e *verdict.Exception) {
			e.Selector, e.Namespace, e.AtMost = verdict.Selector{Kind: "Pod", Name: "p"}, "shop", 1
		},
		"no such rule": func(e *verdict.Exception) { e.Namespace, e.AtMost, e.Fault = "shop", 1, "no such rule" },
	} {
		x := Exempt([]verdict.Exception{granted(change)}, moment, 366*24*time.Hour)
		if len(x.Conditions("host-pid")) > 0 || len(x.Notes) != 1 || !strings.Contains(x.Notes[0], want) {
			t.Errorf("%s: %v, told %q", want, x.Conditions("host-pid"), x.Notes)
		}
	}
	var many []verdict.Exception
	for range 70 {
		many = append(many, granted(func(e *verdict.Exception) { e.Selector, e.Namespace = verdict.Selector{Kind: "Pod", Name: "p"}, "shop" }))
	}
	x := Exempt(many, moment, 366*24*time.Hour)
	if n := len(x.Conditions("host-pid")); n != mostExempted || !strings.Contains(strings.Join(x.Notes, "\n"), "no room") {
		t.Errorf("%d conditions", n)
	}
	for _, r := range catalogue(t) {
		if r.ID != "host-pid" {
			continue
		}
		o := everywhere
		o.Exempted = x
		if text, err := Validating(r, o); err != nil || !strings.Contains(text, "exception-1-until-2026-12-22") {
			t.Errorf("%v in %s", err, text)
		}
	}
}
