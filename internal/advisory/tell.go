package advisory

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/coaming/coaming/internal/verdict"
)

// mostNames is how many vulnerabilities the records that hold for what is asked may name: an index made to harm could name
// the same ones without end.
const mostNames = 4 << 20

// tell makes findings of the hits, package by package.
func (m *matcher) tell() error {
	m.ahead(recordSection, len(m.hits), func(i int) ref { return m.hits[i].record })
	for i := range m.hits {
		h := &m.hits[i]
		raw, err := m.index.read(recordSection, h.record)
		if err != nil {
			return err
		}
		c, last := cursorOf(raw), ref{}
		if h.names = c.Count(); len(m.places)+h.names > mostNames {
			return damaged("over %d vulnerabilities in one answer", mostNames)
		}
		for range h.names {
			m.places = append(m.places, c.ref(&last))
		}
		if h.rest = c.Rest; c.Bad {
			return damaged("a record")
		}
	}
	m.ahead(nameSection, len(m.places), func(i int) ref { return m.places[i] })
	m.answer.Findings = make([]Finding, 0, min(len(m.places), 1<<16))
	places := m.places
	for i := range m.hits {
		h := &m.hits[i]
		if err := m.found(h, places[:h.names]); err != nil {
			return err
		}
		places = places[h.names:]
		if i+1 == len(m.hits) || m.hits[i+1].of != h.of {
			m.settle(&m.q.Packages[h.of])
		}
	}
	return nil
}

// group is the findings of one package while they are gathered.
type group struct {
	findings []Finding
	places   []uint64       // of their names
	known    map[uint64]int // the same, of a group that is large
	other    []rated        // what other catalogues say of them
	lacks    []lack         // why it is not known whether the package has them
	order    []int          // for sorting
}

// rated is a score from a catalogue other than the advisories.
type rated struct {
	score  byte
	vector []byte
}

// linear is how many findings are looked through one by one.
const linear = 32

// found adds the vulnerabilities of a record to the findings of its package.
func (m *matcher) found(h *hit, places []ref) error {
	c := cursorOf(h.rest)
	id, day, summary, score, vector := c.Bytes(), c.Number(), c.Bytes(), float64(c.Byte())/10, c.Bytes()
	severity := rating(h.head & ratingMask)
	if !c.Whole() || severity > rating(verdict.Critical)+1 || day > 1<<20 {
		return damaged("a record of %.100q", id)
	}
	advisory := m.text.string(id)
	fixed := m.text.string(h.fixed)
	for _, place := range places {
		f, open, err := m.finding(h, place)
		if err != nil {
			return err
		}
		*open = min(*open, h.lack)
		if f.Advisories == nil {
			f.Advisories = m.text.strings(1)
		}
		f.Advisories = append(f.Advisories, advisory)
		if day > 0 {
			if published := time.Unix(int64(day)*24*60*60, 0).UTC(); f.Published.IsZero() || published.Before(f.Published) {
				f.Published = published
			}
		}
		if f.Summary == "" {
			f.Summary = m.text.string(summary)
		}
		if s, ok := severity.severity(); ok && (!f.Rated || s > f.Severity) {
			f.Severity, f.Rated = s, true
		}
		f.Unimportant = f.Unimportant || h.head&isNoMatter != 0
		if len(vector) > 0 && score > f.Score {
			f.Score, f.Vector = score, m.text.string(vector)
		}
		f.FixedIn = later(h.order, f.FixedIn, fixed)
		if len(h.imports) > 0 {
			f.Imports = m.imports(f.Imports, h.imports)
		}
	}
	return nil
}

// imports adds the packages of a Go module that a record names.
func (m *matcher) imports(list []string, raw []byte) []string {
	c := cursorOf(raw)
	for range c.Count() {
		if path := c.Bytes(); !slices.Contains(list, string(path)) {
			list = append(list, m.text.string(path))
		}
	}
	return list
}

// later is the greater of two versions that have a fix: the lower one lacks that of the other record.
func later(order *scheme, a, b string) string {
	if a == "" || b == "" || a == b || order == nil {
		return cmp.Or(a, b)
	}
	if n, err := order.compare(a, b); err == nil && n > 0 {
		return a
	}
	return b
}

// finding is the package's finding of a vulnerability, a new one or the one that is there.
func (m *matcher) finding(h *hit, place ref) (*Finding, *lack, error) {
	g := &m.group
	if i := g.find(place.offset); i >= 0 {
		return &g.findings[i], &g.lacks[i], nil
	}
	raw, err := m.index.read(nameSection, place)
	if err != nil {
		return nil, nil, err
	}
	c := cursorOf(raw)
	f := Finding{Package: h.of, Vulnerability: m.text.string(c.Bytes()), Likelihood: -1}
	if n := c.Count(); n > 0 {
		f.Aliases = m.text.strings(n)
		for range n {
			f.Aliases = append(f.Aliases, m.text.string(c.Bytes()))
		}
	}
	f.Exploited = c.Byte() != 0
	if l := c.Number(); l < noLikelihood {
		f.Likelihood = float64(l) / (noLikelihood - 1)
	}
	g.other = append(g.other, rated{c.Byte(), c.Bytes()})
	if !c.Whole() || f.Vulnerability == "" {
		return nil, nil, damaged("a name")
	}
	g.lacks = append(g.lacks, h.lack)
	g.add(f, place.offset)
	return &g.findings[len(g.findings)-1], &g.lacks[len(g.lacks)-1], nil
}

func (g *group) find(place uint64) int {
	if len(g.places) <= linear {
		return slices.Index(g.places, place)
	}
	if i, found := g.known[place]; found {
		return i
	}
	return -1
}

func (g *group) add(f Finding, place uint64) {
	g.findings, g.places = append(g.findings, f), append(g.places, place)
	switch n := len(g.places); {
	case n == linear+1:
		g.known = make(map[uint64]int, 4*linear)
		for i, p := range g.places {
			g.known[p] = i
		}
	case n > linear:
		g.known[place] = n - 1
	}
}

// settle gives the findings of a package what needs all of its advisories, and adds them to the answer in the order of
// their names. What a record leaves open, and no statement closes, is unknown.
func (m *matcher) settle(p *Package) {
	g := &m.group
	g.order = g.order[:0]
	for i := range g.findings {
		g.order = append(g.order, i)
		f, other := &g.findings[i], &g.other[i]
		if f.Vector == "" && len(other.vector) > 0 {
			f.Score, f.Vector = float64(other.score)/10, m.text.string(other.vector)
		}
		if !f.Rated && f.Vector != "" && f.Score > 0 {
			f.Severity, f.Rated = severityOf(f.Score), true
		}
		if len(f.Advisories) > 1 {
			slices.Sort(f.Advisories)
			f.Advisories = slices.Compact(f.Advisories)
		}
		f.Suppressed = m.vex.about(p, f, m.q.Products)
	}
	if len(g.order) > 1 {
		slices.SortFunc(g.order, func(a, b int) int {
			return strings.Compare(g.findings[a].Vulnerability, g.findings[b].Vulnerability)
		})
	}
	for _, i := range g.order {
		f := &g.findings[i]
		if g.lacks[i] != complete && f.Suppressed == nil {
			m.doubt(f.Package, NormalEcosystem(p.Ecosystem), openReason(f, g.lacks[i]))
			continue
		}
		m.answer.Findings = append(m.answer.Findings, *f)
	}
	g.findings, g.places, g.other, g.lacks, g.known = g.findings[:0], g.places[:0], g.other[:0], g.lacks[:0], nil
}
