package document

import (
	"errors"
	"fmt"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
)

// form is how a value is written.
type form uint8

const (
	isEmpty     form = iota // nothing is written: null
	isWord                  // a plain scalar, or a JSON word or number
	isSingle                // in single quotes
	isDouble                // in double quotes
	isText                  // a block scalar
	isAlias                 // *name
	isFlowMap               // {a: b}
	isFlowList              // [a, b]
	isPair                  // the map a: b as an item of a flow list, without braces
	isBlockMap              // entries on lines of their own
	isBlockList             // items on lines of their own
)

// flow says whether what stands inside is in flow style.
func (f form) flow() bool { return f == isFlowMap || f == isFlowList || f == isPair }

// spot is where and how one value stands in a document's text; offsets count in that text.
type spot struct {
	form form
	// begin is where its entry begins: at its key, at the dash of a block list, at the item of a
	// flow list.
	begin int
	// behind is where a value may be written: behind the key's colon or the dash; -1 where there is neither.
	behind int
	// props is where an anchor or a tag before the value stands; start where there is none.
	props      int
	start, end int // the value
	// column is where the entries of a block collection begin in their lines, in bytes.
	column   int
	key      string
	merge    bool // a << entry
	target   *spot
	children []*spot
}

// errLayout is wrapped by every reason for which a text is not edited in place.
var errLayout = errors.New("its text cannot be edited in place")

func unplaced(reason string) error { return fmt.Errorf("%w: %s", errLayout, reason) }

// layout finds where everything stands in the text of one YAML document.
type layout struct {
	text    string
	marks   *marks
	spots   map[*yamlv3.Node]*spot // of anchors
	aliased bool
	depth   int
}

// layoutYAML is the layout of a YAML document.
func layoutYAML(text string) (s *spot, aliased bool, err error) {
	if strings.ContainsAny(text, "\u0085\u2028\u2029\ufeff") || strings.Count(text, "\r") != strings.Count(text, "\r\n") {
		return nil, false, unplaced("it has line breaks that most editors do not know")
	}
	root := parseNodes(text)
	if root == nil {
		return nil, false, unplaced("YAML 1.2 reads it otherwise than kubectl")
	}
	l := &layout{text: text, marks: newMarks(text), spots: map[*yamlv3.Node]*spot{}}
	s, err = l.value(root, -1, false)
	return s, l.aliased, err
}

// value finds one value. indent is the column of the block collection that it stands in, -1 for none.
func (l *layout) value(n *yamlv3.Node, indent int, inFlow bool) (*spot, error) {
	if l.depth++; l.depth > maxDepth {
		return nil, unplaced("it is nested too deep")
	}
	defer func() { l.depth-- }()
	s := &spot{props: l.marks.offset(n), behind: -1}
	s.begin = s.props
	if n.Anchor != "" && n.Kind != yamlv3.AliasNode {
		l.spots[n] = s
	}
	s.start = l.passProps(s.props)
	s.end = s.start
	switch n.Kind { //nolint:exhaustive // of the others there is nothing to do
	case yamlv3.AliasNode:
		s.form, s.target, l.aliased = isAlias, l.spots[n.Alias], true
		s.end = s.start + 1 + len(n.Value)
		if s.target == nil || !strings.HasPrefix(l.text[s.start:], "*"+n.Value) {
			return nil, unplaced("an alias stands in its own anchor")
		}
		return s, nil
	case yamlv3.ScalarNode:
		return s, l.scalar(s, n, indent, inFlow)
	case yamlv3.MappingNode:
		return s, l.mapping(s, n, inFlow)
	case yamlv3.SequenceNode:
		return s, l.sequence(s, n)
	}
	return nil, unplaced("it has a value of no known kind")
}

// at is the byte at an offset, 0 behind the end.
func (l *layout) at(i int) byte { return byteAt(l.text, i) }

// passProps passes anchors and tags, and what stands between them and the value.
func (l *layout) passProps(i int) int {
	for l.at(i) == '&' || l.at(i) == '!' {
		for i < len(l.text) && !strings.ContainsRune(" \t\r\n,]}", rune(l.text[i])) {
			i++
		}
		i = l.passBlank(i)
	}
	return i
}

// passBlank passes blanks, line breaks and comments.
func (l *layout) passBlank(i int) int {
	for i < len(l.text) {
		switch c := l.text[i]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			i++
		case c == '#' && (i == 0 || strings.IndexByte(" \t\r\n", l.text[i-1]) >= 0):
			n := strings.IndexByte(l.text[i:], '\n')
			if n < 0 {
				return len(l.text)
			}
			i += n + 1
		default:
			return i
		}
	}
	return i
}

// column is how many bytes stand before an offset on its line.
func (l *layout) column(i int) int { return i - lineStart(l.text, i) }

func lineStart(text string, i int) int { return strings.LastIndexByte(text[:i], '\n') + 1 }

// lineEnd is the offset behind the line break that ends the line of an offset; the text's end on its last line.
func lineEnd(text string, i int) int {
	if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
		return i + n + 1
	}
	return len(text)
}

func (l *layout) mapping(s *spot, n *yamlv3.Node, inFlow bool) error {
	switch {
	case l.at(s.start) == '{' && n.Style&yamlv3.FlowStyle != 0:
		s.form = isFlowMap
	case n.Style&yamlv3.FlowStyle != 0 || inFlow:
		s.form = isPair
	default:
		s.form, s.column = isBlockMap, l.column(s.start)
	}
	last := s.start
	for i := 0; i+1 < len(n.Content); i += 2 {
		child, err := l.entry(n.Content[i], n.Content[i+1], s)
		if err != nil {
			return err
		}
		s.children = append(s.children, child)
		last = max(last, child.end)
	}
	return l.close(s, last, '}')
}

// entry finds a key and its value.
func (l *layout) entry(key, value *yamlv3.Node, in *spot) (*spot, error) {
	k, err := l.value(key, in.column, in.form.flow())
	if err != nil {
		return nil, err
	}
	if key.Kind == yamlv3.MappingNode || key.Kind == yamlv3.SequenceNode || k.form == isText || k.form == isEmpty {
		return nil, unplaced("a key is no word")
	}
	colon := k.end
	for l.at(colon) == ' ' || l.at(colon) == '\t' {
		colon++
	}
	if in.form == isFlowMap {
		colon = l.passBlank(k.end)
	}
	hasColon := l.at(colon) == ':'
	if !hasColon && in.form != isFlowMap || before(l.text, k.begin) == '?' {
		return nil, unplaced("a key is written with a question mark")
	}
	v, err := l.value(value, in.column, in.form.flow())
	if err != nil {
		return nil, err
	}
	v.begin, v.behind, v.key = k.begin, k.end, keyName(key)
	v.merge = key.Tag == "!!merge"
	if hasColon {
		v.behind = colon + 1
	}
	if v.form == isEmpty {
		l.settle(v, value, hasColon)
	}
	return v, nil
}

// before is the last byte before an offset that is no space.
func before(text string, i int) byte {
	i--
	for i >= 0 && text[i] == ' ' {
		i--
	}
	return byteAt(text, max(i, 0))
}

// settle places a value that is not written: behind its colon, dash or anchor.
func (l *layout) settle(v *spot, n *yamlv3.Node, placed bool) {
	v.props, v.start = v.behind, v.behind
	v.end = v.behind
	if placed && n.Anchor != "" {
		if at := strings.Index(l.text[v.behind:], "&"+n.Anchor); at >= 0 {
			v.props = v.behind + at
			v.start = v.props + 1 + len(n.Anchor)
			v.end = v.start
		}
	}
}

func (l *layout) sequence(s *spot, n *yamlv3.Node) error {
	if n.Style&yamlv3.FlowStyle != 0 {
		s.form = isFlowList
	} else {
		s.form, s.column = isBlockList, l.column(s.start)
	}
	last := s.start
	for i, item := range n.Content {
		dash := -1
		if s.form == isBlockList {
			if dash = l.dash(s, last, i == 0); dash < 0 {
				return unplaced("a dash was not found")
			}
		}
		child, err := l.value(item, s.column, s.form == isFlowList)
		if err != nil {
			return err
		}
		if dash >= 0 {
			child.begin, child.behind = dash, dash+1
			if child.form == isEmpty {
				l.settle(child, item, true)
			}
		}
		s.children = append(s.children, child)
		last = max(last, child.end)
	}
	return l.close(s, last, ']')
}

// dash finds the dash of the next item behind an offset.
func (l *layout) dash(s *spot, from int, first bool) int {
	if first {
		if l.at(s.start) != '-' {
			return -1
		}
		return s.start
	}
	for at := lineEnd(l.text, from); at < len(l.text); at = lineEnd(l.text, at) {
		if i := at + s.column; i < len(l.text) && l.text[i] == '-' && strings.Trim(l.text[at:i], " ") == "" {
			return i
		}
	}
	return -1
}

// close finds where a collection ends, whose last child ends at last.
func (l *layout) close(s *spot, last int, bracket byte) error {
	s.end = last
	if s.form != isFlowMap && s.form != isFlowList {
		if len(s.children) == 0 {
			return unplaced("a collection without entries has no brackets")
		}
		return nil
	}
	if len(s.children) == 0 {
		last++
	}
	for {
		last = l.passBlank(last)
		switch l.at(last) {
		case ',':
			last++
		case bracket:
			s.end = last + 1
			return nil
		default:
			return unplaced("a bracket was not found")
		}
	}
}
