package document

import "strings"

// block reads the plain block subset of YAML in which nearly all manifests are written: nested
// maps and lists, scalars plain and quoted, block scalars, small flow collections, comments. It
// never guesses: whatever is outside the subset, or looks wrong, makes it give up, and the
// document goes to the library (foreign.go). FuzzDifferential proves that what it does accept
// means the same to sigs.k8s.io/yaml.
//
// Every method that returns a bool returns false to give up. Between two lines the reader stands
// at the start of a line, or, once peek has run, on the first byte of the next line with content.
type block struct {
	s     string // the whole text
	p     int    // where the reader stands
	end   int    // behind the document
	line  int    // offset of the line the reader stands in
	nodes []node
	side  []byte
	keys  keySet

	ready    bool // peek has run and nothing was consumed since
	indent   int  // column of the content that peek found; -1 at the end of the document
	blanks   int  // blank lines that peek passed
	comments int  // comment lines that peek passed
}

// maxBlockDepth is where the reader gives up and leaves the document to the library's own bound.
const maxBlockDepth = 100

// readBlock reads s[start:end], or gives up.
func (b *block) readBlock(s string, start, end int) bool {
	*b = block{s: s, p: start, end: end, nodes: b.nodes[:0], side: b.side[:0], keys: b.keys}
	n, ok := b.peek()
	if !ok {
		return false
	}
	if n < 0 {
		return true
	}
	if !b.atDash() && !b.atKey() {
		return false // a lone scalar or flow collection
	}
	if !b.node(uint32(b.p), 0, -1, 0) {
		return false
	}
	n, ok = b.peek()
	return ok && n < 0
}

// tame says whether text has only characters that mean to this reader what they mean to the
// library: no tabs in indentation is checked as lines are read, here go control characters,
// carriage returns and the line breaks of Unicode. It looks at eight bytes at a time: byte by byte
// it took a quarter of all reading.
func tame(s string) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	ascii := uint64(0)
	i := 0
	for ; i+8 <= len(s); i += 8 {
		x := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		ascii |= x
		control := ^((x | high) - ' '*ones)           // the high bit of each byte below a space
		newline := ^((x ^ '\n'*ones | high) - ones)   // of each newline
		tab := ^((x ^ '\t'*ones | high) - ones)       // of each tab
		del := ^((x ^ 0x7f*ones | high) - ones)       // of each DEL
		if (control&^newline&^tab|del)&^x&high != 0 { // and of no byte that is not ASCII
			return false
		}
	}
	for ; i < len(s); i++ {
		c := s[i]
		if c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
			return false
		}
		ascii |= uint64(c)
	}
	return ascii&high == 0 || tameRunes(s)
}

func tameRunes(s string) bool {
	for _, r := range s {
		if r >= 0x80 && r <= 0x9f || r == 0x2028 || r == 0x2029 || r == 0xfeff || r >= 0xfffd && r <= 0xffff {
			return false
		}
	}
	return true
}

// peek moves to the next line with content and returns its column, -1 at the end.
func (b *block) peek() (int, bool) {
	if b.ready {
		return b.indent, true
	}
	b.blanks, b.comments = 0, 0
	s := b.s[:b.end]
	p := b.p
	for p < len(s) {
		start := p
		for p < len(s) && s[p] == ' ' {
			p++
		}
		if p == len(s) {
			break
		}
		switch s[p] {
		case '\n':
			b.blanks++
			p++
			continue
		case '#':
			b.comments++
			n := strings.IndexByte(s[p:], '\n')
			if n < 0 {
				n = len(s) - p - 1
			}
			p += n + 1
			continue
		case '\t':
			return 0, false
		case '-', '.':
			if p == start && isMarker(s[p:]) {
				return 0, false // with content behind it
			}
		}
		b.line, b.p, b.indent, b.ready = start, p, p-start, true
		return b.indent, true
	}
	b.p, b.indent, b.ready = len(s), -1, true
	return -1, true
}

// blankAt says whether a token ends before offset i.
func (b *block) blankAt(i int) bool { return i >= b.end || b.s[i] == ' ' || b.s[i] == '\n' }

func (b *block) spaces() {
	for b.p < b.end && b.s[b.p] == ' ' {
		b.p++
	}
}

// atComment says whether the reader stands at the end of a line's content: its end or a comment.
func (b *block) atComment() bool {
	return b.p >= b.end || b.s[b.p] == '\n' || b.s[b.p] == '#' && b.p > b.line && b.s[b.p-1] == ' '
}

// nextLine moves behind the end of the line.
func (b *block) nextLine() {
	b.ready = false
	if n := strings.IndexByte(b.s[b.p:b.end], '\n'); n >= 0 {
		b.p += n + 1
		return
	}
	b.p = b.end
}

// endLine passes the rest of a line that must hold nothing more than a comment.
func (b *block) endLine() bool {
	b.spaces()
	if !b.atComment() {
		return false
	}
	b.nextLine()
	return true
}

func (b *block) add(pos, meta uint32, k Kind, off, size int) {
	b.nodes = append(b.nodes, node{pos: pos, meta: meta | uint32(k), off: uint32(off), size: uint32(size), next: uint32(len(b.nodes) + 1)})
}

// node reads the value that begins on the line the reader stands in.
func (b *block) node(pos, meta uint32, parent, depth int) bool {
	switch {
	case depth > maxBlockDepth || len(b.nodes) >= maxNodes:
		return false
	case b.atDash():
		return b.sequence(pos, meta, depth)
	case b.atKey():
		return b.mapping(pos, meta, depth)
	default:
		return b.inline(pos, meta, parent, depth)
	}
}

func (b *block) atDash() bool { return b.p < b.end && b.s[b.p] == '-' && b.blankAt(b.p+1) }

// atKey says whether the line goes on with a key and its colon.
func (b *block) atKey() bool {
	end, _ := b.keyEnd()
	return end > 0
}

// keyEnd finds the colon behind the key that begins here; end is 0 when there is none.
func (b *block) keyEnd() (end int, quoted bool) {
	s := b.s[:b.end]
	if b.p >= len(s) {
		return 0, false
	}
	if q := s[b.p]; q == '"' || q == '\'' {
		for i := b.p + 1; i < len(s); i++ {
			switch s[i] {
			case q:
				if i+1 < len(s) && s[i+1] == ':' && b.blankAt(i+2) {
					return i + 1, true
				}
				return 0, true
			case '\\', '\n':
				return 0, true
			}
		}
		return 0, true
	}
	if !plainStart(s[b.p:]) {
		return 0, false
	}
	for i := b.p; i < len(s); i++ {
		switch s[i] {
		case ':':
			if b.blankAt(i + 1) {
				return i, false
			}
		case '\n', '\t':
			return 0, false
		case '#':
			if i > b.p && s[i-1] == ' ' {
				return 0, false
			}
		}
	}
	return 0, false
}

// key reads a key and its colon.
func (b *block) key() (pos, meta uint32, ok bool) {
	end, quoted := b.keyEnd()
	start := b.p
	if end == 0 || end-start > 1000 || len(b.nodes) >= maxNodes {
		return 0, 0, false
	}
	b.ready = false
	b.p = end + 1
	if quoted {
		return uint32(start), uint32(end-start-2)<<8 | flagKeyQuoted, true
	}
	text := strings.TrimRight(b.s[start:end], " ")
	if !plainStart(text) || text == "<<" {
		return 0, 0, false
	}
	if kind, ok := resolve(text); !ok || kind != String {
		return 0, 0, false
	}
	return uint32(start), uint32(len(text)) << 8, true
}

// plainStart says whether the text may begin a plain scalar, with a margin.
func plainStart(text string) bool {
	if text == "" {
		return false
	}
	switch text[0] {
	case '?', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`', ' ', '\t', '\n':
		return false
	case '-', ':':
		return len(text) > 1 && text[1] != ' ' && text[1] != '\t' && text[1] != '\n'
	default:
		return true
	}
}

func (b *block) mapping(pos, meta uint32, depth int) bool {
	self := len(b.nodes)
	indent := b.p - b.line
	b.add(pos, meta, Map, b.p, 0)
	count := 0
	for {
		keyPos, keyMeta, ok := b.key()
		if !ok || !b.value(keyPos, keyMeta, indent, true, depth+1) {
			return false
		}
		count++
		n, ok := b.peek()
		if !ok || n > indent {
			return false
		}
		if n < indent {
			break
		}
	}
	b.nodes[self].size, b.nodes[self].next = uint32(count), uint32(len(b.nodes))
	d := scratchDoc(b.s, b.side, b.nodes)
	_, again := d.equalKeys(uint32(self), &b.keys)
	return again == 0
}

func (b *block) sequence(pos, meta uint32, depth int) bool {
	self := len(b.nodes)
	indent := b.p - b.line
	b.add(pos, meta, List, b.p, 0)
	count := 0
	for {
		b.p++ // the dash
		b.ready = false
		if len(b.nodes) >= maxNodes || !b.item(indent, depth+1) {
			return false
		}
		count++
		n, ok := b.peek()
		if !ok || n > indent {
			return false
		}
		if n < indent || !b.atDash() {
			break
		}
	}
	b.nodes[self].size, b.nodes[self].next = uint32(count), uint32(len(b.nodes))
	return true
}

// item reads what stands behind a dash.
func (b *block) item(indent, depth int) bool {
	dash := b.p - 1
	b.spaces()
	if b.atComment() {
		b.p = dash + 1
		return b.value(uint32(dash), 0, indent, false, depth)
	}
	return b.node(uint32(b.p), 0, indent, depth)
}

// value reads what stands behind a key's colon or a dash, on the same line or below.
func (b *block) value(pos, meta uint32, indent int, inMap bool, depth int) bool {
	b.spaces()
	if !b.atComment() {
		return b.inline(pos, meta, indent, depth)
	}
	b.nextLine()
	n, ok := b.peek()
	switch {
	case !ok:
		return false
	case n > indent:
		if !inMap {
			pos = uint32(b.p)
		}
		return b.node(pos, meta, indent, depth)
	case inMap && n == indent && b.atDash():
		return b.sequence(pos, meta, depth)
	default:
		b.add(pos, meta, Null, b.p, 0)
		return true
	}
}

// inline reads a scalar or a flow collection that begins where the reader stands.
func (b *block) inline(pos, meta uint32, parent, depth int) bool {
	b.ready = false
	switch b.s[b.p] {
	case '"', '\'':
		off, size, side, ok := b.quoted()
		if !ok || !b.endLine() {
			return false
		}
		if side {
			meta |= flagSide
		}
		b.add(pos, meta, String, off, size)
		return true
	case '|', '>':
		return b.scalarBlock(pos, meta, parent)
	case '[', '{':
		return b.flow(pos, meta, parent, depth) && b.endLine()
	default:
		return b.plain(pos, meta, parent)
	}
}

// plainLine reads the rest of the line as part of a plain scalar.
func (b *block) plainLine() (text string, comment, ok bool) {
	s := b.s[b.p:b.end]
	if n := strings.IndexByte(s, '\n'); n >= 0 {
		s = s[:n]
	}
	for i := range len(s) {
		switch s[i] {
		case ':':
			if i+1 == len(s) || s[i+1] == ' ' {
				return "", false, false
			}
		case '\t':
			return "", false, false
		case '#':
			if i > 0 && s[i-1] == ' ' {
				return strings.TrimRight(s[:i], " "), true, true
			}
		}
	}
	return strings.TrimRight(s, " "), false, true
}

func (b *block) plain(pos, meta uint32, parent int) bool {
	start := b.p
	text, comment, ok := b.plainLine()
	if !ok || !plainStart(text) {
		return false
	}
	b.nextLine()
	n, ok := b.peek()
	if !ok {
		return false
	}
	if n > parent {
		return !comment && b.comments == 0 && b.folded(pos, meta, parent, text)
	}
	kind, ok := resolve(text)
	if !ok {
		return false
	}
	size := len(text)
	if kind == Bool {
		size = 0
		if isTrue(text) {
			size = 1
		}
	}
	b.add(pos, meta, kind, start, size)
	return true
}

// folded reads the further lines of a plain scalar: a line break is a space, blank lines are
// line breaks (YAML 1.1, section 4.6, line folding). With a space in it, no text is a number,
// boolean or null.
func (b *block) folded(pos, meta uint32, parent int, first string) bool {
	off := len(b.side)
	b.side = append(b.side, first...)
	for {
		for range b.blanks {
			b.side = append(b.side, '\n')
		}
		if b.blanks == 0 {
			b.side = append(b.side, ' ')
		}
		b.ready = false
		text, comment, ok := b.plainLine()
		if !ok || text == "" {
			return false
		}
		b.side = append(b.side, text...)
		b.nextLine()
		n, ok := b.peek()
		if !ok {
			return false
		}
		if n <= parent {
			break
		}
		if comment || b.comments > 0 {
			return false
		}
	}
	b.add(pos, meta|flagSide, String, off, len(b.side)-off)
	return true
}
