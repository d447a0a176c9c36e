package advisory

import (
	"testing"

	"github.com/google/osv-scalibr/semantic"
)

// BenchmarkOrder compares two versions by their keys, and by semantic, which reads both texts.
func BenchmarkOrder(b *testing.B) {
	for ecosystem, pair := range map[string][2]string{
		"Debian": {"1:2.4.57-2+deb12u1", "1:2.4.59-1~deb12u1"}, "Alpine": {"3.0.12-r4", "3.0.12-r5"}, "PyPI": {"2.31.0rc1", "2.31.0"},
		"Maven": {"2.14.1-jre", "2.15.0-jre"}, "npm": {"4.17.20", "4.17.21-rc.1"}, "Red Hat": {"1:3.0.7-16.el9_2", "1:3.0.7-17.el9_2"},
	} {
		b.Run(ecosystem+"/keys-made", func(b *testing.B) {
			for b.Loop() {
				_, _ = Compare(ecosystem, pair[0], pair[1]) // both are versions
			}
		})
		b.Run(ecosystem+"/semantic", func(b *testing.B) {
			for b.Loop() {
				_, _ = semantic.MustParse(pair[0], ecosystem).CompareStr(pair[1]) // both are versions
			}
		})
	}
}
