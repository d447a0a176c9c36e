package sbom

import (
	"slices"
	"testing"

	"github.com/coaming/coaming/internal/fact"
)

// TestCompare tells both ways of differing, and none where two tools write the same thing in their own ways.
func TestCompare(t *testing.T) {
	image := []fact.Package{
		{Ecosystem: "Debian:12", Name: "zlib1g", Version: "1:1.2"},
		{Ecosystem: "npm", Name: "Left", Version: "1.0.0"},
		{Ecosystem: "npm", Name: "right", Version: "2.0.0"},
		{Ecosystem: "PyPI", Name: "six", Version: "1.16", Owner: "python3-six"},
		{Ecosystem: "Go", Name: "example.com/app", Version: "(devel)"},
		{Ecosystem: "Go", Name: "stdlib", Version: "1.26.0"},
		{Ecosystem: "Rocky Linux:9", Name: "bash", Version: "0:5.1-1"},
	}
	bill := []fact.Package{
		{Ecosystem: "Debian", Name: "zlib1g", Version: "1:1.2"},
		{Ecosystem: "npm", Name: "left", Version: "1.0.0"},
		{Ecosystem: "npm", Name: "right", Version: "1.9.9"},
		{Ecosystem: "npm", Name: "right", Version: "1.9.9"},
		{Ecosystem: "PyPI", Name: "six", Version: "1.16"},
		{Ecosystem: "Go", Name: "stdlib", Version: "go1.26.0"},
		{Ecosystem: "Rocky Linux:9", Name: "bash", Version: "5.1-1"},
		{Name: "shop", Version: "1"},
	}
	missing, extra := Compare(bill, image)
	if !slices.Equal(missing, []string{"npm right 2.0.0"}) || !slices.Equal(extra, []string{"npm right 1.9.9"}) {
		t.Errorf("missing %q, extra %q", missing, extra)
	}
	if missing, extra = Compare(nil, image); len(missing) != 5 || len(extra) != 0 {
		t.Errorf("of an empty bill: missing %q, extra %q", missing, extra)
	}
}
