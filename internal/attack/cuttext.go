package attack

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/coaming/coaming/internal/rbac"
	"github.com/coaming/coaming/internal/verdict"
)

// CutAnswer is a cut with what was asked.
type CutAnswer struct {
	// World is the environment that it is of, where several were read; else "".
	World    string
	Graph    *Graph
	From, To string
	*Cut
	// Through says by change how it is made where the object's own text does not change; "" for most.
	Through []string
	// Refused tell the changes that cannot be made, and why.
	Refused []string
	Notes   []string
}

// WriteCutText tells the changes for people.
func WriteCutText(w io.Writer, answers []*CutAnswer) error { return writeEach(w, answers) }

func (a *CutAnswer) text(b *strings.Builder) {
	if a.World != "" {
		fmt.Fprintf(b, "%s\n\n", plain(a.World))
	}
	fmt.Fprintf(b, "from %s to %s: %s\n", plain(a.From), plain(a.To), a.headline())
	for i, c := range a.Changes {
		fmt.Fprintf(b, "\n%d. %s", i+1, plain(c.Title))
		if place := placeOf(&Evidence{Object: c.Object, At: c.place()}); place != "" {
			fmt.Fprintf(b, "  (%s)", plain(place))
		}
		b.WriteByte('\n')
		a.ends(b, c)
		if c.Last {
			b.WriteString("   it gives up a way in, for nothing else ends the paths through it\n")
		}
		if i < len(a.Through) && a.Through[i] != "" {
			fmt.Fprintf(b, "   made in %s\n", plain(a.Through[i]))
		}
	}
	a.rest(b)
}

// headline is the answer in one line.
func (a *CutAnswer) headline() string {
	n := len(a.Changes)
	switch {
	case a.Before == 0:
		return "no certain path is there, so that nothing needs to be cut"
	case n == 0:
		return "no change of what was read leaves fewer paths"
	}
	text := "1 change leaves"
	if n > 1 {
		text = fmt.Sprintf("%d changes leave", n)
	}
	left := " no certain path"
	if len(a.Left) > 0 {
		left = " the paths below alone"
	}
	proof := ", and no fewer of the changes that are known do"
	if a.Spares && n > 1 {
		proof += " without closing a way in"
	}
	if !a.Proved() {
		proof = fmt.Sprintf("; at least %d are needed", a.Least)
	}
	return text + left + proof + " (" + count(a.Before, "way in", "ways in") + " had one)"
}

// ends tells the steps that a change ends.
func (a *CutAnswer) ends(b *strings.Builder, c *Cutting) {
	var lines []string
	told := map[string]bool{}
	for _, edge := range c.Edges {
		e := &a.Graph.Edges[edge]
		line := fmt.Sprintf("   ends: %s -> %s  [%s]\n", plain(e.Source().Title()), plain(e.Target().Title()), e.Step.ID)
		if !told[line] {
			lines = append(lines, line)
		}
		told[line] = true
	}
	for i, line := range lines {
		if i == mostNames {
			fmt.Fprintf(b, "   and %d more\n", len(lines)-mostNames)
			return
		}
		b.WriteString(line)
	}
}

func (a *CutAnswer) rest(b *strings.Builder) {
	if len(a.Left) > 0 {
		fmt.Fprintf(b, "\nno change of what was read closes %s:\n", count(len(a.Left), "way in", "ways in"))
		stories := &Answer{Graph: a.Graph, Stories: a.Graph.Stories(a.Left)}
		for i := range stories.Stories {
			stories.story(b, i)
		}
	}
	if len(a.Doubtful) > 0 {
		fmt.Fprintf(b, "\n%s may be there after that, of steps that rest on something that was not seen; 'coaming paths' tells them\n", count(len(a.Doubtful), "path", "paths"))
	}
	for _, text := range a.Refused {
		fmt.Fprintf(b, "\nnot taken: %s\n", plain(text))
	}
	for _, note := range a.Notes {
		fmt.Fprintf(b, "\nnote: %s\n", plain(note))
	}
}

type jsonCut struct {
	World    string       `json:"world,omitempty"`
	From     string       `json:"from"`
	To       string       `json:"to"`
	Before   int          `json:"waysIn"`
	Least    int          `json:"least"`
	Proved   bool         `json:"proved"`
	Changes  []jsonChange `json:"changes"`
	Left     []jsonStory  `json:"left"`
	Doubtful int          `json:"doubtful"`
	Refused  []string     `json:"refused,omitempty"`
	Notes    []string     `json:"notes,omitempty"`
}

type jsonChange struct {
	Title    string           `json:"title"`
	Object   string           `json:"object"`
	Location verdict.Location `json:"location"`
	// Last is set of one that gives up a way in.
	Last    bool       `json:"last,omitempty"`
	Through string     `json:"through,omitempty"`
	Ends    []jsonEdge `json:"ends"`
}

type jsonEdge struct {
	Step string `json:"step"`
	From string `json:"from"`
	To   string `json:"to"`
}

// WriteCutJSON writes the changes for machines.
func WriteCutJSON(w io.Writer, answers []*CutAnswer) error {
	out := struct {
		Answers []jsonCut `json:"answers"`
	}{[]jsonCut{}}
	for _, a := range answers {
		j := jsonCut{
			World: a.World, From: a.From, To: a.To, Before: a.Before, Least: a.Least, Proved: a.Proved(), Doubtful: len(a.Doubtful),
			Changes: []jsonChange{}, Left: []jsonStory{}, Refused: a.Refused, Notes: a.Notes,
		}
		for i, c := range a.Changes {
			change := jsonChange{Title: c.Title, Object: title(c.Object), Last: c.Last, Ends: []jsonEdge{}}
			if i < len(a.Through) {
				change.Through = a.Through[i]
			}
			if c.Object.Origin != nil {
				change.Location = rbac.Place(c.Object, c.place())
			}
			for _, edge := range c.Edges {
				e := &a.Graph.Edges[edge]
				change.Ends = append(change.Ends, jsonEdge{e.Step.ID, e.Source().String(), e.Target().String()})
			}
			j.Changes = append(j.Changes, change)
		}
		stories := a.Graph.Stories(a.Left)
		for i := range stories {
			j.Left = append(j.Left, a.Graph.jsonStory(&stories[i]))
		}
		out.Answers = append(out.Answers, j)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(out)
}
