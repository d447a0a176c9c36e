package admission_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/admission"
)

// teams is a plan in which each of so many namespaces enforces a rule of its own, and the labels of these.
func teams(n int) (spec string, labels map[string]map[string]string) {
	var entries strings.Builder
	labels = map[string]map[string]string{}
	for i := range n {
		team := fmt.Sprintf("t%d", i)
		fmt.Fprintf(&entries, "  - {rules: [%s, %s], namespaces: [%s], mode: enforce}\n", compiled[i%len(compiled)].ID, compiled[(i/len(compiled)+7*i+1)%len(compiled)].ID, team)
		labels[team] = map[string]string{}
	}
	return "  mode: off\n  rules:\n  - {rules: [privileged-container], mode: warn}\n  - {rules: [privileged-container], namespaces: [t3, t40, t299], mode: enforce}\n" + entries.String(), labels
}

// TestManyCourts asks more namespaces than courts and benches are kept for, each twice, and demands of each what its own rules say.
func TestManyCourts(t *testing.T) {
	spec, labels := teams(300)
	d := desk(t, spec, func(o *admission.Options) { o.Surroundings = &around{labels: labels} })
	for round := range 2 {
		for i := range 300 {
			team := fmt.Sprintf("t%d", i)
			got := ask(t, d, admission.Ignoring, asked{"CREATE", "", team, pod(team, privileged), ""}).Response
			if i%20 != 3 && i != 40 && i != 299 {
				continue
			}
			single := desk(t, spec, func(o *admission.Options) { o.Surroundings = &around{labels: labels} })
			want := ask(t, single, admission.Ignoring, asked{"CREATE", "", team, pod(team, privileged), ""}).Response
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("round %d, %s: %+v, want %+v", round, team, got, want)
			}
			if refused := i == 3 || i == 40 || i == 299; refused && got.Allowed {
				t.Errorf("round %d: %s lets a privileged pod in", round, team)
			}
		}
	}
}

// BenchmarkTeams decides reviews of as many namespaces in turns, each with rules of its own.
func BenchmarkTeams(b *testing.B) {
	for _, n := range []int{1, 12, 40, 300} {
		spec, labels := teams(n)
		d := desk(b, spec, func(o *admission.Options) { o.Surroundings = &around{labels: labels} })
		bodies := make([]string, n)
		for i := range bodies {
			bodies[i] = review(b, asked{"CREATE", "", fmt.Sprintf("t%d", i), pod("shop", plain), ""})
		}
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for k := 0; b.Loop(); k++ {
				if _, _, err := d.Validate(b.Context(), admission.Ignoring, bodies[k%n]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
