package attack

import (
	"encoding/json"
	"io"

	"github.com/coaming/coaming/internal/rbac"
	"github.com/coaming/coaming/internal/verdict"
)

type jsonAnswer struct {
	World    string      `json:"world,omitempty"`
	From     string      `json:"from"`
	To       string      `json:"to"`
	Paths    int         `json:"paths"`
	Doubtful int         `json:"doubtful"`
	Stories  []jsonStory `json:"stories"`
	Notes    []string    `json:"notes,omitempty"`
}

type jsonStory struct {
	From     string     `json:"from"`
	To       string     `json:"to"`
	Effort   int        `json:"effort"`
	Certain  bool       `json:"certain"`
	Shortest bool       `json:"shortest,omitempty"`
	Easiest  bool       `json:"easiest,omitempty"`
	Steps    []jsonStep `json:"steps"`
	// Paths counts those that are told as this one; Ways are where they stand after the first step, Ends
	// where they end.
	Paths int      `json:"paths"`
	Ways  []string `json:"ways"`
	Ends  []string `json:"ends"`
}

type jsonStep struct {
	Step      string         `json:"step"`
	Title     string         `json:"title"`
	Technique string         `json:"technique"`
	From      string         `json:"from"`
	To        string         `json:"to"`
	Effort    int            `json:"effort"`
	Doubt     string         `json:"doubt,omitempty"`
	Why       string         `json:"why"`
	Evidence  []jsonEvidence `json:"evidence"`
	Fix       string         `json:"fix"`
	Changes   []string       `json:"changes"`
}

type jsonEvidence struct {
	Object   string           `json:"object"`
	Text     string           `json:"text"`
	Location verdict.Location `json:"location"`
}

// WriteJSON writes the stories for machines.
func WriteJSON(w io.Writer, answers []*Answer) error {
	out := struct {
		Answers []jsonAnswer `json:"answers"`
	}{[]jsonAnswer{}}
	for _, a := range answers {
		j := jsonAnswer{World: a.World, From: a.From, To: a.To, Paths: a.Paths, Doubtful: a.Doubtful, Stories: []jsonStory{}, Notes: a.Notes}
		for i := range a.Stories {
			j.Stories = append(j.Stories, a.Graph.jsonStory(&a.Stories[i]))
		}
		out.Answers = append(out.Answers, j)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(out)
}

func (g *Graph) jsonStory(s *Story) jsonStory {
	j := jsonStory{
		From: g.Nodes[s.From].String(), To: g.Nodes[s.To].String(), Effort: s.Effort, Certain: !s.Doubtful, Shortest: s.Shortest, Easiest: s.Easiest,
		Paths: s.Paths, Ways: words(s.Ways), Ends: words(s.Ends), Steps: []jsonStep{},
	}
	for _, d := range g.Deeds(&s.Path) {
		step := jsonStep{
			Step: d.Step.ID, Title: d.Step.Title, Technique: d.Step.Technique, From: d.Source().String(), To: d.Target().String(),
			Effort: int(d.Effort), Doubt: d.doubt(), Why: d.Step.Why, Fix: d.Step.Fix, Evidence: []jsonEvidence{}, Changes: []string{},
		}
		for e := range d.edges {
			for i := range e.Evidence {
				step.Evidence = append(step.Evidence, jsonOf(&e.Evidence[i]))
			}
		}
		for i := range d.Changes {
			step.Changes = append(step.Changes, d.Changes[i].Title)
		}
		j.Steps = append(j.Steps, step)
	}
	return j
}

func jsonOf(e *Evidence) jsonEvidence {
	j := jsonEvidence{Text: e.Text}
	if e.Object != nil {
		j.Object = title(e.Object)
		if e.Object.Origin != nil {
			j.Location = rbac.Place(e.Object, e.At)
		}
	}
	return j
}

func words(list []Node) []string {
	words := make([]string, 0, len(list))
	for _, n := range list {
		words = append(words, n.String())
	}
	return words
}
