package document

import "testing"

// TestPrune holds that what is kept keeps its meaning and its place.
func TestPrune(t *testing.T) {
	for name, text := range map[string]string{
		"yaml": "a: 1\ndrop:\n  x: |\n    text\n  k: [1, 2]\nb:\n- drop: {z: 1}\n  c: \"q\\nr\"\n- d\n",
		"json": `{"a": 1, "drop": {"x": "t\n"}, "b": [{"drop": {"z": 1}, "\u0063": "q\nr"}, "d"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			docs, errs := Read(NewText(text), 1)
			if len(errs) > 0 || len(docs) != 1 {
				t.Fatalf("read: %v", errs)
			}
			pruned := docs[0].Prune(func(key string, _ Value) bool { return key == "drop" })
			if got, want := string(pruned.Root().AppendJSON(nil)), `{"a":1,"b":[{"c":"q\nr"},"d"]}`; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			for _, path := range [][]Step{{{Key: "a"}}, {{Key: "b"}, {Index: 0}, {Key: "c"}}, {{Key: "b"}, {Index: 1}}} {
				line, column := pruned.Root().Follow(path).Position()
				wantLine, wantColumn := docs[0].Root().Follow(path).Position()
				if line != wantLine || column != wantColumn {
					t.Errorf("%v stands at %d:%d, want %d:%d", path, line, column, wantLine, wantColumn)
				}
			}
		})
	}
}
