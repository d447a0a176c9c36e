package document

import "strings"

// layoutJSON is the layout of a text that is one JSON value, which v is.
func layoutJSON(text string, v Value) *spot {
	l := &jsonLayout{text: text}
	l.blank()
	return l.value(v)
}

// jsonLayout walks a JSON text beside the value that was read from it.
type jsonLayout struct {
	text string
	i    int
}

func (l *jsonLayout) blank() {
	for l.i < len(l.text) && strings.IndexByte(" \t\r\n", l.text[l.i]) >= 0 {
		l.i++
	}
}

func (l *jsonLayout) str() {
	for l.i++; l.text[l.i] != '"'; l.i++ {
		if l.text[l.i] == '\\' {
			l.i++
		}
	}
	l.i++
}

func (l *jsonLayout) value(v Value) *spot {
	s := &spot{begin: l.i, behind: -1, props: l.i, start: l.i}
	switch v.Kind() {
	case Map:
		s.form = isFlowMap
		l.open()
		for key, child := range v.Fields() {
			begin := l.i
			l.str()
			l.blank()
			l.i++ // the colon
			behind := l.i
			l.blank()
			c := l.value(child)
			c.begin, c.behind, c.key = begin, behind, key
			s.children = append(s.children, c)
			l.comma()
		}
		l.i++
	case List:
		s.form = isFlowList
		l.open()
		for _, child := range v.Items() {
			s.children = append(s.children, l.value(child))
			l.comma()
		}
		l.i++
	case String:
		s.form = isDouble
		l.str()
	default:
		s.form = isWord
		for l.i < len(l.text) && strings.IndexByte(" \t\r\n,]}", l.text[l.i]) < 0 {
			l.i++
		}
	}
	s.end = l.i
	return s
}

// open passes a bracket and what is blank behind it.
func (l *jsonLayout) open() {
	l.i++
	l.blank()
}

// comma passes what stands behind a value: a comma, or blanks before the closing bracket.
func (l *jsonLayout) comma() {
	l.blank()
	if l.text[l.i] == ',' {
		l.i++
		l.blank()
	}
}
