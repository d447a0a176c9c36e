package trust

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/verdict"
)

// TestWithin holds what was read under a name to what is verified under it: the image itself, one that its index lists, and no other.
func TestWithin(t *testing.T) {
	text := fmt.Sprintf(`{"manifests":[{"digest":%q}]}`, ours)
	top := Subject{Digest: digestOf(text), MediaType: "application/vnd.oci.image.index.v1+json"}
	layout := &Layout{Open: func(name string) (io.ReadCloser, int64, error) {
		if name != "blobs/sha256/"+strings.TrimPrefix(top.Digest, "sha256:") {
			return nil, 0, fs.ErrNotExist
		}
		return io.NopCloser(bytes.NewReader([]byte(text))), int64(len(text)), nil
	}}
	for digest, want := range map[string]bool{top.Digest: true, ours: true, theirs: false, "": false} {
		if got, err := top.Within(t.Context(), layout, digest); got != want || err != nil {
			t.Errorf("%s: %t, %v", digest, got, err)
		}
	}
	gone := Subject{Digest: theirs}
	if same, err := gone.Within(t.Context(), layout, ours); same || err == nil {
		t.Errorf("of an index that is not there: %t, %v", same, err)
	}
}

// TestUnasked demands that an image of which nothing could be looked at is unknown, whatever is demanded, and not judged where nothing is.
func TestUnasked(t *testing.T) {
	none := 0
	p := &Policy{images: []*Entry{
		{Repositories: []string{"registry.example.com/**"}, Signers: []string{"a"}},
		{Repositories: []string{"**"}, Signers: []string{"a"}, Signatures: &none, Attestations: []Wanted{{Type: "sbom", Signers: []string{"a"}}}},
	}}
	r := p.Unasked(Subject{Repository: repo}, "it stands in an archive")
	if r.Verdict() != verdict.Unknown || len(r.Demands) != 2 || r.Demands[0].Verdict != verdict.Unknown || !strings.Contains(r.Demands[1].Why, "it stands in an archive") {
		t.Errorf("got %+v", r.Demands)
	}
	if v := r.Vouching(nil); v.Whole || len(v.Demands) != 2 || v.Demands[0].Met {
		t.Errorf("as rules read it: %+v", v)
	}
	if p.images = p.images[:1]; p.Names("docker.io/library/debian") || !p.Names(repo) {
		t.Error("it names what it does not, or the other way round")
	}
}
