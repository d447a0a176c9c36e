package admission_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/enforcement"
)

// asking notes of what it was asked whether nothing was to come of it, and knows the digest of every image.
type asking struct{ dry []bool }

func (a *asking) Clear(ctx context.Context, images []string, _ enforcement.Place) []admission.Cleared {
	a.dry = append(a.dry, admission.IsDry(ctx))
	list := make([]admission.Cleared, len(images))
	for i := range list {
		list[i] = admission.Cleared{State: admission.Queued, Digest: "sha256:" + strings.Repeat("cd", 32)}
	}
	return list
}

const pinning = "  mode: off\n  images: [{pin: true, mode: audit, failOn: critical}]\n"

// TestDryRunsAreTold demands that who looks into images hears that nothing may come of a request, in both webhooks.
func TestDryRunsAreTold(t *testing.T) {
	images := &asking{}
	d := desk(t, pinning, func(o *admission.Options) { o.Clearance = images })
	body := review(t, asked{"CREATE", "", "shop", `{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: a, image: "a:1"}]}}`, ""})
	dry := strings.Replace(body, `"uid":"u-1"`, `"uid":"u-1","dryRun":true`, 1)
	for _, text := range []string{body, dry} {
		if _, _, err := d.Validate(t.Context(), admission.Everything, text); err != nil {
			t.Fatal(err)
		}
		if _, _, err := d.Patch(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	if len(images.dry) != 4 || images.dry[0] || images.dry[1] || !images.dry[2] || !images.dry[3] {
		t.Errorf("dry were %v", images.dry)
	}
}

// TestPinsNothingOfAController demands that a ReplicaSet stays as its Deployment's controller made it, which would make another one
// for ever, and that its pods are pinned.
func TestPinsNothingOfAController(t *testing.T) {
	d := desk(t, pinning, func(o *admission.Options) { o.Clearance = &asking{} })
	const owned = `ownerReferences: [{apiVersion: apps/v1, kind: Owner, name: a, uid: u, controller: true}]`
	const template = `{template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: "a:1"}]}}}`
	for object, pinned := range map[string]bool{
		`{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: a, ` + owned + `}, spec: ` + template + `}`:            false,
		`{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: a}, spec: ` + template + `}`:                           true,
		`{apiVersion: v1, kind: Pod, metadata: {name: a, ` + owned + `}, spec: {containers: [{name: a, image: "a:1"}]}}`: true,
	} {
		text, _, err := d.Patch(t.Context(), review(t, asked{"CREATE", "", "shop", object, ""}))
		if err != nil {
			t.Fatal(err)
		}
		if got := len(parse(t, text).Response.Patch) > 0; got != pinned {
			t.Errorf("pinned %v: %s", got, object)
		}
	}
}

// TestPinsVolumes demands the digest behind the reference of a volume, at its own place, and that the patch is one that its object takes.
func TestPinsVolumes(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("cd", 32)
	const spec = `{containers: [{name: a, image: "a:1@sha256:` + "abababababababababababababababababababababababababababababababab" + `"}], volumes: [{name: scratch, emptyDir: {}}, {name: files, image: {reference: "files:1"}}]}`
	d := desk(t, pinning, func(o *admission.Options) { o.Clearance = &asking{} })
	for object, path := range map[string]string{
		`{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: ` + spec + `}`:                                                      "/spec/volumes/1/image/reference",
		`{apiVersion: batch/v1, kind: CronJob, metadata: {name: a}, spec: {jobTemplate: {spec: {template: {spec: ` + spec + `}}}}}`: "/spec/jobTemplate/spec/template/spec/volumes/1/image/reference",
	} {
		body := review(t, asked{"CREATE", "", "shop", object, ""})
		text, _, err := d.Patch(t.Context(), body)
		if err != nil {
			t.Fatal(err)
		}
		var operations []admission.Operation
		if err := json.Unmarshal(parse(t, text).Response.Patch, &operations); err != nil {
			t.Fatal(err)
		}
		if len(operations) != 3 || operations[0].Op != "replace" || operations[0].Path != path || operations[0].Value != "files:1"+digest || operations[2].Value != "files: files:1 named "+digest[1:] {
			t.Errorf("%s: patched by %+v", object, operations)
		}
	}
}
