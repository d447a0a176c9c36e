package document

import (
	"encoding/binary"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// maxDepth bounds nesting. No object comes near it, unless somebody means it to.
const maxDepth = 500

// servedDepth is what an API server reads (maxNestingDepth of encoding/json), and an answer that is wrapped around it.
const servedDepth = 10_000 + 20

// ParseJSON reads one JSON value; text behind it, or a fault, is an Error.
func ParseJSON(content string) (*Doc, *Error) { return parseJSON(content, maxDepth) }

// ParseServed is ParseJSON for what an API server sends: as deep as it reads itself. In metadata.managedFields
// it keeps whatever a user wrote, to any depth, and one such object must not hide those that stand beside it.
func ParseServed(content string) (*Doc, *Error) { return parseJSON(content, servedDepth) }

func parseJSON(content string, deepest int) (*Doc, *Error) {
	t := NewText(content)
	docs, err := parseJSONStream(t, deepest)
	switch {
	case err != nil:
		return nil, err
	case len(docs) != 1:
		return nil, t.errorAt(0, CodeSyntax, "want one JSON value, found "+strconv.Itoa(len(docs)), remedySyntax)
	}
	return docs[0], nil
}

// parseJSONStream reads concatenated JSON values.
func parseJSONStream(t *Text, deepest int) ([]*Doc, *Error) {
	var docs []*Doc
	p := jsonParsers.Get().(*jsonParser)
	p.source, p.s, p.at, p.fault, p.depth, p.deepest = t, t.content, 0, "", 0, deepest
	defer func() {
		p.source, p.s, p.duplicate = nil, "", nil
		jsonParsers.Put(p)
	}()
	for {
		p.space()
		if p.at == len(p.s) {
			return docs, nil
		}
		if len(docs) == maxDocuments {
			return docs, t.tooMany(p.at)
		}
		p.nodes, p.side, p.dropped, p.duplicate = p.nodes[:0], p.side[:0], p.dropped[:0], nil
		start := p.at
		p.value(uint32(p.at), 0)
		if p.fault != "" {
			code, remedy := CodeSyntax, "Mend the JSON at this place."
			switch p.fault {
			case faultDeep:
				code, remedy = CodeTooLarge, remedyDeep
			case faultMany:
				code, remedy = CodeTooLarge, "Split the document."
			}
			return docs, t.errorAt(p.faultAt, code, "JSON: "+p.fault, remedy)
		}
		if len(p.dropped) > 0 {
			p.nodes = without(p.nodes, p.dropped)
		}
		d := &Doc{text: t.content, source: t, start: uint32(start), end: uint32(p.at)}
		d.take(p.nodes, p.side)
		d.duplicate = p.duplicate
		docs = append(docs, d)
	}
}

// jsonParsers keeps the scratch memory of parsers.
var jsonParsers = sync.Pool{New: func() any { return new(jsonParser) }}

// take copies scratch nodes and decoded text at their exact size.
func (d *Doc) take(nodes []node, side []byte) {
	d.nodes = make([]node, len(nodes))
	copy(d.nodes, nodes)
	d.side = string(side)
}

// scratchDoc looks at nodes that are still being built. It shares side instead of copying it, so
// it must not outlive the next append.
func scratchDoc(text string, side []byte, nodes []node) Doc {
	return Doc{text: text, side: unsafe.String(unsafe.SliceData(side), len(side)), nodes: nodes}
}

const (
	faultDeep = "nested too deep"
	faultMany = "more values in one document than there is room for"
)

// maxNodes bounds the values of one document, and with them its memory, to 320 MiB. The largest
// answers of an API server that are read have 256 MiB of text, with a value in twenty bytes or more.
const maxNodes = 1 << 24

const remedyDeep = "Leave it out: no Kubernetes object is nested over 500 levels deep."

type jsonParser struct {
	source    *Text
	s         string
	at        int
	nodes     []node
	side      []byte
	fault     string // the first, and where
	faultAt   int
	depth     int
	deepest   int    // level that is read
	duplicate *Error // the first in the document at hand
	dropped   []span // entries of it that a later one with the same key takes the place of
	keys      keySet
}

func (p *jsonParser) space() {
	for p.at < len(p.s) {
		switch p.s[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *jsonParser) fail(fault string) {
	if p.fault == "" {
		p.fault, p.faultAt = fault, p.at
	}
}

func (p *jsonParser) add(pos, keyMeta uint32, k Kind, off, size int) {
	if len(p.nodes) >= maxNodes {
		p.fail(faultMany)
		return
	}
	p.nodes = append(p.nodes, node{pos: pos, meta: keyMeta | uint32(k), off: uint32(off), size: uint32(size), next: uint32(len(p.nodes) + 1)})
}

// value reads one value; pos and keyMeta describe the entry it stands in.
func (p *jsonParser) value(pos, keyMeta uint32) {
	if p.at >= len(p.s) {
		p.fail("the text ends early")
		return
	}
	switch c := p.s[p.at]; {
	case c == '{' || c == '[':
		p.container(pos, keyMeta, c)
	case c == '"':
		off, size, side := p.str()
		if side {
			keyMeta |= flagSide
		}
		p.add(pos, keyMeta, String, off, size)
	case c == '-' || c >= '0' && c <= '9':
		p.number(pos, keyMeta)
	default:
		p.word(pos, keyMeta)
	}
}

func (p *jsonParser) word(pos, keyMeta uint32) {
	rest := p.s[p.at:]
	switch {
	case strings.HasPrefix(rest, "true"):
		p.add(pos, keyMeta, Bool, p.at, 1)
		p.at += 4
	case strings.HasPrefix(rest, "false"):
		p.add(pos, keyMeta, Bool, p.at, 0)
		p.at += 5
	case strings.HasPrefix(rest, "null"):
		p.add(pos, keyMeta, Null, p.at, 0)
		p.at += 4
	default:
		p.fail("want a value, found " + strconv.QuoteRune(firstRune(rest)))
	}
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

// number reads by the grammar of RFC 8259 section 6.
func (p *jsonParser) number(pos, keyMeta uint32) {
	start, kind := p.at, Int
	digits := func() int {
		n := 0
		for p.at < len(p.s) && p.s[p.at] >= '0' && p.s[p.at] <= '9' {
			p.at++
			n++
		}
		return n
	}
	if p.s[p.at] == '-' {
		p.at++
	}
	zero := p.at < len(p.s) && p.s[p.at] == '0'
	if n := digits(); n == 0 || zero && n > 1 {
		p.fail("not a number")
		return
	}
	if p.at < len(p.s) && p.s[p.at] == '.' {
		kind = Float
		p.at++
		if digits() == 0 {
			p.fail("not a number")
			return
		}
	}
	if p.at < len(p.s) && (p.s[p.at] == 'e' || p.s[p.at] == 'E') {
		kind = Float
		p.at++
		if p.at < len(p.s) && (p.s[p.at] == '+' || p.s[p.at] == '-') {
			p.at++
		}
		if digits() == 0 {
			p.fail("not a number")
			return
		}
	}
	p.add(pos, keyMeta, kind, start, p.at-start)
}

// str reads a string and says where its content is: in the text, or decoded in side.
func (p *jsonParser) str() (off, size int, side bool) {
	start := p.at + 1
	for i := start; i < len(p.s); i++ {
		if c := p.s[i]; c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		p.at = i
		switch p.s[i] {
		case '"':
			p.at++
			return start, i - start, false
		case '\\':
			return p.escaped(start)
		}
		p.fail("a control character in a string")
		return 0, 0, false
	}
	p.at = len(p.s)
	p.fail("a string without an end")
	return 0, 0, false
}

// escaped reads the rest of a string that has escapes: what stands between them in one piece each.
func (p *jsonParser) escaped(start int) (off, size int, side bool) {
	off = len(p.side)
	for i := start; i < len(p.s); i++ {
		switch c := p.s[i]; {
		case c == '"':
			p.side = append(p.side, p.s[start:i]...)
			p.at = i + 1
			return off, len(p.side) - off, true
		case c == '\\':
			p.side = append(p.side, p.s[start:i]...)
			p.at = i
			if !p.escape() {
				p.fail("an unknown escape in a string")
				return 0, 0, false
			}
			start, i = p.at, p.at-1
		case c < ' ':
			p.at = i
			p.fail("a control character in a string")
			return 0, 0, false
		}
	}
	p.at = len(p.s)
	p.fail("a string without an end")
	return 0, 0, false
}

// escape decodes one escape sequence; a lone surrogate becomes U+FFFD, as encoding/json has it.
func (p *jsonParser) escape() bool {
	if p.at+1 >= len(p.s) {
		return false
	}
	c := p.s[p.at+1]
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		p.side = append(p.side, "\"\\/\b\f\n\r\t"[i])
		p.at += 2
		return true
	}
	r, ok := hex4(p.s, p.at)
	if !ok {
		return false
	}
	p.at += 6
	if utf16.IsSurrogate(r) {
		low, ok := hex4(p.s, p.at)
		if pair := utf16.DecodeRune(r, low); ok && pair != utf8.RuneError {
			r = pair
			p.at += 6
		} else {
			r = utf8.RuneError
		}
	}
	p.side = utf8.AppendRune(p.side, r)
	return true
}

func hex4(s string, at int) (rune, bool) {
	if at+6 > len(s) || s[at] != '\\' || s[at+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[at+2:at+6], 16, 16)
	return rune(n), err == nil
}

func (p *jsonParser) container(pos, keyMeta uint32, open byte) {
	if p.depth++; p.depth > p.deepest {
		p.fail(faultDeep)
		return
	}
	kind, end := Map, byte('}')
	if open == '[' {
		kind, end = List, ']'
	}
	self := len(p.nodes)
	p.add(pos, keyMeta, kind, p.at, 0)
	p.at++
	count := 0
	for p.fault == "" {
		p.space()
		if p.at >= len(p.s) {
			p.fail("the text ends early")
			return
		}
		if p.s[p.at] == end && count == 0 {
			break
		}
		if kind == Map {
			p.entry()
		} else {
			p.value(uint32(p.at), 0)
		}
		count++
		p.space()
		if p.fault != "" || p.at < len(p.s) && p.s[p.at] == end {
			break
		}
		if p.at >= len(p.s) {
			p.fail("the text ends early")
			return
		}
		if p.s[p.at] != ',' {
			p.fail("want a comma or the end of the " + kind.String())
			return
		}
		p.at++
	}
	if p.fault != "" {
		return
	}
	p.at++
	p.depth--
	p.nodes[self].size = uint32(count)
	p.nodes[self].next = uint32(len(p.nodes))
	if kind == Map {
		p.unique(self)
	}
}

func (p *jsonParser) entry() {
	if p.s[p.at] != '"' {
		p.fail("want a key in quotes")
		return
	}
	pos := p.at
	off, size, side := p.str()
	if p.fault != "" {
		return
	}
	if size > maxKey {
		p.fail("a key longer than 16 MiB")
		return
	}
	meta := uint32(size)<<8 | flagKeyQuoted
	if side {
		p.side = binary.LittleEndian.AppendUint32(p.side, uint32(pos)) // see Doc.offset
		pos, meta = off, uint32(size)<<8|flagKeySide
	}
	p.space()
	if p.at >= len(p.s) || p.s[p.at] != ':' {
		p.fail("want a colon behind the key")
		return
	}
	p.at++
	p.space()
	p.value(uint32(pos), meta)
}

// unique keeps the last of equal keys, as encoding/json does, and notes the doubt.
func (p *jsonParser) unique(self int) {
	d := scratchDoc(p.s, p.side, p.nodes)
	first, again := d.equalKeys(uint32(self), &p.keys)
	if again == 0 {
		return
	}
	if p.duplicate == nil {
		p.duplicate = p.source.duplicateAt(d.offset(again), d.key(first))
	}
	before := len(p.dropped)
	p.dropped = d.outdated(uint32(self), &p.keys, p.dropped)
	p.nodes[self].size -= uint32(len(p.dropped) - before)
}
