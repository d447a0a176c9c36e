package assay

import (
	"fmt"
	"slices"

	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/purl"
	"github.com/coaming/coaming/internal/verdict"
)

// OriginOf says whose a layer of an image is.
func OriginOf(img *fact.Image, layer int) verdict.Origin {
	switch {
	case img.Base == nil || img.Base.Layers <= 0:
		return verdict.OriginUnknown
	case layer < img.Base.Layers:
		return verdict.OriginBase
	}
	return verdict.OriginApplication
}

// SettleBase says what an image was built on, where more is known than its own documents tell: a base that was given must be its
// lowest layers; of known ones the longest that is counts, or the one that the annotation names.
func SettleBase(img, given *fact.Image, known []*fact.Image) error {
	if given != nil {
		n := prefix(given, img)
		if n == 0 {
			return &verdict.RemedyError{
				Err:    fmt.Errorf("--base: the layers of %s are not the lowest of %s", given.Name, img.Name),
				Remedy: "Name the build of the base that the image was made from, by its digest.",
			}
		}
		img.Base = &fact.Base{Name: given.Name, Digest: given.Digest, Layers: n, By: "given"}
		return nil
	}
	best := (*fact.Image)(nil)
	for _, base := range known {
		if n := prefix(base, img); n > 0 && (best == nil || n > len(best.Layers)) {
			best = base
		}
	}
	if best != nil && len(best.Layers) < len(img.Layers) {
		img.Base = &fact.Base{Name: best.Name, Digest: best.Digest, Layers: len(best.Layers), By: "known"}
	}
	return nil
}

// prefix is how many layers the base has, when they are the image's lowest; 0 when they are not.
func prefix(base, img *fact.Image) int {
	if len(base.Layers) == 0 || len(base.Layers) > len(img.Layers) {
		return 0
	}
	for i := range base.Layers {
		if !sameLayer(&base.Layers[i], &img.Layers[i]) {
			return 0
		}
	}
	return len(base.Layers)
}

// sameLayer compares what is in the layers; the stored bytes alone where nothing tells.
func sameLayer(a, b *fact.Layer) bool {
	if a.DiffID != "" && b.DiffID != "" {
		return a.DiffID == b.DiffID
	}
	return a.Digest != "" && a.Digest == b.Digest
}

// Rebase tells which of the known bases of the same distribution and release would clear vulnerabilities of the image's base: what the
// image adds is judged together with what the other base holds.
func (b *Bench) Rebase(s *Subject, t *Tried, known []*fact.Image) ([]verdict.Advice, error) {
	base := s.Image.Base
	if base == nil || base.Layers == 0 || s.Image.System == nil {
		return nil, nil
	}
	now := failing(t)
	var list []verdict.Advice
	for _, other := range known {
		if other.System == nil || other.System.ID != s.Image.System.ID || prefix(other, s.Image) > 0 {
			continue
		}
		rebased, ok := on(s.Image, other)
		if !ok {
			continue
		}
		then, err := b.Try(&Subject{Image: rebased, Name: s.Name, Products: s.Products})
		if err != nil {
			return nil, err
		}
		if a := compare(s, other, now, failing(then)); a.Clears > a.Brings {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, ByGain)
	return list[:min(len(list), 3)], nil
}

// on is the image as it would be on another base. It is not known where another release would give the packages that the image adds
// to the distribution's.
func on(img, base *fact.Image) (*fact.Image, bool) {
	out := *img
	out.System, out.Base = base.System, nil
	out.Packages = slices.Clone(base.Packages)
	there := map[slot]int{}
	for i := range out.Packages {
		there[slotOf(&out.Packages[i])] = i
	}
	sameRelease := base.System.Version == img.System.Version
	for i := range img.Packages {
		p := &img.Packages[i]
		if p.Since < img.Base.Layers {
			continue
		}
		if !sameRelease && !purl.IsLanguage(p.Ecosystem) {
			return nil, false
		}
		at, found := there[slotOf(p)]
		if !found {
			out.Packages = append(out.Packages, *p)
			continue
		}
		switch n, err := order(&out.Packages[at], p); {
		case err != nil: // either may be what is there then
			out.Packages = append(out.Packages, *p)
		case n <= 0:
			out.Packages[at] = *p
		}
	}
	return &out, true
}

// slot is where one package of a kind is: a package manager has one of a name and an architecture, a path one file.
type slot struct{ ecosystem, name, architecture, place string }

func slotOf(p *fact.Package) slot {
	if !purl.IsLanguage(p.Ecosystem) {
		return slot{p.Ecosystem, p.Name, p.Architecture, ""}
	}
	g := group{question: advisory.Package{Version: p.Version}, place: p.Place + "!/" + p.Within}
	return slot{p.Ecosystem, p.Name, "", g.stablePlace()}
}

// order says which of a base's package and the image's own is there in the end: package managers keep the newer one of the two,
// and what is written later hides the file of a language's package.
func order(base, own *fact.Package) (int, error) {
	if purl.IsLanguage(own.Ecosystem) {
		return -1, nil
	}
	return advisory.Compare(own.Ecosystem, base.Version, own.Version)
}

// weakness is a vulnerability in a package, whatever its version.
type weakness struct{ id, ecosystem, name, place string }

func failing(t *Tried) map[weakness]verdict.Severity {
	list := map[weakness]verdict.Severity{}
	for i := range t.Findings {
		f := &t.Findings[i]
		if v := f.Vulnerability; v != nil && f.Verdict == verdict.Fail {
			kind := v.Ecosystem
			if !purl.IsLanguage(kind) {
				kind = "" // the release may differ
			}
			list[weakness{v.ID, kind, v.Package, v.Place}] = f.Severity
		}
	}
	return list
}

func compare(s *Subject, other *fact.Image, now, then map[weakness]verdict.Severity) verdict.Advice {
	a := verdict.Advice{
		Kind: "rebase", Image: s.Image.Name, To: other.Name, Do: "build on " + other.Name,
		Proof: fmt.Sprintf("the packages of %s were judged together with those that the image adds to its base", other.Name),
	}
	if other.Digest != "" {
		a.Do += " (" + other.Digest + ")"
	}
	if from := s.Image.Base.Name; from != "" {
		a.Do += " instead of " + from
	}
	for w, severity := range now {
		if _, still := then[w]; still {
			a.Leaves++
			continue
		}
		a.Clears++
		a.Gravest = max(a.Gravest, severity)
	}
	for w := range then {
		if _, before := now[w]; !before {
			a.Brings++
		}
	}
	return a
}
