package sbom

import (
	"fmt"
	"hash/maphash"
	"strings"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// kind is what a part of a bill is.
type kind uint8

const (
	aPackage kind = iota
	aProduct      // what the bill is about: an image, a directory
	aSystem       // a distribution
	aLayer        // a layer of an image
	aFile         // a file, a model, data: no package
	aside         // neither a package nor anything else that is told of
)

// part is one component, package, element or artifact of a bill, whatever the form calls it.
type part struct {
	kind kind
	at   string // where it stands: "packages[12]"
	ref  uint64 // what relations call it; 0 is nothing
	id   string // its reference, for messages

	purl, name, group, version string
	licence                    string
	declared                   bool   // the licence is the one that was declared, not concluded
	digest                     string // of a product or a layer
	place, layer               string // where it was found, and the digest of the layer that has it
	owner                      string
	source, sourceVersion      string
	architecture, title        string // of a system title is its PRETTY_NAME
	codename, edition, end     string // of a system
	platform                   string
	module, class, within      string // as fact.Package has them: Module, Kind, Within
	ecosystem                  string // OSV's, where a bill of ours says so
}

// relation is a link between two parts, by their references.
type relation struct {
	from, to uint64
	kind     relationKind
}

type relationKind uint8

const (
	contains relationKind = iota
	describes
	owns     // a distribution's package has the file that tells of the other
	licensed // SPDX 3: the declared licence
	depends  // in CycloneDX of a layer, what it has
)

// gathering is a bill as far as it has been read.
type gathering struct {
	name   string
	limits Limits
	form   string // "sbom-spdx-2.3"; two of them contradict each other
	forms  []string

	title     string // the document's own name
	parts     []part
	relations []relation
	licences  map[string]string // by their reference in the document
	refs      map[uint64]int    // by reference, the place in parts

	gaps      []verdict.Gap
	more      int      // gaps beyond the limit
	openEnded []string // what the bill says to be incomplete
	notes     []string // what a bill of ours says it could not read
	files     int      // and other parts that are no packages
	overParts int      // packages beyond the limit
	overLinks int      // relations beyond the limit
}

func newGathering(name string, l Limits) *gathering {
	return &gathering{name: name, limits: l, licences: map[string]string{}, refs: map[uint64]int{}}
}

var seed = maphash.MakeSeed()

// key stands for a reference: eight bytes, under a seed that nobody can know beforehand.
func key(ref string) uint64 {
	if ref == "" {
		return 0
	}
	return maphash.String(seed, ref) | 1
}

// is notes the form that the document says it has.
func (g *gathering) is(form string) {
	g.form = form
	g.forms = append(g.forms, form)
}

// add keeps a part.
func (g *gathering) add(p part) {
	if p.kind == aFile {
		g.files++
		return
	}
	if len(g.parts) >= g.limits.Packages {
		g.overParts++
		return
	}
	if p.ref = key(p.id); p.ref != 0 {
		if other, taken := g.refs[p.ref]; taken {
			g.gap(p.at, verdict.GapDuplicate, fmt.Sprintf("its reference %.100q is that of %s too", p.id, g.parts[other].at), "Give each part of the bill a reference of its own.")
		} else {
			g.refs[p.ref] = len(g.parts)
		}
	}
	g.parts = append(g.parts, p)
}

func (g *gathering) relate(kind relationKind, from, to string) {
	if from == "" || to == "" {
		return
	}
	if len(g.relations) >= g.limits.Relations {
		g.overLinks++
		return
	}
	g.relations = append(g.relations, relation{key(from), key(to), kind})
}

// incomplete notes that the bill itself says that something is missing from it.
func (g *gathering) incomplete(what string) {
	if len(g.openEnded) < g.limits.Gaps {
		g.openEnded = append(g.openEnded, what)
	}
}

func (g *gathering) gap(at string, code verdict.GapCode, message, remedy string) {
	if len(g.gaps) >= g.limits.Gaps {
		g.more++
		return
	}
	g.gaps = append(g.gaps, verdict.Gap{
		Code: code, Message: message, Remedy: remedy,
		Location: verdict.Location{Source: "image:" + g.name, File: at},
	})
}

func (g *gathering) wrong(at, message string) {
	g.gap(at, verdict.GapWrongType, message, "Have the bill made by a tool that keeps to the form.")
}

// coverage is what was read and what was not.
func (g *gathering) coverage() *verdict.Coverage {
	c := &verdict.Coverage{Sources: []string{g.name}, Gaps: g.gaps}
	if g.more > 0 {
		c.Gaps = append(c.Gaps, verdict.Gap{
			Code: verdict.GapTooLarge, Message: fmt.Sprintf("%d more things are open", g.more),
			Remedy: "Mend the ones that are told, and ask again.", Location: verdict.Location{Source: "image:" + g.name},
		})
	}
	if g.files > 0 {
		c.Exclusions = append(c.Exclusions, verdict.Exclusion{What: "files and other parts that are no packages", Reason: "advisories speak of packages", Count: g.files})
	}
	return c
}

// statements turns what the bill says of its own completeness into gaps.
func (g *gathering) statements() {
	if len(g.notes) > 0 {
		g.openEnded = nil // the notes say what
	}
	for _, note := range g.notes {
		code, file, message, remedy := parseNote(note)
		g.gap(file, code, message, remedy)
	}
	for _, what := range g.openEnded {
		g.gap("", verdict.GapMissing, what, "Ask who made the bill for a whole one, or read the image itself.")
	}
	if g.overParts > 0 {
		g.gap("", verdict.GapTooLarge, fmt.Sprintf("there are %d more parts than the %d that are read", g.overParts, g.limits.Packages), "Split the bill.")
	}
	if g.overLinks > 0 {
		g.gap("", verdict.GapTooLarge, fmt.Sprintf("there are %d more relations than the %d that are read", g.overLinks, g.limits.Relations), "Have the bill made without files.")
	}
}

// notePrefix begins what a bill of ours says of one gap.
const notePrefix = "Not read ("

// noteOf is a gap in words, for a bill: "Not read (syntax): layer 1: a/package.json: it is no package.json. Mend it."
func noteOf(g *verdict.Gap) string {
	place := strings.TrimPrefix(g.Location.Source, "image:")
	if g.Location.File != "" {
		place += "\n" + g.Location.File
	}
	return notePrefix + string(g.Code) + "): " + oneLine(g.Message) + "\n" + oneLine(g.Remedy) + "\n" + place
}

// parseNote reads such a note back; of another's text the whole is the message.
func parseNote(note string) (code verdict.GapCode, file, message, remedy string) {
	word, rest, _ := strings.Cut(strings.TrimPrefix(note, notePrefix), "): ")
	lines := strings.SplitN(rest, "\n", 4)
	for len(lines) < 4 {
		lines = append(lines, "")
	}
	return verdict.GapCode(word), strings.TrimSpace(lines[3]), lines[0], lines[1]
}

func oneLine(text string) string { return strings.ReplaceAll(text, "\n", " ") }

// cleanPlace is a path from the root without a leading slash, as images' catalogues have them.
func cleanPlace(at string) string { return strings.TrimPrefix(strings.TrimPrefix(at, "."), "/") }

// system is a part that is a distribution.
func (p *part) system() *fact.System {
	return &fact.System{ID: strings.ToLower(p.name), Version: p.version, Name: p.title, Codename: p.codename, Edition: p.edition, EndOfLife: p.end}
}
