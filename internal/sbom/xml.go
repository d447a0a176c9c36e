package sbom

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// markup is a CycloneDX document in XML on its way past (cyclonedx.org/docs/1.6/xml).
type markup struct {
	g     *gathering
	path  []string // the elements that are open
	open  []*openComponent
	text  strings.Builder // of the element that was opened last
	from  string          // the dependency whose parts may follow
	count int
}

// openComponent is a component whose end has not come yet.
type openComponent struct {
	part
	hint
	depth    int // of its element in the path
	class    string
	product  bool
	licences []string
	attr     string // of the hash or property that is open
}

func readXML(g *gathering, r io.Reader) error {
	d := xml.NewDecoder(&tagGuard{r: r, limit: g.limits.Text})
	m := &markup{g: g}
	for {
		t, err := d.RawToken() // names with prefixes are not CycloneDX' own
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = m.token(t)
		}
		if err != nil {
			line, column := d.InputPos()
			return fmt.Errorf("line %d, column %d in %s: %w", line, column, m.place(), err)
		}
	}
	if len(m.path) > 0 {
		return fmt.Errorf("the text ends too early, in %s", m.place())
	}
	return nil
}

func (m *markup) place() string { return strings.Join(m.path[max(0, len(m.path)-6):], "/") }

func (m *markup) token(t xml.Token) error {
	switch t := t.(type) {
	case xml.StartElement:
		if len(m.path) >= m.g.limits.Depth {
			return boundError(fmt.Sprintf("elements stand more than %d deep in one another", m.g.limits.Depth))
		}
		m.path = append(m.path, t.Name.Local)
		m.text.Reset()
		return m.start(t)
	case xml.CharData:
		if room := maxWord - m.text.Len(); room > 0 {
			m.text.Write(t[:min(len(t), room)])
		}
	case xml.EndElement:
		if len(m.path) == 0 || m.path[len(m.path)-1] != t.Name.Local {
			return fmt.Errorf("</%.60s> closes what is not open", t.Name.Local)
		}
		m.end(t.Name.Local, strings.TrimSpace(m.text.String()))
		m.path = m.path[:len(m.path)-1]
		m.text.Reset()
	}
	return nil
}

// parent is the name of the element around the one that was opened last, "" for the root's.
func (m *markup) parent() string {
	if i := len(m.path) - 2; i >= 0 {
		return m.path[i]
	}
	return ""
}

func attribute(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name {
			return strings.Clone(a.Value[:min(len(a.Value), maxWord)])
		}
	}
	return ""
}

// top is the innermost component that is open, nil when there is none.
func (m *markup) top() *openComponent {
	if len(m.open) == 0 {
		return nil
	}
	return m.open[len(m.open)-1]
}

func (m *markup) start(t xml.StartElement) error {
	switch name := t.Name.Local; {
	case len(m.path) == 1:
		version, found := strings.CutPrefix(attribute(t, "xmlns"), "http://cyclonedx.org/schema/bom/")
		if !found || name != "bom" || !strings.HasPrefix(version, "1.") {
			return errNoBill
		}
		m.g.is("sbom-cyclonedx-" + version)
	case name == "component" && m.isComponent():
		m.count++
		c := &openComponent{depth: len(m.path), class: attribute(t, "type"), product: m.parent() == "metadata"}
		c.at, c.id = fmt.Sprintf("component %d", m.count), attribute(t, "bom-ref")
		m.open = append(m.open, c)
	case name == "dependency" && m.parent() == "dependencies":
		m.from = attribute(t, "ref")
	case name == "dependency" && m.parent() == "dependency":
		m.g.relate(depends, m.from, attribute(t, "ref"))
	case m.top() != nil && name == "hash":
		m.top().attr = attribute(t, "alg")
	case m.top() != nil && name == "property":
		m.top().attr = attribute(t, "name")
	}
	return nil
}

// isComponent says whether the component that was opened last is one of the bill, and not one of its tools, authors or
// ancestors.
func (m *markup) isComponent() bool {
	switch m.parent() {
	case "metadata":
		return len(m.path) == 3
	case "components":
		return len(m.path) == 3 || m.top() != nil && m.top().depth == len(m.path)-2
	}
	return false
}

// end reads an element that holds text.
func (m *markup) end(name, text string) {
	switch c := m.top(); {
	case c != nil && c.depth == len(m.path):
		m.open = m.open[:len(m.open)-1]
		c.licence = joined(c.licences)
		m.g.cyclonedxAdd(c.part, c.class, &c.hint, c.product)
	case c != nil:
		c.field(m.path[c.depth:], text)
	case name == "aggregate" && m.parent() == "composition":
		m.g.aggregate(text)
	case name == "text" && m.parent() == "annotation":
		m.g.note(text)
	}
}

// field reads an element of a component; path is the one from the component.
func (c *openComponent) field(path []string, text string) {
	switch strings.Join(path, "/") {
	case "group":
		c.group = text
	case "name":
		c.name = text
	case "version":
		c.version = text
	case "purl":
		c.purl = text
	case "description":
		c.title = text
	case "licenses/expression", "licenses/license/id", "licenses/license/name":
		c.licences = append(c.licences, text)
	case "hashes/hash":
		if c.attr == "SHA-256" {
			c.digest = "sha256:" + text
		}
	case "properties/property":
		c.property(&c.hint, c.attr, text)
	case "evidence/occurrences/occurrence/location":
		if c.place == "" {
			c.place = text
		}
	}
}

// tagGuard holds XML that passes to a bound on what stands between two tags, and in one.
type tagGuard struct {
	r           io.Reader
	word, limit int
}

func (g *tagGuard) Read(p []byte) (int, error) {
	n, err := g.r.Read(p)
	for i, c := range p[:n] {
		if g.word++; c == '<' || c == '>' {
			g.word = 0
		}
		if g.word > g.limit {
			return i, boundError(fmt.Sprintf("a text has more than %d bytes", g.limit))
		}
	}
	return n, err
}
