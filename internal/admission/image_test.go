package admission_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// answers is a clearance that gives every image the same answer.
type answers admission.Cleared

func (a answers) Clear(_ context.Context, images []string, _ enforcement.Place) []admission.Cleared {
	list := make([]admission.Cleared, len(images))
	for i := range list {
		list[i] = admission.Cleared(a)
	}
	return list
}

// TestImagesOfWhichNothingIsKnown demands something of images of which nothing is known, be it that nobody has looked into them, that
// nobody could, that a part could not be looked at, or that the gate was not told to look: what is denied or waited for is refused,
// whatever onError says, and what is not known is never passed.
func TestImagesOfWhichNothingIsKnown(t *testing.T) {
	unread := []verdict.Finding{{Verdict: verdict.Unknown, Rule: "vulnerable-package", Message: "whether a layer holds packages", Subject: verdict.Subject{Kind: "Image", Name: "a"}}}
	clearances := map[string]admission.Clearance{
		"queued": answers{State: admission.Queued}, "failed": answers{State: admission.Failed, Why: "the registry is down"}, "not asked": nil,
		"unread": answers{State: admission.Known, Findings: unread}, "clean": answers{State: admission.Known},
	}
	for name, c := range clearances {
		for unseen, refuses := range map[string]bool{"audit": false, "deny": true, "wait": true} {
			for onError, fails := range map[string]bool{"ignore": false, "fail": true} {
				plan, err := enforcement.Read("plan.yaml", fmt.Sprintf(
					"apiVersion: coaming.dev/v1alpha1\nkind: Enforcement\nspec: {mode: off, images: [{mode: enforce, failOn: critical, unseen: %s, onError: %s}]}\n", unseen, onError))
				if err != nil {
					t.Fatal(err)
				}
				desk := admission.New(admission.Options{Plan: plan, Clearance: c, Version: "1.36", Now: time.Now})
				_, out, err := desk.Validate(t.Context(), admission.Everything, `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","operation":"CREATE",
					"namespace":"shop","kind":{"version":"v1","kind":"Pod"},"object":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"name":"a","image":"a:1"}]}}}}`)
				if err != nil {
					t.Fatal(err)
				}
				want := !refuses
				if name == "unread" {
					want = !fails
				}
				if name == "clean" {
					want = true
				}
				if out.Allowed != want || (out.Unknown == 0) != (name == "clean") {
					t.Errorf("%s, unseen: %s, onError: %s: allowed %v, %d unknown: %q", name, unseen, onError, out.Allowed, out.Unknown, out.Denials)
				}
			}
		}
	}
}

// TestImagesOfVolumes demands of the image of a volume what is demanded of a container's: a program runs from either. What a volume held
// before is not asked about again, and what another rule on references says of it holds by the id of the rule on containers, too.
func TestImagesOfVolumes(t *testing.T) {
	const spec = `{containers: [{name: a, image: "a:1"}], volumes: [{name: scratch, emptyDir: {}}, {name: files, image: {reference: "IMAGE"}}]}`
	known := clearances{"a:1": {State: admission.Known}, "old:1": {State: admission.Known}, "bad:1": {State: admission.Known, Findings: []verdict.Finding{
		{Verdict: verdict.Fail, Rule: "vulnerable-package", Severity: verdict.Critical, Message: "bad", Vulnerability: &verdict.Vulnerability{ID: "CVE-2026-1"}},
	}}}
	d := desk(t, "  mode: off\n  images: [{mode: enforce, failOn: critical, unseen: deny}]\n", func(o *admission.Options) { o.Clearance = known })
	pod := func(image string) string {
		return "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: " + strings.Replace(spec, "IMAGE", image, 1) + "}"
	}
	cron := func(image string) string {
		return "{apiVersion: batch/v1, kind: CronJob, metadata: {name: a}, spec: {jobTemplate: {spec: {template: {spec: " + strings.Replace(spec, "IMAGE", image, 1) + "}}}}}"
	}
	for name, c := range map[string]struct {
		asked
		allowed bool
	}{
		"known":                  {asked{"CREATE", "", "shop", pod("old:1"), ""}, true},
		"unseen":                 {asked{"CREATE", "", "shop", pod("unseen:1"), ""}, false},
		"unseen in a template":   {asked{"CREATE", "", "shop", cron("unseen:1"), ""}, false},
		"vulnerable":             {asked{"CREATE", "", "shop", pod("bad:1"), ""}, false},
		"there before":           {asked{"UPDATE", "", "shop", cron("unseen:1"), cron("unseen:1")}, true},
		"another than before":    {asked{"UPDATE", "", "shop", cron("unseen:1"), cron("old:1")}, false},
		"a container's, mounted": {asked{"UPDATE", "", "shop", cron("a:1"), cron("old:1")}, true},
	} {
		_, out, err := d.Validate(t.Context(), admission.Everything, review(t, c.asked))
		if err != nil {
			t.Fatal(err)
		}
		if out.Allowed != c.allowed {
			t.Errorf("%s: allowed %v: %q", name, out.Allowed, out.Denials)
		}
	}

	for id, image := range map[string]string{
		"image-registry-not-allowed": "evil.example.net/x:1", "image-publisher-not-allowed": "somebody/x:1", "image-latest-tag": "x:latest", "image-without-digest": "x:1",
		"image-anonymous-registry": "ttl.sh/x:1h", "image-volume-without-digest": "x",
	} {
		d := desk(t, "  mode: off\n  rules: [{rules: ["+id+"], mode: enforce}]\n", func(o *admission.Options) {
			o.Settings = rule.Settings{Registries: []string{"docker.io", "ttl.sh"}, Publishers: []string{"docker.io/library"}}
		})
		for _, object := range []string{pod(image), cron(image)} {
			object = strings.Replace(object, `"a:1"`, `"a:1@sha256:`+strings.Repeat("ab", 32)+`"`, 1)
			_, out, err := d.Validate(t.Context(), admission.Everything, review(t, asked{"CREATE", "", "shop", object, ""}))
			if err != nil {
				t.Fatal(err)
			}
			if out.Allowed || len(out.Denials) != 1 {
				t.Errorf("%s: %s: allowed %v: %q", id, image, out.Allowed, out.Denials)
			}
		}
	}
}

// clearances knows some images, and nothing of others.
type clearances map[string]admission.Cleared

func (c clearances) Clear(_ context.Context, images []string, _ enforcement.Place) []admission.Cleared {
	list := make([]admission.Cleared, len(images))
	for i, image := range images {
		var found bool
		if list[i], found = c[image]; !found {
			list[i] = admission.Cleared{State: admission.Queued}
		}
	}
	return list
}
