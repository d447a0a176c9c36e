package exception_test

import (
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// sound demands of every exception that nobody refused that it is whole.
func sound(t *testing.T, list []verdict.Exception) {
	t.Helper()
	for _, e := range list {
		if p := e.Problems(); e.Fault == "" && len(p) > 0 {
			t.Fatalf("%+v has problems and no fault: %v", e, p)
		}
		if e.Fault != "" && e.Remedy == "" {
			t.Fatalf("%+v has a fault and no remedy", e)
		}
	}
}

func FuzzFile(f *testing.F) {
	f.Add("exceptions:\n- rules: [host-pid]\n  selector: {kind: Pod, name: a}\n  owner: a\n  reason: b\n  expires: 2027-01-01\n")
	f.Add("exceptions: []\n---\napiVersion: coaming.dev/v1alpha1\nkind: Exception\nspec: {rules: [a], fingerprints: [0123456789abcdef], owner: a, reason: b, expires: '2027-01-01'}\n")
	f.Add("exceptions: [{rules: x}, 1, null]\nother: 1\n")
	e := verdict.Exception{Rules: []string{"a"}, Fingerprints: []string{"0123456789abcdef"}, Owner: "a", Reason: "b"}
	e.Expires, _ = exception.Day("2027-01-01")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := exception.File("f", text)
		if err != nil {
			if len(list) > 0 {
				t.Fatal("half a file was read")
			}
			return
		}
		sound(t, list)
		// What can be read can be added to, or is refused: never changed.
		if added, err := exception.Append("f", text, &e, nil); err == nil {
			if after, err := exception.File("f", added); err != nil || len(after) != len(list)+1 {
				t.Fatalf("%q became %q: %v", text, added, err)
			}
		}
		if _, removed, kept, err := exception.Remove("f", text, func(i int, _ *verdict.Exception) bool { return i%2 == 0 }); err == nil && len(removed)+len(kept) != (len(list)+1)/2 {
			t.Fatalf("%d removed and %d kept of %d", len(removed), len(kept), len(list))
		}
	})
}

func FuzzAnnotations(f *testing.F) {
	f.Add("coaming.dev/ignore", `host-pid owner=a reason="b \" c" expires=2027-01-01`)
	f.Add("coaming.dev/exception.host-pid", "owner=a reason='b' expires=2027-01-01 ticket=x")
	f.Add("coaming.dev/ignore", "a,b\n\nc d=\"")
	f.Fuzz(func(t *testing.T, key, value string) {
		text := "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  annotations:\n    " + quote(key) + ": " + quote(value) + "\n"
		docs, errs := document.Read(document.NewText(text), 1)
		if len(errs) > 0 || len(docs) != 1 {
			return
		}
		list := exception.Of([]*fact.Object{fact.NewObject(docs[0].Root(), &manifest)}, true, true)
		sound(t, list)
		for _, e := range list {
			if e.Within == nil || e.Within.Object.Name != "a" {
				if e.Fault == "" {
					t.Fatalf("%+v reaches beyond its object", e)
				}
			}
		}
	})
}

// quote is a text in YAML's double quotes.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(strings.ToValidUTF8(s, "?")) + `"`
}

func FuzzCommentedManifest(f *testing.F) {
	f.Add("# coaming:ignore host-pid owner=a reason=b expires=2027-01-01\napiVersion: v1\nkind: Pod\nspec:\n  hostPID: true # coaming:ignore a\n")
	f.Add("apiVersion: v1\nkind: Pod\ndata: |\n  # coaming:ignore a owner=b\nspec: &x {a: b} # coaming:ignore\n")
	f.Fuzz(func(t *testing.T, text string) {
		docs, _ := document.Read(document.NewText(text), 1)
		var list []*fact.Object
		for _, d := range docs {
			list = append(list, fact.NewObject(d.Root(), &manifest))
		}
		sound(t, exception.Of(list, true, true))
	})
}

func FuzzBaseline(f *testing.F) {
	f.Add("# coaming.dev/baseline/v1\n3f2a9c0d11e84b02 privileged-container critical Pod/shop/app [app]\n")
	f.Add("# coaming.dev/baseline/v1\n<<<<<<< a\n# b\n\n3f2a9c0d11e84b02 a low\n")
	f.Fuzz(func(t *testing.T, text string) {
		b, err := exception.ReadBaseline("f", text)
		if err != nil {
			return
		}
		pruned, err := exception.ReadBaseline("f", exception.PruneBaseline(text, b.Entries))
		if err != nil || len(pruned.Entries) > 0 {
			t.Fatalf("%q: pruned of all it holds %+v, %v", text, pruned, err)
		}
	})
}
