package document

// flow reads a flow collection of plain words, quoted scalars and further collections. Comments,
// tabs, colons inside words and trailing commas are left to the library.
func (b *block) flow(pos, meta uint32, parent, depth int) bool {
	if depth > maxBlockDepth {
		return false
	}
	kind, end := Map, byte('}')
	if b.s[b.p] == '[' {
		kind, end = List, ']'
	}
	self := len(b.nodes)
	b.add(pos, meta, kind, b.p, 0)
	b.p++
	count := 0
	for {
		if !b.flowSpace(parent) {
			return false
		}
		if b.s[b.p] == end && count == 0 {
			break
		}
		if kind == Map && !b.flowEntry(parent, depth+1) || kind == List && !b.flowValue(uint32(b.p), 0, parent, depth+1) {
			return false
		}
		count++
		if !b.flowSpace(parent) {
			return false
		}
		if b.s[b.p] == end {
			break
		}
		if b.s[b.p] != ',' {
			return false
		}
		b.p++
	}
	b.p++
	b.nodes[self].size, b.nodes[self].next = uint32(count), uint32(len(b.nodes))
	if kind == List {
		return true
	}
	d := scratchDoc(b.s, b.side, b.nodes)
	_, again := d.equalKeys(uint32(self), &b.keys)
	return again == 0
}

// flowSpace passes spaces and line breaks; the reader then stands on a byte of the collection.
func (b *block) flowSpace(parent int) bool {
	for b.p < b.end {
		switch b.s[b.p] {
		case ' ':
			b.p++
		case '\n':
			b.p++
			b.line = b.p
		default:
			return len(b.nodes) < maxNodes && b.p-b.line > parent && b.p > b.line && b.s[b.p] != '\t' && b.s[b.p] != '#'
		}
	}
	return false
}

func (b *block) flowEntry(parent, depth int) bool {
	pos, meta := uint32(b.p), uint32(0)
	if q := b.s[b.p]; q == '"' || q == '\'' {
		_, size, side, ok := b.quoted()
		if !ok || side || size > 1000 {
			return false
		}
		meta = uint32(size)<<8 | flagKeyQuoted
	} else {
		start, size, ok := b.word()
		if !ok {
			return false
		}
		if kind, ok := resolve(b.s[start : start+size]); !ok || kind != String {
			return false
		}
		meta = uint32(size) << 8
	}
	if b.p >= b.end || b.s[b.p] != ':' || !b.blankAt(b.p+1) {
		return false
	}
	b.p++
	return b.flowSpace(parent) && b.flowValue(pos, meta, parent, depth)
}

func (b *block) flowValue(pos, meta uint32, parent, depth int) bool {
	switch b.s[b.p] {
	case '[', '{':
		return b.flow(pos, meta, parent, depth)
	case '"', '\'':
		off, size, side, ok := b.quoted()
		if side {
			meta |= flagSide
		}
		b.add(pos, meta, String, off, size)
		return ok && b.p < b.end && b.s[b.p] != ':'
	}
	start, size, ok := b.word()
	if !ok {
		return false
	}
	text := b.s[start : start+size]
	kind, ok := resolve(text)
	if kind == Bool {
		size = 0
		if isTrue(text) {
			size = 1
		}
	}
	b.add(pos, meta, kind, start, size)
	return ok
}

// word reads a plain scalar of letters, digits and harmless signs, which a comma, a bracket or a
// key's colon must end.
func (b *block) word() (start, size int, ok bool) {
	start = b.p
	i := start
	for i < b.end && wordByte(b.s[i]) {
		i++
	}
	b.p = i
	if i == start || i >= b.end || b.s[start] == '-' && (i == start+1 || b.s[start+1] == '-' && i == start+2) {
		return 0, 0, false
	}
	switch b.s[i] {
	case ',', ']', '}', ':', ' ':
		if b.s[i] == ' ' {
			for i < b.end && b.s[i] == ' ' {
				i++
			}
			if i >= b.end || b.s[i] != ',' && b.s[i] != ']' && b.s[i] != '}' {
				return 0, 0, false
			}
		} else if b.s[i] == ':' && !b.blankAt(i+1) {
			return 0, 0, false
		}
		return start, b.p - start, true
	}
	return 0, 0, false
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '/' || c == '-' || c == '$' || c == '(' || c == ')' || c == '+' || c == '='
}
