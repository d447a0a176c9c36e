package admission_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
)

// standing is what does not change from one review to the next.
type standing struct{ among *judge.Among }

func (s *standing) Among(string) *judge.Among { return s.among }

func (*standing) Labels(string) (map[string]string, bool) { return nil, true }

// BenchmarkValidate decides reviews of what a real API server gave out, by the whole catalogue; make bench-gate measures the
// server around it.
func BenchmarkValidate(b *testing.B) {
	for _, kind := range []string{"Deployment", "Pod"} {
		text, err := os.ReadFile("../../test/bench/gate/testdata/" + strings.ToLower(kind) + ".json")
		if err != nil {
			b.Fatal(err)
		}
		var bodies []string
		for n := range 100 {
			object := strings.ReplaceAll(string(text), "checkout", fmt.Sprintf("checkout-%d", n))
			bodies = append(bodies, review(b, asked{"CREATE", "", "quayside-shop", object, ""}))
		}
		for name, objects := range map[string][]*fact.Object{"alone": nil, "among roles": catalog.Shipped()} {
			d := desk(b, "  mode: audit\n", func(o *admission.Options) {
				o.Surroundings = &standing{judge.NewAmong(objects, nil)}
			})
			b.Run(kind+" "+name, func(b *testing.B) {
				b.ReportAllocs()
				for n := 0; b.Loop(); n++ {
					if _, _, err := d.Validate(b.Context(), admission.Everything, bodies[n%len(bodies)]); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
