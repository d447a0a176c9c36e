package reach

import (
	"errors"
	"strings"
)

// expression is a selector of Calico (docs.tigera.io, "Selectors"), which reads labels by name. The
// answer is maybe where a label is not known.
type expression func(get lookup) answer

// lookup gives a label: its value, and whether it is there.
type lookup func(key string) (value string, there answer)

// deepestExpression bounds how deep parentheses and negations may be nested.
const deepestExpression = 100

var errExpression = errors.New("the selector is not understood")

// parseExpression reads a selector; the empty one selects everything.
func parseExpression(text string) (expression, error) {
	if strings.TrimSpace(text) == "" {
		return func(lookup) answer { return yes }, nil
	}
	p := &expressionParser{}
	if err := p.scan(text); err != nil {
		return nil, err
	}
	e, err := p.or(0)
	if err == nil && len(p.tokens) > 0 {
		err = errExpression
	}
	return e, err
}

// token is a word, a quoted text or a sign.
type token struct {
	text   string
	quoted bool
}

type expressionParser struct{ tokens []token }

// signs are the operators, the longer ones first.
var signs = []string{"&&", "||", "==", "!=", "(", ")", "{", "}", ",", "!"}

func (p *expressionParser) scan(text string) error {
next:
	for text != "" {
		c := text[0]
		if c == ' ' || c == '\t' || c == '\n' {
			text = text[1:]
			continue
		}
		if c == '\'' || c == '"' {
			end := strings.IndexByte(text[1:], c)
			if end < 0 {
				return errExpression
			}
			p.tokens = append(p.tokens, token{text[1 : end+1], true})
			text = text[end+2:]
			continue
		}
		for _, sign := range signs {
			if rest, found := strings.CutPrefix(text, sign); found {
				p.tokens = append(p.tokens, token{sign, false})
				text = rest
				continue next
			}
		}
		n := strings.IndexFunc(text, func(r rune) bool { return !isWord(r) })
		switch n {
		case 0:
			return errExpression
		case -1:
			n = len(text)
		}
		p.tokens = append(p.tokens, token{text[:n], false})
		text = text[n:]
	}
	return nil
}

func isWord(r rune) bool {
	return r == '-' || r == '_' || r == '.' || r == '/' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// selectorKeys are the words of a selector, among which are the keys of the labels that it reads.
func selectorKeys(selector string) []string {
	return strings.FieldsFunc(selector, func(r rune) bool { return !isWord(r) })
}

// take takes the next token if it is that one.
func (p *expressionParser) take(text string) bool {
	if len(p.tokens) == 0 || p.tokens[0].quoted || p.tokens[0].text != text {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *expressionParser) or(depth int) (expression, error) {
	left, err := p.and(depth)
	for err == nil && p.take("||") {
		var right expression
		before := left
		right, err = p.and(depth)
		left = func(get lookup) answer { return either(before(get), right(get)) }
	}
	return left, err
}

func (p *expressionParser) and(depth int) (expression, error) {
	left, err := p.not(depth)
	for err == nil && p.take("&&") {
		var right expression
		before := left
		right, err = p.not(depth)
		left = func(get lookup) answer { return both(before(get), right(get)) }
	}
	return left, err
}

func (p *expressionParser) not(depth int) (expression, error) {
	if depth > deepestExpression {
		return nil, errExpression
	}
	if p.take("!") {
		e, err := p.not(depth + 1)
		return func(get lookup) answer { return yes - e(get) }, err
	}
	if p.take("(") {
		e, err := p.or(depth + 1)
		if err == nil && !p.take(")") {
			err = errExpression
		}
		return e, err
	}
	return p.term()
}

// text takes a quoted text.
func (p *expressionParser) text() (string, error) {
	if len(p.tokens) == 0 || !p.tokens[0].quoted {
		return "", errExpression
	}
	t := p.tokens[0].text
	p.tokens = p.tokens[1:]
	return t, nil
}

// word takes a bare word.
func (p *expressionParser) word() (string, error) {
	if len(p.tokens) == 0 || p.tokens[0].quoted || !isWord(rune(p.tokens[0].text[0])) {
		return "", errExpression
	}
	t := p.tokens[0].text
	p.tokens = p.tokens[1:]
	return t, nil
}

func (p *expressionParser) term() (expression, error) {
	key, err := p.word()
	if err != nil {
		return nil, err
	}
	switch {
	case (key == "all" || key == "global") && p.take("("):
		a := yes
		if key == "global" {
			a = no // pods are in namespaces
		}
		return func(lookup) answer { return a }, p.expect(")")
	case key == "has" && p.take("("):
		name, err := p.word()
		if err != nil {
			return nil, err
		}
		return func(get lookup) answer { _, there := get(name); return there }, p.expect(")")
	case p.take("=="):
		return p.compare(key, false, func(value, want string) bool { return value == want })
	case p.take("!="):
		return p.compare(key, true, func(value, want string) bool { return value == want })
	case p.take("contains"):
		return p.compare(key, false, strings.Contains)
	case p.take("starts"):
		return p.compareWith(key, strings.HasPrefix)
	case p.take("ends"):
		return p.compareWith(key, strings.HasSuffix)
	case p.take("in"):
		return p.among(key, false)
	case p.take("not"):
		if !p.take("in") {
			return nil, errExpression
		}
		return p.among(key, true)
	}
	return nil, errExpression
}

func (p *expressionParser) expect(sign string) error {
	if !p.take(sign) {
		return errExpression
	}
	return nil
}

func (p *expressionParser) compareWith(key string, holds func(value, want string) bool) (expression, error) {
	if !p.take("with") {
		return nil, errExpression
	}
	return p.compare(key, false, holds)
}

// compare tests a label's value; the negation of a test holds where the label is not there, too.
func (p *expressionParser) compare(key string, negate bool, holds func(value, want string) bool) (expression, error) {
	want, err := p.text()
	return test(key, negate, func(value string) bool { return holds(value, want) }), err
}

func test(key string, negate bool, holds func(value string) bool) expression {
	return func(get lookup) answer {
		value, there := get(key)
		a := there
		if there == yes && !holds(value) {
			a = no
		}
		if negate {
			return yes - a
		}
		return a
	}
}

func (p *expressionParser) among(key string, negate bool) (expression, error) {
	if !p.take("{") {
		return nil, errExpression
	}
	set := map[string]bool{}
	for !p.take("}") {
		want, err := p.text()
		if err != nil {
			return nil, err
		}
		set[want] = true
		if !p.take(",") {
			if err := p.expect("}"); err != nil {
				return nil, err
			}
			break
		}
	}
	return test(key, negate, func(value string) bool { return set[value] }), nil
}
