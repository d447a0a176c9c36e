package report

import (
	"cmp"
	"slices"

	"github.com/coaming/coaming/internal/verdict"
)

// place is one file (or cluster object) with the findings in it.
type place struct {
	source, file string
	rendered     bool
	count        [grades]int
	risk         int // the highest of its findings
	objects      []*object
}

// object is what was judged, its containers taken together.
type object struct {
	subject verdict.Subject
	count   [grades]int
	risk    int
	blocks  []*block
}

// block is what is told in one go: one rule's verdicts on one object, or the unknowns of one object
// that share their reason.
type block struct {
	grade    grade
	risk     int
	findings []*verdict.Finding
}

type (
	placeKey  struct{ source, file string }
	objectKey struct {
		in      *place
		subject verdict.Subject
	}
	blockKey struct {
		of      *object
		verdict verdict.Verdict
		about   string // the rule; of an unknown its reason, of an exempt one both
	}
)

// grouping gathers findings by place, object and block in one pass.
type grouping struct {
	places  []*place
	byPlace map[placeKey]*place
	objects map[objectKey]*object
	blocks  map[blockKey]*block
}

// group arranges the findings, the worst first on every level, of equals those with the most risk, and
// otherwise in the order given.
func group(findings []verdict.Finding) []*place {
	g := &grouping{
		byPlace: make(map[placeKey]*place),
		objects: make(map[objectKey]*object),
		blocks:  make(map[blockKey]*block),
	}
	for i := range findings {
		g.add(&findings[i])
	}
	slices.SortStableFunc(g.places, func(a, b *place) int { return cmp.Or(worse(&a.count, &b.count), b.risk-a.risk) })
	for _, p := range g.places {
		slices.SortStableFunc(p.objects, func(a, b *object) int { return cmp.Or(worse(&a.count, &b.count), b.risk-a.risk) })
		for _, o := range p.objects {
			slices.SortStableFunc(o.blocks, func(a, b *block) int { return cmp.Or(int(a.grade)-int(b.grade), b.risk-a.risk) })
			for _, b := range o.blocks {
				slices.SortStableFunc(b.findings, byRisk)
			}
		}
	}
	return g.places
}

func (g *grouping) add(f *verdict.Finding) {
	grade := gradeOf(f)
	pk := placeKey{f.Location.Source, f.Location.File}
	p := g.byPlace[pk]
	if p == nil {
		p = &place{source: pk.source, file: pk.file, rendered: f.Location.Rendered}
		g.byPlace[pk] = p
		g.places = append(g.places, p)
	}
	p.count[grade]++
	p.risk = max(p.risk, f.RiskScore())

	ok := objectKey{p, f.Subject}
	ok.subject.Container = ""
	o := g.objects[ok]
	if o == nil {
		o = &object{subject: ok.subject}
		g.objects[ok] = o
		p.objects = append(p.objects, o)
	}
	o.count[grade]++
	o.risk = max(o.risk, f.RiskScore())

	bk := blockKey{o, f.Verdict, f.Rule}
	if f.Verdict == verdict.Unknown && f.Reason != "" {
		bk.about = f.Reason
	}
	if f.Verdict == verdict.Exempt {
		bk.about += "\x00" + f.Reason // who excused it must not be lost in a group
	}
	b := g.blocks[bk]
	if b == nil {
		b = &block{grade: grade}
		g.blocks[bk] = b
		o.blocks = append(o.blocks, b)
	}
	b.grade = min(b.grade, grade)
	b.risk = max(b.risk, f.RiskScore())
	b.findings = append(b.findings, f)
}

// worse orders counts by the gravest grade in which they differ, the higher count first.
func worse(a, b *[grades]int) int {
	for g := range grades {
		if d := b[g] - a[g]; d != 0 {
			return d
		}
	}
	return 0
}
