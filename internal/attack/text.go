package attack

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/coaming/coaming/internal/rbac"
)

// Answer is what was asked for: paths from some entries to some sinks.
type Answer struct {
	// World is the environment that it is of, where several were read; else "".
	World   string
	Graph   *Graph
	From    string
	To      string
	Stories []Story
	// Paths counts the certain ones, Doubtful the others.
	Paths, Doubtful int
	// Notes say what was not seen that may hold more.
	Notes []string
}

// Ask finds the paths between nodes. from and to are how they are told.
func (g *Graph) Ask(entries, sinks []int32, from, to string) *Answer {
	a := &Answer{Graph: g, From: from, To: to}
	paths := g.Paths(entries, sinks)
	for i := range paths {
		if paths[i].Doubtful {
			a.Doubtful++
		} else {
			a.Paths++
		}
	}
	a.Stories = g.Stories(paths)
	return a
}

// mostNames is how many names stand for many where people read.
const mostNames = 6

// WriteText tells the stories.
func WriteText(w io.Writer, answers []*Answer) error { return writeEach(w, answers) }

// writeEach writes one answer for each world, with an empty line between.
func writeEach[A interface{ text(b *strings.Builder) }](w io.Writer, answers []A) error {
	var b strings.Builder
	for i, a := range answers {
		if i > 0 {
			b.WriteByte('\n')
		}
		a.text(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (a *Answer) text(b *strings.Builder) {
	if a.World != "" {
		fmt.Fprintf(b, "%s\n\n", plain(a.World))
	}
	fmt.Fprintf(b, "from %s to %s: ", a.From, a.To)
	switch {
	case a.Paths > 0:
		fmt.Fprintf(b, "%s, told as %s\n", count(a.Paths, "path", "paths"), count(len(a.Stories)-a.doubtfulStories(), "story", "stories"))
	case a.Doubtful > 0:
		b.WriteString("no path that is certain\n")
	default:
		b.WriteString("no path\n")
	}
	if a.Doubtful > 0 {
		fmt.Fprintf(b, "%s more rest on something that was not seen, and are told last\n", count(a.Doubtful, "path", "paths"))
	}
	for i := range a.Stories {
		a.story(b, i)
	}
	for _, note := range a.Notes {
		fmt.Fprintf(b, "\nnote: %s\n", plain(note))
	}
}

func (a *Answer) doubtfulStories() int {
	n := 0
	for i := range a.Stories {
		n += boolInt(a.Stories[i].Doubtful)
	}
	return n
}

func (a *Answer) story(b *strings.Builder, at int) {
	s := &a.Stories[at]
	g := a.Graph
	fmt.Fprintf(b, "\n%d. %s to %s in %s, effort %d%s\n", at+1, g.Nodes[s.From].Title(), plain(g.Nodes[s.To].Title()), count(s.Steps, "step", "steps"), s.Effort, s.praise())
	for i, d := range g.Deeds(&s.Path) {
		a.deed(b, i+1, &d)
	}
	if len(s.Ways) > 1 {
		fmt.Fprintf(b, "   the same from %s\n", names(s.Ways))
	}
	if len(s.Ends) > 1 {
		fmt.Fprintf(b, "   the same to %s\n", names(s.Ends))
	}
}

func (s *Story) praise() string {
	var words []string
	if s.Shortest {
		words = append(words, "shortest")
	}
	if s.Easiest {
		words = append(words, "easiest")
	}
	text := ""
	if len(words) > 0 {
		text = " (" + strings.Join(words, " and ") + ")"
	}
	if s.Doubtful {
		text += ", perhaps"
	}
	return text
}

func (a *Answer) deed(b *strings.Builder, number int, d *Deed) {
	fmt.Fprintf(b, "   %d. %s: %s  [%s %s]\n", number, d.Step.Title, plain(gain(d)), d.Step.ID, d.Step.Technique)
	for e := range d.edges {
		a.evidence(b, e)
	}
	if doubt := d.doubt(); doubt != "" {
		fmt.Fprintf(b, "      perhaps: %s\n", plain(doubt))
	}
	if len(d.Changes) == 0 {
		fmt.Fprintf(b, "      to stop it: %s\n", d.Step.Fix)
		return
	}
	for i, c := range d.Changes {
		if c.Breadth == WholeBinding {
			continue // it stands behind the one that takes the subject out
		}
		word := "to stop it"
		if i > 0 {
			word = "or"
		}
		fmt.Fprintf(b, "      %s: %s\n", word, plain(c.Title))
	}
}

// gain is what is had after a deed: where it leads, and where the joints behind the last one end.
func gain(d *Deed) string {
	to := d.Target()
	if len(d.After) > 0 {
		to = d.After[len(d.After)-1].Target()
	}
	return to.Title()
}

func (a *Answer) evidence(b *strings.Builder, e *Edge) {
	for _, ev := range e.Evidence {
		fmt.Fprintf(b, "      %s", plain(ev.Text))
		if place := placeOf(&ev); place != "" {
			fmt.Fprintf(b, "  (%s)", plain(place))
		}
		b.WriteByte('\n')
	}
}

// placeOf is where evidence was read: "file:line", or an API path.
func placeOf(e *Evidence) string {
	if e.Object == nil || e.Object.Origin == nil {
		return ""
	}
	l := rbac.Place(e.Object, e.At)
	switch {
	case l.Line == 0:
		return l.File
	case l.Rendered:
		return l.File + ", rendered line " + strconv.Itoa(l.Line)
	}
	return l.File + ":" + strconv.Itoa(l.Line)
}

func names(list []Node) string {
	var titles []string
	for i, n := range list {
		if i == mostNames {
			titles = append(titles, strconv.Itoa(len(list)-mostNames)+" more")
			break
		}
		titles = append(titles, plain(n.Title()))
	}
	return strings.Join(titles, ", ")
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// plain is a text from outside without what a terminal would take for a command.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return '\uFFFD'
		}
		return r
	}, s)
}
