package sbom

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// cursor walks through a JSON text as it streams by and knows where it is. Nothing of the text is kept.
type cursor struct {
	d     *json.Decoder
	steps []step
	wrong func(at, message string) // told of values that are of another type than they should be
}

// step is the name or the place of a value in what holds it.
type step struct {
	key   string
	index int
}

func newCursor(r io.Reader, l *Limits, wrong func(at, message string)) *cursor {
	d := json.NewDecoder(&guard{r: r, text: l.Text, depth: l.Depth})
	d.UseNumber()
	return &cursor{d: d, wrong: wrong}
}

// at is where the cursor is: "packages[12].name".
func (c *cursor) at() string {
	var b strings.Builder
	for _, s := range c.steps {
		if s.key == "" {
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		if len(s.key) > 60 {
			s.key = s.key[:60] + "…"
		}
		b.WriteString(s.key)
	}
	return b.String()
}

// token is the next one, with the place in its error.
func (c *cursor) token() (json.Token, error) {
	t, err := c.d.Token()
	if err == nil {
		return t, nil
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("the text ends too early")
	}
	place := c.at()
	if place != "" {
		place = " in " + place
	}
	return nil, fmt.Errorf("byte %d%s: %w", c.d.InputOffset(), place, err)
}

// object calls each with every key of the object that comes next; each must read the value. Another value is told
// and left out, null is nothing.
func (c *cursor) object(each func(key string) error) error {
	return c.enter('{', "an object", nil, func() error { return c.member(each) })
}

func (c *cursor) member(each func(key string) error) error {
	t, err := c.token()
	if err != nil {
		return err
	}
	key, _ := t.(string)
	c.steps[len(c.steps)-1].key = key
	return each(key)
}

// list calls each for every item of the list that comes next; each must read the item.
func (c *cursor) list(each func() error) error {
	n := 0
	return c.enter('[', "a list", nil, func() error {
		c.steps[len(c.steps)-1].index = n
		n++
		return each()
	})
}

// enter reads a list or an object; other is handed a text that stands in its place, where one may.
func (c *cursor) enter(open json.Delim, what string, other func(text string), each func() error) error {
	t, err := c.token()
	if err != nil {
		return err
	}
	if t != open {
		if s, ok := t.(string); ok && other != nil {
			other(s)
		} else if t != nil {
			c.wrong(c.at(), "it is not "+what)
		}
		return c.rest(t)
	}
	c.steps = append(c.steps, step{})
	for c.d.More() {
		if err := each(); err != nil {
			return err
		}
	}
	c.steps = c.steps[:len(c.steps)-1]
	_, err = c.token()
	return err
}

// text is the string that comes next. Another value is told and is ""; null is "".
func (c *cursor) text() (string, error) {
	t, err := c.token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok && t != nil {
		c.wrong(c.at(), "it is no text")
	}
	return s, c.rest(t)
}

// objectOr is object, where a text may stand in place of it.
func (c *cursor) objectOr(to *string, each func(key string) error) error {
	return c.enter('{', "an object", func(s string) { *to = strings.Clone(s[:min(len(s), maxWord)]) }, func() error { return c.member(each) })
}

// words calls each for the text that comes next, or for every one of the list.
func (c *cursor) words(each func(text string)) error {
	return c.enter('[', "a list", each, func() error {
		s, err := c.text()
		each(s)
		return err
	})
}

// into stores the text that comes next, cut to what anything of its kind may have.
func (c *cursor) into(to *string) error {
	s, err := c.text()
	*to = strings.Clone(s[:min(len(s), maxWord)])
	return err
}

// maxWord is the most bytes of a name, a version, a package URL or a licence; more is cut.
const maxWord = 4096

// texts are the strings of the list that comes next.
func (c *cursor) texts(each func(text string)) error {
	return c.list(func() error {
		s, err := c.text()
		if err == nil && s != "" {
			each(s)
		}
		return err
	})
}

// skip reads past a value.
func (c *cursor) skip() error {
	t, err := c.token()
	if err != nil {
		return err
	}
	return c.rest(t)
}

// rest reads past what is left of a value of which the first token has been read.
func (c *cursor) rest(t json.Token) error {
	if t != json.Delim('{') && t != json.Delim('[') {
		return nil
	}
	for depth := 1; depth > 0; {
		t, err := c.token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
	return nil
}

// guard holds JSON that passes to the bounds on strings, other words and depth, so that its reader never holds more
// than that.
type guard struct {
	r           io.Reader
	text, depth int

	word     int // bytes of the string, number or other word so far
	deep     int
	inString bool
	escaped  bool
}

func (g *guard) Read(p []byte) (int, error) {
	n, err := g.r.Read(p)
	for i, c := range p[:n] {
		g.word++
		switch {
		case g.escaped:
			g.escaped = false
		case g.inString:
			g.escaped = c == '\\'
			if g.inString = c != '"'; !g.inString {
				g.word = 0
			}
		default:
			switch c {
			case '"':
				g.inString, g.word = true, 0
			case '{', '[':
				g.deep++
				g.word = 0
			case '}', ']':
				g.deep--
				g.word = 0
			case ',', ':', ' ', '\t', '\r', '\n':
				g.word = 0
			}
		}
		if g.deep > g.depth {
			return i, boundError(fmt.Sprintf("lists and objects stand more than %d deep in one another", g.depth))
		}
		if g.word > g.text {
			return i, boundError(fmt.Sprintf("a text has more than %d bytes", g.text))
		}
	}
	return n, err
}
