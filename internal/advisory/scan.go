package advisory

import (
	"bytes"
	"fmt"
	"strings"
)

// installed is the version that is asked about.
type installed struct {
	order    *scheme
	version  string
	key      []byte
	keyed    bool
	modular  modular
	stream   string // of its module, "" when it is not known
	failed   error  // of the first comparison that could not be made
	unstated bool   // whether the version is none
	unlisted bool   // whether a record does not list it
}

// installed reads the version of a package, into the matcher's room for a key.
func (m *matcher) installed(a *asked) installed {
	v := installed{order: a.kind.order, version: a.version}
	if v.order == nil {
		return v
	}
	v.key, v.keyed = v.order.makeKey(m.key[:0], v.version)
	v.unstated = !v.order.mayBe(v.version) || !v.keyed && !v.order.places(v.version)
	if v.order == rpmScheme {
		v.modular = plain
		if label := m.q.Packages[a.of].Module; label != "" || isModular(v.version) {
			v.modular, v.stream = streamed, streamOf(label)
		}
	}
	return v
}

// compare gives the order of the installed version and a bound.
func (v *installed) compare(bound, key []byte) int {
	if v.keyed && len(key) > 0 {
		return v.order.order(v.key, key)
	}
	n, err := v.order.compareText(v.version, string(bound))
	if err != nil && v.failed == nil {
		v.failed = err
	}
	return n
}

// scan holds all versions to what the index says of their packages.
func (m *matcher) scan() error {
	m.ahead(packageSection, len(m.asked), func(i int) ref {
		a := &m.asked[i]
		if a.at >= a.kind.held.First+a.kind.held.Packages {
			return ref{}
		}
		hash, place, err := m.index.key(a.at)
		if err != nil || hash != a.hash {
			return ref{}
		}
		return place
	})
	for i := range m.asked {
		if err := m.scanOne(&m.asked[i]); err != nil {
			return err
		}
	}
	return nil
}

func (m *matcher) scanOne(a *asked) error {
	entry, err := m.index.find(a.kind.held, a.at, a.hash, a.name)
	if err != nil {
		return err
	}
	if entry == nil {
		return nil // nothing is published about it, whatever its version
	}
	v := m.installed(a)
	if v.unstated {
		v.order, v.keyed = nil, false // records may list it all the same
	}
	c := cursorOf(entry)
	if end := c.Byte(); end != endless {
		above := bytes.Compare(v.key, c.Bytes())
		if v.keyed && !c.Bad && (v.order.circles == nil || !isOdd(v.key)) && (above > 0 || above == 0 && end == before) {
			return nil
		}
	}
	last := ref{}
	for range c.Count() {
		if m.claim(&c, a.of, &v, &last); len(m.hits) > mostNames {
			return damaged("over %d records for one answer", mostNames)
		}
	}
	if !c.Whole() {
		return damaged("the entry of %.100s", a.name)
	}
	if v.unstated && v.unlisted {
		m.doubt(a.of, a.kind.ecosystem, fmt.Sprintf("%.100q of %.100s is no version", m.q.Packages[a.of].Version, m.q.Packages[a.of].Name))
	}
	if v.failed != nil {
		m.doubt(a.of, a.kind.ecosystem, fmt.Sprintf("%.100s: %v", a.name, v.failed))
	}
	return nil
}

// claim reads what one record says of a package, and notes it when it holds for the installed version.
func (m *matcher) claim(c *cursor, of int, v *installed, last *ref) {
	h := hit{of: of, order: v.order, record: c.ref(last), head: c.Byte()}
	if h.head&isOpen != 0 {
		if h.lack = lack(c.Byte()); h.lack == complete || h.lack >= lacks {
			c.Fail()
		}
	}
	concerns := true
	if h.head&isStreamed != 0 {
		concerns = v.reads(c) && v.modular != plain
	} else if h.head&isPlain != 0 {
		concerns = v.modular != streamed
	}
	if h.head&isImported != 0 {
		h.imports = c.texts()
	}
	in := false
	for range c.Count() {
		if v.within(c, &h) {
			in = true
		}
	}
	for range c.Count() {
		if string(c.Bytes()) == v.version {
			in = true
		}
	}
	if in {
		h.lack = complete
	} else if concerns {
		v.unlisted = true
	}
	if (in || h.lack != complete) && concerns && v.failed == nil && !c.Bad {
		m.hits = append(m.hits, h)
	}
}

// reads says whether the streams that a claim is for may be that of the package.
func (v *installed) reads(c *cursor) bool {
	n := c.Count()
	same := n == 0 || v.stream == ""
	for range n {
		if string(c.Bytes()) == v.stream {
			same = true
		}
	}
	return same
}

// within says whether the version lies in the interval, and notes the fix that ends it.
func (v *installed) within(c *cursor, h *hit) bool {
	flags := c.Byte()
	in := v.order != nil
	if flags&hasLower != 0 {
		bound, key := c.Bytes(), c.Bytes()
		if in && !c.Bad {
			n := v.compare(bound, key)
			in = n > 0 || n == 0 && flags&overLower == 0
		}
	}
	if end := flags & endMask; end != endless {
		bound, key := c.Bytes(), c.Bytes()
		if in && !c.Bad {
			n := v.compare(bound, key)
			in = n < 0 || n == 0 && end == inclusive
			if in && end == before {
				h.fixed = bound
			}
		}
	}
	return in
}

// arena holds the texts of an answer together, apart from the file, which may go away.
type arena struct {
	text strings.Builder
	list []string
	size int
}

// maxArena is the largest piece of an arena, in bytes.
const maxArena = 64 << 10

func (a *arena) string(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	from := a.text.Len()
	if a.text.Cap()-from < len(b) {
		a.size = min(max(2*a.size, 4<<10), maxArena)
		a.text.Reset()
		a.text.Grow(max(a.size, len(b)))
		from = 0
	}
	a.text.Write(b)
	return a.text.String()[from:]
}

// strings gives room for a list of n texts.
func (a *arena) strings(n int) []string {
	if n > cap(a.list)-len(a.list) {
		a.list = make([]string, 0, max(n, 512))
	}
	from := len(a.list)
	a.list = a.list[: from+n : cap(a.list)]
	return a.list[from : from : from+n]
}
