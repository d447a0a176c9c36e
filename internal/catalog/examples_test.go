package catalog_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/image"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/kubetype"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/internal/workbench"
	"github.com/coaming/coaming/test/specimen"
)

// now is the moment of all judgements here: the support calendar is compared with it.
var now = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

// bench is what rules are tried with here: images that their examples describe are built and opened.
var bench = workbench.Bench{Now: now, Image: image.Specimen}

func compiled(t *testing.T) []*rule.Compiled {
	t.Helper()
	rules, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	list, err := catalog.Compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// judgeObjects judges objects as a scan of files does, or as a scan of a live cluster.
func judgeObjects(rules []*rule.Compiled, values []document.Value, version string) *verdict.Result {
	live := version != ""
	if !live {
		version = catalog.Newest
	}
	var objects []*fact.Object
	for _, v := range values {
		objects = append(objects, fact.NewObject(v, &fact.Origin{Source: "files", File: "example.yaml"}))
	}
	in := judge.Input{Inventory: fact.NewInventory(objects, version, live), Rules: rules, Now: now}
	if len(rules) == 1 {
		in.Settings = rules[0].Settings
	}
	return judge.Judge(in)
}

// TestChecked demands that the embedded expressions are those of the rules as they are now.
func TestChecked(t *testing.T) {
	rules, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	all, err := catalog.BriefTexts()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		checked, err := kubetype.Check(r)
		if err != nil {
			t.Error(err)
		}
		maps.Copy(all, checked)
	}
	embedded, err := os.ReadFile("checked.bin")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(embedded, catalog.WriteChecked(all)) {
		t.Error("checked.bin is stale: run 'make gen'")
	}
}

// TestBrief demands that a rule's brief text says all that its file does but for the examples.
func TestBrief(t *testing.T) {
	whole, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	brief, err := catalog.Brief()
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range whole {
		b := brief[i]
		if len(b.Bad)+len(b.Good) > 0 {
			t.Errorf("%s has examples", b.ID)
		}
		b.Bad, b.Good, b.ExampleVersion, b.Settings = w.Bad, w.Good, w.ExampleVersion, w.Settings
		values := cmp.Transformer("text", func(v document.Value) string { return document.YAML(v) })
		if diff := cmp.Diff(w, b, cmpopts.IgnoreUnexported(rule.Rule{}), values); diff != "" {
			t.Errorf("%s (-whole +brief): its examples do not stand last\n%s", w.ID, diff)
		}
	}
}

// TestHardened demands silence on manifests that are as they should be, each judged by itself.
func TestHardened(t *testing.T) {
	rules := compiled(t)
	files, err := filepath.Glob("testdata/hardened/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no hardened manifests: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range judgeObjects(rules, specimen.Values(t, string(raw)), "").Findings {
				t.Errorf("%s %s: %s (%s) at %s", f.Verdict, f.Rule, f.Message, f.Reason, f.Path)
			}
		})
	}
}
