package document
import ("testing";"os"; "sigs.k8s.io/yaml")
func TestOne(t *testing.T) {
	if os.Getenv("ONE") == "" {return}
	text := hostile[os.Getenv("ONE")](4<<20)
	took, held, peak, docs, errs := measure(text)
	t.Logf("%8.2fs held %6.1fx peak %6.1fx docs %d errs %d", took.Seconds(), held, peak, docs, errs)
}

func TestKubectl(t *testing.T) {
	for path, text := range corpusTexts(t) {
		docs, _ := Read(NewText(text), 1)
		for _, d := range docs {
			out, err := yaml.JSONToYAML(d.Root().AppendJSON(nil))
			if err != nil { t.Fatal(err) }
			var b block
			if !tame(string(out)) || !b.readBlock(string(out), 0, len(out)) {
				l, _ := NewText(string(out)).Position(b.p)
				t.Logf("%s:%d %q", path, l, cutTo(NewText(string(out)).Line(l), 150))
			}
		}
	}
}
func cutTo(s string, n int) string { return s[:min(n,len(s))] }
