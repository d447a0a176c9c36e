package e2e

import (
	"testing"
	"os"
	"sort"
)

func TestExplore(t *testing.T) {
	s := startSandbox(t)
	s.kubectl(t, "apply", "-f", shop+"/base/namespaces.yaml")
	s.kubectl(t, "apply", "-k", shop+"/base")
	a := newApplier(t, s)
	chart := readFiles(t, shop+"/chart")
	a.apply(t, chart)
	a.tell(t, len(chart))
	others := readFiles(t, corpus)
	a.apply(t, others)
	a.tell(t, len(chart)+len(others))
	live := scan(t, []int{0, 1, 2, 3}, "--cluster", "--kubeconfig", s.Kubeconfig)
	t.Log(live.Coverage.Objects, len(live.Findings), live.Coverage.Gaps, live.Coverage.Exclusions)
	var lines []string
	for _, f := range live.Findings { lines = append(lines, keyOf(&f).String()+" "+f.Verdict.String()) }
	sort.Strings(lines)
	f, _ := os.Create("/tmp/live.txt")
	for _, l := range lines { f.WriteString(l+"\n") }
	f.Close()
}
