package hold_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/hold"
)

// TestContents demands back what rules read of an image, and nothing where there is too much of it or nothing.
func TestContents(t *testing.T) {
	s := &hold.Store{Dir: t.TempDir()}
	packages := []fact.Package{{Ecosystem: "npm", Name: "left", Version: "1.0.0", Layer: 2, Since: 1}}
	c := &fact.Contents{
		Name: "a", Annotations: map[string]string{"k": "v"}, Secrets: []fact.SecretFile{{Path: "root/.netrc", Kind: "password", Hidden: true}}, Files: []fact.ImageFile{},
		Packages: fact.PackagesInside(packages),
	}
	if err := s.PutContents("key", c); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, s.GetContents("key", packages)); diff != "" {
		t.Error(diff)
	}
	if s.GetContents("other", packages) != nil {
		t.Error("what was never kept is there")
	}
	for i := range 40 {
		c.Files = append(c.Files, fact.ImageFile{Path: strconv.Itoa(i) + strings.Repeat("x", 1<<20)})
	}
	if err := s.PutContents("large", c); err != nil || s.GetContents("large", packages) != nil {
		t.Errorf("over the bound: %v", err)
	}
}
