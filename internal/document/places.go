package document

import (
	"slices"
	"sort"
	"strings"
	"sync"
	"unicode/utf8"

	yamlv3 "go.yaml.in/yaml/v3"
)

// places are the offsets of a document that the library read, one for each node.
type places struct {
	once    sync.Once
	offsets []uint32
}

// parseNodes reads a document by the library that keeps positions and leaves aliases alone; nil
// where it cannot (it knows YAML 1.2, the other 1.1).
func parseNodes(text string) (root *yamlv3.Node) {
	defer func() {
		if recover() != nil {
			root = nil
		}
	}()
	var n yamlv3.Node
	if err := yamlv3.Unmarshal([]byte(text), &n); err != nil || len(n.Content) == 0 {
		return nil
	}
	return n.Content[0]
}

// marks turns the library's lines and columns into offsets. It counts characters, not bytes, and
// knows more line breaks than LF.
type marks struct {
	text  string
	lines []uint32 // of each line, the number of characters before it
	steps []uint32 // the offset of each stride-th character
}

const stride = 64

func newMarks(text string) *marks {
	m := &marks{text: text, lines: []uint32{0}}
	count := uint32(0)
	for i, r := range text {
		if count%stride == 0 {
			m.steps = append(m.steps, uint32(i))
		}
		count++
		if r == '\n' || r == '\r' && !strings.HasPrefix(text[i+1:], "\n") || r == 0x85 || r == 0x2028 || r == 0x2029 {
			m.lines = append(m.lines, count)
		}
	}
	return m
}

func (m *marks) offset(n *yamlv3.Node) int {
	if n.Line < 1 || n.Line > len(m.lines) {
		return 0
	}
	count := int(m.lines[n.Line-1]) + max(n.Column, 1) - 1
	if count/stride >= len(m.steps) {
		return len(m.text)
	}
	at := int(m.steps[count/stride])
	for range count % stride {
		_, size := utf8.DecodeRuneInString(m.text[at:])
		at += size
	}
	return at
}

// locator walks the nodes of a document beside those of the library.
type locator struct {
	doc     *Doc
	marks   *marks
	offsets []uint32
}

// walk places the node at index i: entry is its key or itself, value itself.
func (l *locator) walk(i uint32, entry, value *yamlv3.Node) {
	d := l.doc
	l.offsets[i] = d.start + uint32(l.marks.offset(entry))
	if value.Kind == yamlv3.AliasNode {
		value = value.Alias
	}
	var fields map[string]field
	if value.Kind == yamlv3.MappingNode {
		fields = map[string]field{}
		addFields(fields, value)
	}
	index := 0
	for child := i + 1; child < d.nodes[i].next; child = d.nodes[child].next {
		switch f, found := fields[d.key(child)]; {
		case found:
			l.walk(child, f.key, f.value)
		case value.Kind == yamlv3.SequenceNode && index < len(value.Content):
			l.walk(child, value.Content[index], value.Content[index])
		default:
			for n := child; n < d.nodes[child].next; n++ {
				l.offsets[n] = l.offsets[i]
			}
		}
		index++
	}
}

type field struct{ key, value *yamlv3.Node }

// addFields collects a map's entries. As in the library that reads, an entry takes the place of
// an earlier one, merged or not, and of several merged maps the first wins.
func addFields(fields map[string]field, n *yamlv3.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Tag != "!!merge" {
			fields[keyName(key)] = field{key, value}
			continue
		}
		merged := []*yamlv3.Node{value}
		if value.Kind == yamlv3.SequenceNode {
			merged = value.Content
		}
		for _, from := range slices.Backward(merged) {
			if from.Kind == yamlv3.AliasNode {
				from = from.Alias
			}
			if from.Kind == yamlv3.MappingNode {
				addFields(fields, from)
			}
		}
	}
}

// keyName is a key as the document has it: one that is no string goes the way of readForeign.
func keyName(key *yamlv3.Node) string {
	if key.Kind == yamlv3.AliasNode {
		key = key.Alias
	}
	if key.Style&(yamlv3.DoubleQuotedStyle|yamlv3.SingleQuotedStyle) != 0 || key.Value == "" {
		return jsonText(key.Value)
	}
	if kind, ok := resolve(key.Value); ok && kind == String {
		return jsonText(key.Value)
	}
	var k any
	if err := readOne(key.Value, false, &k); err == nil {
		if name, err := keyText(k); err == nil {
			return name
		}
	}
	return jsonText(key.Value)
}

// findDuplicate places the key that stands twice; nil when none does. complaint is the line and the
// key as the library has them, for documents that the other library reads otherwise.
func (t *Text) findDuplicate(start, end int, complaint error) *Error {
	text := t.content[start:end]
	root := parseNodes(text)
	if root != nil {
		if key := duplicateBelow(root); key != nil {
			return t.duplicateAt(start+newMarks(text).offset(key), keyName(key))
		}
		if strings.Contains(text, "<<") {
			return nil // strict reading minds merged keys too
		}
	}
	line, message := t.lineOf(start, end, complaint.Error())
	e := t.errorAt(t.Offset(line), CodeDuplicate, message+"; only the last is judged", remedyDuplicate)
	e.Line, e.Column = line, 0
	return e
}

// duplicateBelow is the first key in the text that stood in its map before.
func duplicateBelow(n *yamlv3.Node) *yamlv3.Node {
	var found []*yamlv3.Node
	var walk func(*yamlv3.Node)
	walk = func(n *yamlv3.Node) {
		if n.Kind == yamlv3.MappingNode {
			seen := map[string]bool{}
			for i := 0; i+1 < len(n.Content); i += 2 {
				key := n.Content[i]
				name := keyName(key)
				if key.Tag != "!!merge" && seen[name] {
					found = append(found, key)
				}
				seen[name] = true
			}
		}
		for _, child := range n.Content {
			walk(child)
		}
	}
	walk(n)
	sort.Slice(found, func(i, j int) bool {
		a, b := found[i], found[j]
		return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
	})
	if len(found) == 0 {
		return nil
	}
	return found[0]
}
