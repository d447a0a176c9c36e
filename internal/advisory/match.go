package advisory

import (
	"cmp"
	"fmt"
	"strings"
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
//
// It goes through all packages in steps (keys, entries, records, names), each of which says beforehand what it will
// read: a file that is not in memory is then fetched in four turns, and not place by place.
func (x *Index) Match(q *Question) (*Answer, error) {
	m := &matcher{index: x, q: q, unknown: map[[2]string]int{}, vex: indexVEX(q.VEX)}
	m.ask()
	for _, step := range []func() error{m.locate, m.scan, m.tell} {
		if err := step(); err != nil {
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
	vex     statements
	asked   []asked
	hits    []hit
	spans   []Span
	places  []ref // of the names that the hits' records are about
	text    arena
	group   group
	key     [2 * maxVersion]byte
}

// asked is one name that is looked for.
type asked struct {
	of      int // the package's place in what was asked
	kind    *kind
	name    string
	version string
	hash    uint32
	at      int // where the keys with the hash begin
}

// hit is a claim that holds for a package.
type hit struct {
	of      int
	order   *scheme
	head    byte   // of the claim
	lack    lack   // why it is not known whether the claim holds; complete when it does
	record  ref    // whose claim it is
	rest    []byte // of the record, behind its names
	names   int    // how many of matcher.places it has
	fixed   []byte // the version with the fix, empty where there is none
	imports []byte // the vulnerable packages of a Go module
}

// ask normalizes names and versions, and says what cannot be answered whatever the index holds.
func (m *matcher) ask() {
	m.asked = make([]asked, 0, len(m.q.Packages))
	kinds, k := map[string]*kind{}, (*kind)(nil)
	last := ""
	for i := range m.q.Packages {
		p := &m.q.Packages[i]
		if p.Owner != "" {
			m.answer.Left++
			continue
		}
		if k == nil || p.Ecosystem != last {
			last = p.Ecosystem
			if k = kinds[last]; k == nil {
				k = m.kind(last)
				kinds[last] = k
			}
		}
		m.askOne(i, p, k)
	}
}

func (m *matcher) askOne(i int, p *Package, k *kind) {
	for _, reason := range k.doubts {
		m.doubt(i, k.ecosystem, reason)
	}
	if who := foreign(k.name, p); who != "" {
		m.doubt(i, k.ecosystem, fmt.Sprintf("made by %.100s, of whose packages the advisories of %s do not speak", who, k.name))
		return
	}
	if k.held == nil {
		return
	}
	if k.pro != nil && strings.Contains(p.Version, "esm") {
		k = k.pro
	}
	name := NormalName(k.ecosystem, p.Name)
	m.asked = append(m.asked, asked{of: i, kind: k, name: name, version: normalVersion(k.ecosystem, p.Version), hash: hashName(name)})
	if k.both && p.Binary != "" && p.Binary != p.Name {
		m.asked = append(m.asked, asked{of: i, kind: k, name: p.Binary, version: cmp.Or(p.BinaryVersion, p.Version), hash: hashName(p.Binary)})
	}
}

// locate finds the keys of all names.
func (m *matcher) locate() (err error) {
	m.ahead(keySection, len(m.asked), func(i int) ref {
		return ref{uint64(guess(m.asked[i].kind.held, m.asked[i].hash)) * keySize, keySize}
	})
	for i := range m.asked {
		a := &m.asked[i]
		if a.at, err = m.index.locate(a.kind.held, a.hash); err != nil {
			return err
		}
	}
	return nil
}

// ahead says which places of a section will be read next, less those that were read before.
func (m *matcher) ahead(part, n int, place func(int) ref) {
	x := m.index
	if x.Prefetch == nil {
		return
	}
	m.spans = m.spans[:0]
	for i := range n {
		r, p := place(i), x.parts[part]
		if r.length == 0 || r.offset > p.length || r.length > p.length-r.offset {
			continue // reading it will tell
		}
		from := (p.offset + r.offset) / blockSize
		to := (p.offset + r.offset + r.length - 1) / blockSize
		if !x.isVerified(from) || !x.isVerified(to) {
			m.spans = append(m.spans, Span{from * blockSize, (to - from + 1) * blockSize})
		}
	}
	if len(m.spans) > 0 {
		x.Prefetch(m.spans)
	}
}

// kind is an ecosystem that is asked about.
type kind struct {
	name      string // without the release
	ecosystem string
	order     *scheme
	both      bool       // advisories may name binary packages, too
	held      *Ecosystem // nil when the index does not cover it
	pro       *kind      // what holds for packages of a paid-for service of the same release, nil when there is none
	doubts    []string   // why packages of it are unknown, whatever is found
}

func (m *matcher) kind(ecosystem string) *kind {
	k := &kind{ecosystem: NormalEcosystem(ecosystem)}
	k.name, _, _ = strings.Cut(k.ecosystem, ":")
	k.order, k.both = schemes[k.name], namings[k.name] == byBoth
	if release, found := strings.CutPrefix(k.ecosystem, "Ubuntu:"); found && !strings.HasPrefix(release, "Pro:") {
		if place, covered := m.index.places["Ubuntu:Pro:"+release]; covered {
			k.pro = &kind{name: k.name, ecosystem: "Ubuntu:Pro:" + release, order: k.order, held: &m.index.About.Ecosystems[place]}
		}
	}
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
