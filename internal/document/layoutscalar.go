package document

import (
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
)

// scalar finds the form and the end of a scalar.
func (l *layout) scalar(s *spot, n *yamlv3.Node, indent int, inFlow bool) error {
	switch {
	case n.Style&yamlv3.DoubleQuotedStyle != 0 && l.at(s.start) == '"':
		s.form = isDouble
		return l.quoted(s, '"')
	case n.Style&yamlv3.SingleQuotedStyle != 0 && l.at(s.start) == '\'':
		s.form = isSingle
		return l.quoted(s, '\'')
	case n.Style&(yamlv3.LiteralStyle|yamlv3.FoldedStyle) != 0:
		s.form = isText
		l.blockText(s, indent)
		return nil
	case n.Value == "":
		s.form = isEmpty
		return nil
	}
	s.form = isWord
	return l.word(s, n.Value, inFlow)
}

func (l *layout) quoted(s *spot, quote byte) error {
	for i := s.start + 1; i < len(l.text); i++ {
		switch c := l.text[i]; {
		case c == '\\' && quote == '"':
			i++
		case c == quote && quote == '\'' && l.at(i+1) == quote:
			i++
		case c == quote:
			s.end = i + 1
			return nil
		}
	}
	return unplaced("a quote is not closed")
}

// blockText finds the end of a block scalar: behind its last line, without that line's break.
// Blank lines at its end are a part of it where it keeps them (YAML 1.1, section 9.2).
func (l *layout) blockText(s *spot, indent int) {
	head := s.start + 1
	width, keep := 0, false
	for ; head < len(l.text) && strings.IndexByte("+-0123456789", l.text[head]) >= 0; head++ {
		switch c := l.text[head]; c {
		case '+':
			keep = true
		case '-':
		default:
			width = max(indent, 0) + int(c-'0')
		}
	}
	s.end = head
	for at := lineEnd(l.text, head); at < len(l.text); {
		next := lineEnd(l.text, at)
		line := strings.TrimRight(l.text[at:next], "\r\n")
		content := strings.TrimLeft(line, " ")
		column := len(line) - len(content)
		switch {
		case content == "" && !keep && (width == 0 || column <= width):
		case content == "":
			s.end = at + len(line)
		case width == 0 && column > indent:
			width = column
			fallthrough
		case width > 0 && column >= width:
			s.end = at + len(line)
		default:
			return
		}
		at = next
	}
}

// word finds the end of a plain scalar, which may go on for lines: where its text, folded, is the value.
func (l *layout) word(s *spot, value string, inFlow bool) error {
	var folded []byte
	breaks := 0
	for at := s.start; at < len(l.text); {
		end := lineEnd(l.text, at)
		content := at + len(l.text[at:end]) - len(strings.TrimLeft(l.text[at:end], " \t"))
		stop := l.wordStop(content, end, inFlow)
		line := strings.TrimRight(l.text[content:stop], " \t\r\n")
		switch {
		case line == "" && at > s.start:
			breaks++
		case at == s.start:
			folded = append(folded, line...)
		case breaks == 0:
			folded = append(append(folded, ' '), line...)
		default:
			folded = append(append(folded, strings.Repeat("\n", breaks)...), line...)
			breaks = 0
		}
		if len(folded) == len(value) && string(folded) == value {
			s.end = content + len(line)
			return nil
		}
		if len(folded) > len(value) || stop < end && strings.Trim(l.text[stop:end], " \t\r\n") != "" {
			break
		}
		at = end
	}
	return unplaced("the end of a value was not found")
}

// wordStop is where a plain scalar stops on a line at the latest.
func (l *layout) wordStop(from, end int, inFlow bool) int {
	for i := from; i < end; i++ {
		switch c := l.text[i]; {
		case c == '#' && i > from && (l.text[i-1] == ' ' || l.text[i-1] == '\t'):
			return i
		case c == ':' && (i+1 >= end || strings.IndexByte(" \t\r\n", l.text[i+1]) >= 0 || inFlow && strings.IndexByte(",[]{}", l.text[i+1]) >= 0):
			return i
		case inFlow && strings.IndexByte(",[]{}", c) >= 0:
			return i
		}
	}
	return end
}
