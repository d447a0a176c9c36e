package exception_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/specimen"
)

// TestHeld demands of each scope whether it counts where objects are admitted one after the other, and that who wrote one that does not is
// told what to do.
func TestHeld(t *testing.T) {
	prints := []string{strings.Repeat("a", 16), strings.Repeat("b", 16)}
	image := "sha256:" + strings.Repeat("a", 64)
	pod := verdict.Selector{Kind: "Pod", Name: "p"}
	for name, c := range map[string]struct {
		e     verdict.Exception
		held  bool
		tells string
	}{
		"an object":                        {verdict.Exception{Selector: pod, Namespace: "shop"}, true, ""},
		"its findings, counted":            {verdict.Exception{Selector: pod, Namespace: "shop", AtMost: 2}, true, ""},
		"its findings of several rules":    {verdict.Exception{Rules: []string{"a", "b"}, Selector: pod, Namespace: "shop", AtMost: 2}, false, "leave out atMost"},
		"one rule, twice":                  {verdict.Exception{Rules: []string{"a", "a"}, Selector: pod, Namespace: "shop", AtMost: 2}, true, ""},
		"its container":                    {verdict.Exception{Selector: pod, Namespace: "shop", Container: "c"}, true, ""},
		"a name in every namespace":        {verdict.Exception{Selector: pod}, true, "add its namespace"},
		"a name of none":                   {verdict.Exception{Selector: verdict.Selector{Kind: "ClusterRole", Name: "p"}}, true, ""},
		"a namespace itself":               {verdict.Exception{Selector: verdict.Selector{Kind: "Namespace", Name: "p"}}, true, ""},
		"labels":                           {verdict.Exception{Selector: verdict.Selector{Labels: map[string]string{"a": "b"}}, Namespace: "shop", AtMost: 1}, false, "nobody counts: name each object"},
		"a namespace":                      {verdict.Exception{Namespace: "shop", AtMost: 1}, false, "nobody counts"},
		"a kind":                           {verdict.Exception{Selector: verdict.Selector{Kind: "Pod"}, Namespace: "shop", AtMost: 1}, false, "nobody counts"},
		"an image":                         {verdict.Exception{Image: image, AtMost: 1}, false, "but for what is found in the image itself"},
		"single faults":                    {verdict.Exception{Fingerprints: prints}, true, ""},
		"single faults, at as many places": {verdict.Exception{Fingerprints: prints, AtMost: 2}, true, ""},
		"some of single faults":            {verdict.Exception{Fingerprints: prints, AtMost: 1}, false, "leave out atMost, or name so many"},
		"what is wrong anywhere":           {verdict.Exception{}, false, ""},
	} {
		if c.e.Rules == nil {
			c.e.Rules = []string{"a"}
		}
		c.e.Owner, c.e.Reason, c.e.Expires, c.e.Location = "ann", "known", time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), verdict.Location{File: "e.yaml", Line: 3}
		held, notes := exception.Held([]verdict.Exception{c.e})
		told := strings.Join(notes, "\n")
		if (len(held) == 1) != c.held || !strings.Contains(told, c.tells) || (c.tells == "") != (told == "") || told != "" && !strings.HasPrefix(told, "e.yaml:3: exception of ann for a") {
			t.Errorf("%s: held: %t, told %q", name, len(held) == 1, told)
		}
		if got := len(exception.OfImages([]verdict.Exception{c.e})) == 1; got != (c.e.Image != "") {
			t.Errorf("%s: of images: %t", name, got)
		}
	}
}

// TestMakers reads what a controller made an object of, and whose that is.
func TestMakers(t *testing.T) {
	text := `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop, ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: other}, {apiVersion: batch/v1, kind: Job, name: a-b-123, controller: true}]}}`
	got := exception.Makers(fact.NewObject(specimen.Value(t, text), nil))
	want := []verdict.Subject{{APIVersion: "batch/v1", Kind: "Job", Namespace: "shop", Name: "a-b-123"}, {APIVersion: "batch/v1", Kind: "CronJob", Namespace: "shop", Name: "a-b"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !exception.IsController("system:serviceaccount:kube-system:job-controller") || exception.IsController("system:serviceaccount:shop:job-controller") {
		t.Error("who is a controller is told by the account")
	}
}
