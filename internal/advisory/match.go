package advisory

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coaming/coaming/internal/verdict"
)

// Question is what is asked of an index.
type Question struct {
	Packages []Package
	// Today is the day of asking, "2026-11-22": a release that has reached its end by then is unknown. "" asks no calendar.
	Today string
	// VEX are statements about what does not apply.
	VEX []Statement
	// Products are the names of what the packages are in, for statements about it: an image's package URL, its digest.
	Products []string
}

// Match tells what is published about packages. It fails when the index is damaged, and then tells nothing.
func (x *Index) Match(q *Question) (*Answer, error) {
	m := &matcher{index: x, q: q, unknown: map[[2]string]int{}, names: map[uint64]*name{}, vex: indexVEX(q.VEX)}
	kinds := map[string]*kind{}
	for i := range q.Packages {
		p := &q.Packages[i]
		if p.Owner != "" {
			m.answer.Left++
			continue
		}
		k := kinds[p.Ecosystem]
		if k == nil {
			k = m.kind(p.Ecosystem)
			kinds[p.Ecosystem] = k
		}
		if err := m.match(i, p, k); err != nil {
			return nil, err
		}
	}
	return &m.answer, nil
}

type matcher struct {
	index   *Index
	q       *Question
	answer  Answer
	unknown map[[2]string]int // places in answer.Unknown, by ecosystem and reason
	names   map[uint64]*name  // vulnerabilities that were read, by their place
	vex     statements
	first   int // where the findings of the package begin
	key     [2 * maxVersion]byte
}

// name is one vulnerability as it stands in the index.
type name struct {
	id         string
	aliases    []string
	exploited  bool
	likelihood float64
	score      float64
	vector     string
	at         int // its last finding
}

// kind is an ecosystem that is asked about.
type kind struct {
	ecosystem string
	order     *scheme
	held      *Ecosystem // nil when the index does not cover it
	doubts    []string   // why packages of it are unknown, whatever is found
}

func (m *matcher) kind(ecosystem string) *kind {
	k := &kind{ecosystem: NormalEcosystem(ecosystem)}
	k.order = schemeOf(k.ecosystem)
	place, covered := m.index.places[k.ecosystem]
	if !covered {
		k.doubts = append(k.doubts, m.index.uncovered(k.ecosystem))
		return k
	}
	k.held = &m.index.About.Ecosystems[place]
	if end, ok := EndOfLife(k.ecosystem); ok && m.q.Today != "" && end < m.q.Today {
		k.doubts = append(k.doubts, fmt.Sprintf("%s gets no advisories since %s, the end of its support", k.ecosystem, end))
	}
	if k.order == nil {
		k.doubts = append(k.doubts, fmt.Sprintf("the order of versions of %s is not known", k.ecosystem))
	}
	return k
}

func (m *matcher) match(i int, p *Package, k *kind) error {
	ecosystem, order := k.ecosystem, k.order
	for _, reason := range k.doubts {
		m.doubt(i, ecosystem, reason)
	}
	if k.held == nil {
		return nil
	}
	version := normalVersion(ecosystem, p.Version)
	entry, err := m.index.find(k.held, NormalName(ecosystem, p.Name))
	if err != nil {
		return err
	}
	if entry == nil {
		return nil // nothing is published about it, whatever its version
	}
	installed := installed{order: order, version: version}
	if order != nil {
		installed.key, installed.keyed = order.makeKey(m.key[:0], version)
		if !installed.keyed && (version == "" || version == "(devel)" || !order.valid(version)) {
			m.doubt(i, ecosystem, fmt.Sprintf("%.100q of %.100s is no version", p.Version, p.Name))
			return nil
		}
	}
	m.first = len(m.answer.Findings)
	c := cursor{rest: entry}
	for range c.count() {
		if err := m.claim(&c, i, &installed); err != nil {
			return err
		}
	}
	if c.bad || len(c.rest) > 0 {
		return damaged("the entry of %.100s", p.Name)
	}
	if installed.failed != nil {
		m.doubt(i, ecosystem, fmt.Sprintf("%.100s: %v", p.Name, installed.failed))
	}
	m.settle(p)
	return nil
}

func (m *matcher) doubt(i int, ecosystem, reason string) {
	k := [2]string{ecosystem, reason}
	at, seen := m.unknown[k]
	if !seen {
		at = len(m.answer.Unknown)
		m.unknown[k] = at
		m.answer.Unknown = append(m.answer.Unknown, Unknown{Ecosystem: ecosystem, Reason: reason})
	}
	m.answer.Unknown[at].Packages = append(m.answer.Unknown[at].Packages, i)
}

// uncovered says why an ecosystem is unknown, and what of its kind the index does hold.
func (x *Index) uncovered(ecosystem string) string {
	kind, release, _ := strings.Cut(ecosystem, ":")
	if kind == "" {
		return "nothing says which ecosystem it is of"
	}
	var held []string
	for _, e := range x.About.Ecosystems {
		if rest, found := strings.CutPrefix(e.Name, kind+":"); found {
			held = append(held, rest)
		}
	}
	_, distribution := distributions[kind]
	switch {
	case distribution && release == "" && len(held) > 0:
		return fmt.Sprintf("nothing says which release of %s it is of", kind)
	case len(held) > 0:
		return fmt.Sprintf("the index has no advisories for %s (of %s it has %s)", ecosystem, kind, strings.Join(held, ", "))
	}
	return "the index has no advisories for " + ecosystem
}

// installed is the version that is asked about.
type installed struct {
	order   *scheme
	version string
	key     []byte
	keyed   bool
	failed  error // of the first comparison that could not be made
}

// compare gives the order of the installed version and a bound.
func (v *installed) compare(bound, key []byte) int {
	if v.keyed && len(key) > 0 {
		return bytes.Compare(v.key, key)
	}
	n, err := v.order.compareText(v.version, string(bound))
	if err != nil && v.failed == nil {
		v.failed = err
	}
	return n
}

// claim reads what one record says of the package, and finds when it holds for the installed version.
func (m *matcher) claim(c *cursor, i int, v *installed) error {
	record, severity := c.ref(), rating(c.byte())
	hit, fixed := false, ""
	for range c.count() {
		flags := c.byte()
		in := v.order != nil
		if flags&hasLower != 0 {
			bound, key := c.bytes(), c.bytes()
			if !c.bad && in {
				n := v.compare(bound, key)
				in = n > 0 || n == 0 && flags&overLower == 0
			}
		}
		if end := flags & endMask; end != endless {
			bound, key := c.bytes(), c.bytes()
			if !c.bad && in {
				n := v.compare(bound, key)
				in = n < 0 || n == 0 && end == inclusive
				if in && end == before {
					fixed = string(bound)
				}
			}
		}
		hit = hit || in
	}
	for range c.count() {
		hit = string(c.bytes()) == v.version || hit
	}
	if c.bad {
		return damaged("an entry of a package")
	}
	if !hit || v.failed != nil {
		return nil //nolint:nilerr // what failed is told by whoever asked for it
	}
	return m.found(i, v, record, severity, fixed)
}

// found adds the vulnerabilities of a record to the findings of the package.
func (m *matcher) found(i int, v *installed, at ref, severity rating, fixed string) error {
	raw, err := m.index.read(recordSection, at)
	if err != nil {
		return err
	}
	c := cursor{rest: raw}
	id, day, summary, score, vector := c.text(), c.number(), c.text(), float64(c.byte())/10, c.text()
	if severity > rating(verdict.Critical)+1 || day > 1<<20 {
		return damaged("a record of %.100q", id)
	}
	for range c.count() {
		n, err := m.name(c.ref())
		if err != nil {
			return err
		}
		f := m.finding(i, n)
		f.Advisories = append(f.Advisories, id)
		if published := time.Unix(int64(day)*24*60*60, 0).UTC(); day > 0 && (f.Published.IsZero() || published.Before(f.Published)) {
			f.Published = published
		}
		f.Summary = cmp.Or(f.Summary, summary)
		if s, ok := severity.severity(); ok && (!f.Rated || s > f.Severity) {
			f.Severity, f.Rated = s, true
		}
		if vector != "" && score > f.Score {
			f.Score, f.Vector = score, vector
		}
		if f.Vector == "" && n.vector != "" {
			f.Score, f.Vector = n.score, n.vector
		}
		f.FixedIn = later(v.order, f.FixedIn, fixed)
	}
	if c.bad {
		return damaged("the record %.100q", id)
	}
	return nil
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
func (m *matcher) finding(i int, n *name) *Finding {
	if n.at >= m.first {
		return &m.answer.Findings[n.at]
	}
	n.at = len(m.answer.Findings)
	m.answer.Findings = append(m.answer.Findings, Finding{
		Package: i, Vulnerability: n.id, Aliases: n.aliases, Exploited: n.exploited, Likelihood: n.likelihood,
	})
	return &m.answer.Findings[n.at]
}

func (m *matcher) name(at ref) (*name, error) {
	if n := m.names[at.offset]; n != nil {
		return n, nil
	}
	raw, err := m.index.read(nameSection, at)
	if err != nil {
		return nil, err
	}
	c := cursor{rest: raw}
	n := &name{id: c.text(), likelihood: -1, at: -1}
	for range c.count() {
		n.aliases = append(n.aliases, c.text())
	}
	n.exploited = c.byte() != 0
	if l := c.number(); l < noLikelihood {
		n.likelihood = float64(l) / (noLikelihood - 1)
	}
	n.score, n.vector = float64(c.byte())/10, c.text()
	if c.bad || len(c.rest) > 0 || n.id == "" {
		return nil, damaged("a name")
	}
	m.names[at.offset] = n
	return n, nil
}

// settle gives the findings of a package what needs all of its advisories, and sorts them.
func (m *matcher) settle(p *Package) {
	list := m.answer.Findings[m.first:]
	for i := range list {
		f := &list[i]
		if !f.Rated && f.Vector != "" && f.Score > 0 {
			f.Severity, f.Rated = severityOf(f.Score), true
		}
		if len(f.Advisories) > 1 {
			slices.Sort(f.Advisories)
			f.Advisories = slices.Compact(f.Advisories)
		}
		f.Suppressed = m.vex.about(p, f, m.q.Products)
	}
	byName := func(a, b Finding) int { return strings.Compare(a.Vulnerability, b.Vulnerability) }
	if !slices.IsSortedFunc(list, byName) {
		slices.SortFunc(list, byName)
	}
}
