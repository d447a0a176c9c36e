package sbom

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/purl"
	"github.com/coaming/coaming/internal/verdict"
)

// Bill is what a bill of materials is written of.
type Bill struct {
	Image *fact.Image
	// Coverage tells what was not read: the bill says so.
	Coverage *verdict.Coverage
	Created  time.Time
	// Version is that of the program that writes.
	Version string
	// Files has the files of each package told, too.
	Files bool
}

// Formats are the forms that are written, by their names.
var Formats = []string{"cyclonedx-json", "spdx-json", "spdx-tag-value", "spdx3-json"}

// WritesFiles says whether a format can tell the files of packages: SPDX 2.3 wants a SHA-1 of each, which an image's
// catalogue does not make.
func WritesFiles(format string) bool { return !strings.HasPrefix(format, "spdx-") }

// Write writes a bill in one of the formats. The same bill gives the same bytes.
func Write(w io.Writer, format string, b *Bill) error {
	d, err := newDraft(b)
	if err != nil {
		return fmt.Errorf("write a bill of materials: %w", err)
	}
	switch format {
	case "cyclonedx-json":
		return d.encode(w, d.cyclonedx())
	case "spdx-json":
		return d.encode(w, d.spdx())
	case "spdx-tag-value":
		return writeTags(w, d.spdx())
	case "spdx3-json":
		return d.encode(w, d.spdx3())
	}
	return fmt.Errorf("write a bill of materials: %q is none of %s", format, strings.Join(Formats, ", "))
}

// draft is a bill whose parts have their references.
type draft struct {
	*Bill
	sum   [sha256.Size]byte // of all that it says
	items []item
	notes []string
	named map[string]int // packages of the distribution by their names, the first of each
}

// item is one package with the names that the bill has for it.
type item struct {
	*fact.Package
	url  string // "" where there is no name
	ref  string // CycloneDX' reference: the package URL where it is the only one
	id   string // the last part of SPDX' reference
	told bool   // whether the package URL tells the ecosystem
}

func newDraft(b *Bill) (*draft, error) {
	d := &draft{Bill: b, named: map[string]int{}}
	if b.Coverage != nil {
		for i := range b.Coverage.Gaps {
			d.notes = append(d.notes, noteOf(&b.Coverage.Gaps[i]))
		}
	}
	all := sha256.New()
	if err := json.NewEncoder(all).Encode([]any{b.Image, d.notes, d.stamp(), b.Version, b.Files}); err != nil {
		return nil, err
	}
	all.Sum(d.sum[:0])
	taken := map[string]int{}
	for i := range b.Image.Packages {
		p := &b.Image.Packages[i]
		it := item{Package: p}
		if p.Name != "" {
			var u purl.URL
			u, it.told = purl.Of(p, b.Image.System)
			it.url = u.String()
			if isManaged(it.url) && d.named[p.Name] == 0 {
				d.named[p.Name] = i + 1
			}
		}
		it.ref = it.url
		if taken[it.ref]++; taken[it.ref] > 1 || it.ref == "" {
			it.ref = it.url + "#" + p.Place
			if taken[it.ref]++; taken[it.ref] > 1 {
				it.ref += fmt.Sprintf("~%d", taken[it.ref])
			}
		}
		sum := sha256.Sum256([]byte(it.ref))
		it.id = "SPDXRef-Package-" + idPart(p.Name) + "-" + hex.EncodeToString(sum[:8])
		d.items = append(d.items, it)
	}
	return d, nil
}

func isManaged(url string) bool { return managed(&part{purl: url}) }

// idPart is a name in the letters that SPDX' references may have.
func idPart(name string) string {
	name = strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '-'
	}, name)
	return name[:min(len(name), 100)]
}

func (d *draft) encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func (d *draft) stamp() string { return d.Created.UTC().Format("2006-01-02T15:04:05Z") }

// owner is the reference of the package of the distribution that brought one along, nil when none did.
func (d *draft) owner(it *item) *item {
	if n := d.named[it.Owner]; it.Owner != "" && n > 0 && &d.items[n-1] != it && !isManaged(it.url) {
		return &d.items[n-1]
	}
	return nil
}

// layered are the places of items by the number of their layer.
func (d *draft) layered() [][]int {
	list := make([][]int, len(d.Image.Layers))
	for i := range d.items {
		if n := d.items[i].Layer; n >= 0 && n < len(list) {
			list[n] = append(list[n], i)
		}
	}
	return list
}

// owned are pairs of places in items: a package of the distribution, and those that it brought along.
func (d *draft) owned() (owners []*item, list map[*item][]*item) {
	list = map[*item][]*item{}
	for i := range d.items {
		if o := d.owner(&d.items[i]); o != nil {
			if list[o] == nil {
				owners = append(owners, o)
			}
			list[o] = append(list[o], &d.items[i])
		}
	}
	return owners, list
}

// extras are what a package URL does not tell of a package, a name and a value each.
func (it *item) extras() [][2]string {
	var list [][2]string
	if !it.told && it.Ecosystem != "" {
		list = append(list, [2]string{"ecosystem", it.Ecosystem})
	}
	if it.Architecture != "" && !isManaged(it.url) {
		list = append(list, [2]string{"architecture", it.Architecture})
	}
	return append(list, filled([2]string{"kind", it.Kind}, [2]string{"within", it.Within})...)
}

// aboutSystem and aboutImage are what the forms have no fields for.
func aboutSystem(s *fact.System) [][2]string {
	return filled([2]string{"codename", s.Codename}, [2]string{"edition", s.Edition}, [2]string{"endOfLife", s.EndOfLife})
}

func aboutImage(img *fact.Image) [][2]string { return filled([2]string{"platform", img.Platform}) }

func filled(pairs ...[2]string) [][2]string {
	return slices.DeleteFunc(pairs, func(p [2]string) bool { return p[1] == "" })
}

// remarks are such pairs as lines of a comment.
func remarks(pairs [][2]string) string {
	var lines []string
	for _, p := range pairs {
		lines = append(lines, p[0]+": "+p[1])
	}
	return strings.Join(lines, "\n")
}

// sha256Of is the hex of a digest, "" when it is another kind.
func sha256Of(digest string) string {
	sum, found := strings.CutPrefix(digest, "sha256:")
	if _, err := hex.DecodeString(sum); !found || err != nil || len(sum) != 64 {
		return ""
	}
	return strings.ToLower(sum)
}

// productURL is the package URL of the image itself, "" where it has no digest or no name in a registry.
func productURL(img *fact.Image) string {
	sum := sha256Of(img.Digest)
	name := img.Name
	if at := strings.LastIndex(name, " ("); at >= 0 && strings.HasSuffix(name, ")") {
		name = name[at+2 : len(name)-1]
	}
	name, _, _ = strings.Cut(name, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name = name[:i]
	}
	if sum == "" || name == "" || strings.ContainsAny(name, " \\") || strings.HasPrefix(name, "/") || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".tar") {
		return ""
	}
	u := purl.URL{Type: "oci", Name: strings.ToLower(path.Base(name)), Version: "sha256:" + sum}
	if strings.Contains(name, "/") {
		u.Qualifiers = map[string]string{"repository_url": strings.ToLower(name)}
	}
	return u.String()
}

// address is where the bill stands in the space of names.
func (d *draft) address() string {
	return "https://coaming.dev/sbom/" + hex.EncodeToString(d.sum[:])
}
