package fix_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fix"
)

// FuzzDiff sets a key in any document and gives the diff to a patch of the test's own: what comes out
// is the changed text, byte for byte, whatever its line ends are.
func FuzzDiff(f *testing.F) {
	f.Add("a: 1\nb: 2\nc:\n  d: 3 # why\n", "b", "x\ny")
	f.Add("a: 1\r\nb: {c: 1}\r\n", "new", "v")
	f.Add("a: 1", "a", "")
	f.Add(strings.Repeat("k: v\n# c\n", 1)+strings.Repeat("# line\n", 20)+"z: 1", "z", "2")
	f.Fuzz(func(t *testing.T, text, name, to string) {
		docs, errs := document.Read(document.NewText(text), 1)
		if len(errs) > 0 || len(docs) == 0 || docs[0].Root().Kind() != document.Map || name == "" {
			return
		}
		draft, err := docs[0].Edit()
		if err != nil {
			return
		}
		if draft.Set(key(name), value(t, string(document.AppendString(nil, to)))) != nil {
			return
		}
		splices, err := draft.Splices()
		if err != nil {
			return
		}
		source := docs[0].Source().Content()
		after, err := document.Apply(source, splices)
		if err != nil {
			t.Fatal(err)
		}
		var diff strings.Builder
		change := fix.File{Path: "a.yaml", Before: source, After: after, Splices: splices}
		if err := change.Diff(&diff, nil, false); err != nil {
			t.Fatal(err)
		}
		got, err := patched(source, diff.String())
		if err != nil || got != after {
			t.Fatalf("the diff gives %q, want %q (%v)\n%s", got, after, err, diff.String())
		}
	})
}

// patched applies a unified diff of one file as patch(1) does, without its guesses.
func patched(text, diff string) (string, error) {
	old := strings.SplitAfter(text, "\n")
	var out strings.Builder
	at, kept := 0, ""
	lines := strings.SplitAfter(diff, "\n")
	for i := 2; i < len(lines) && lines[i] != ""; i++ {
		line := lines[i]
		if strings.HasPrefix(line, "@@ ") {
			var from int
			if _, err := fmt.Sscanf(line, "@@ -%d", &from); err != nil {
				return "", fmt.Errorf("hunk %q: %w", line, err)
			}
			if !strings.Contains(strings.Fields(line)[1], ",0") {
				from--
			}
			for ; at < from && at < len(old); at++ {
				out.WriteString(old[at])
			}
			continue
		}
		kept = line[1:]
		if i+1 < len(lines) && strings.HasPrefix(lines[i+1], "\\") {
			kept = strings.TrimSuffix(kept, "\n")
			i++
		}
		if line[0] == '+' {
			out.WriteString(kept)
			continue
		}
		if at >= len(old) || old[at] != kept {
			return "", fmt.Errorf("line %d of the text is not %q", at+1, kept)
		}
		if line[0] == ' ' {
			out.WriteString(kept)
		}
		at++
	}
	for ; at < len(old); at++ {
		out.WriteString(old[at])
	}
	return out.String(), nil
}
