package catalog_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/rule"
)

// runs are rules that read a container's image and have no twin for volumes: what they judge, or tell of a component, runs by itself.
var runs = []string{
	"container-engine-inside", "container-ssh-server", "docker-api-open", "traefik-open", "dashboard-open", "helm-tiller", "component-retired", "ingress-nginx-retired",
}

// TestVolumesAreJudgedAsContainers demands that each rule on a container's reference to an image has one that says the same of the images of
// volumes, is as grave, stands in the same controls, and is chosen with it: a program runs from either.
func TestVolumesAreJudgedAsContainers(t *testing.T) {
	all, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]*rule.Rule{}
	for _, r := range all {
		byID[r.ID] = r
	}
	frameworks, err := catalog.Frameworks()
	if err != nil {
		t.Fatal(err)
	}
	asVolume := strings.NewReplacer(
		"has(container.image)", "has(volume.image) && has(volume.image.reference)", "container.image", "volume.image.reference",
		"container.?imagePullPolicy", "volume.image.?pullPolicy", "container.imagePullPolicy", "volume.image.pullPolicy", ` && role != "ephemeral"`, "",
	)
	judged := 0
	for _, r := range all {
		if r.Match.Fact != "container" || !strings.Contains(r.Assert+r.When, "container.image") || slices.Contains(runs, r.ID) {
			continue
		}
		judged++
		twin := byID["image-volume-"+strings.TrimPrefix(r.ID, "image-")]
		if twin == nil {
			t.Errorf("%s has no twin for volumes", r.ID)
			continue
		}
		if !twin.IsChosenBy(r.ID) || twin.Severity != r.Severity || twin.Practice != r.Practice {
			t.Errorf("%s: severity %s, practice %s, chosen with %v", twin.ID, twin.Severity, twin.Practice, twin.With)
		}
		switch r.ID {
		case "image-crypto-miner": // reads commands, too
			_, pattern, _ := strings.Cut(twin.Assert, "matches(")
			if !strings.Contains(r.Assert, "matches("+pattern) {
				t.Errorf("%s asserts %s", twin.ID, twin.Assert)
			}
		case "image-abandoned-registry": // leaves components to rules on what runs
			if twin.Assert != asVolume.Replace(r.Assert) {
				t.Errorf("%s asserts %s", twin.ID, twin.Assert)
			}
		default:
			if twin.Assert != asVolume.Replace(r.Assert) || twin.When != asVolume.Replace(r.When) {
				t.Errorf("%s asks otherwise than %s:\n%s\n%s", twin.ID, r.ID, twin.When, twin.Assert)
			}
		}
		for _, f := range frameworks {
			for _, c := range f.Controls {
				if slices.Contains(c.Rules, r.ID) && !slices.Contains(c.Rules, twin.ID) {
					t.Errorf("%s %s names %s and not %s", f.ID, c.ID, r.ID, twin.ID)
				}
			}
		}
	}
	if judged < 15 {
		t.Errorf("%d rules read a container's image", judged)
	}
	for _, r := range all {
		for _, id := range r.With {
			if byID[id] == nil || id == r.ID {
				t.Errorf("%s goes with %q, which is no other rule", r.ID, id)
			}
		}
	}
}
