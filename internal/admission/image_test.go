package admission_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/enforcement"
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
