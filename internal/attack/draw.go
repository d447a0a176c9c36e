package attack

import (
	"fmt"
	"io"
	"strings"
)

// sketch is what a drawing shows of the stories that are told: each node and each step once.
type sketch struct {
	number map[Node]int
	nodes  []Node
	lines  []line
	known  map[line]bool
}

// line is a step, or several between the same nodes.
type line struct {
	from, to int
	label    string
	doubtful bool
}

// sketchOf draws the stories of an answer.
func sketchOf(a *Answer) *sketch {
	s := &sketch{number: map[Node]int{}, known: map[line]bool{}}
	for i := range a.Stories {
		story := &a.Stories[i]
		at := s.node(a.Graph.Nodes[story.From])
		for _, d := range a.Graph.Deeds(&story.Path) {
			to := s.node(d.Target())
			if from := s.node(d.Source()); from != at {
				s.line(line{from: at, to: from})
			}
			s.line(line{s.node(d.Source()), to, d.Step.ID, d.Doubt != ""})
			at = to
		}
	}
	return s
}

func (s *sketch) node(n Node) int {
	i, known := s.number[n]
	if !known {
		i = len(s.nodes)
		s.number[n] = i
		s.nodes = append(s.nodes, n)
	}
	return i
}

func (s *sketch) line(l line) {
	if !s.known[l] {
		s.known[l] = true
		s.lines = append(s.lines, l)
	}
}

// WriteDOT draws the stories for Graphviz.
func WriteDOT(w io.Writer, answers []*Answer) error {
	var b strings.Builder
	b.WriteString("digraph paths {\n  rankdir=LR;\n  node [shape=box];\n")
	for n, a := range answers {
		s := sketchOf(a)
		fmt.Fprintf(&b, "  subgraph cluster_%d {\n    label=%s;\n", n, quoteDOT(a.World))
		for i, node := range s.nodes {
			fmt.Fprintf(&b, "    n%d_%d [label=%s];\n", n, i, quoteDOT(node.Title()))
		}
		for _, l := range s.lines {
			style := ""
			switch {
			case l.label == "":
				style = ", arrowhead=none"
			case l.doubtful:
				style = ", style=dashed"
			}
			fmt.Fprintf(&b, "    n%d_%d -> n%d_%d [label=%s%s];\n", n, l.from, n, l.to, quoteDOT(l.text()), style)
		}
		b.WriteString("  }\n")
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (l *line) text() string {
	if l.doubtful {
		return l.label + "?"
	}
	return l.label
}

// WriteMermaid draws the stories for Mermaid, as Markdown shows it.
func WriteMermaid(w io.Writer, answers []*Answer) error {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	for n, a := range answers {
		s := sketchOf(a)
		if a.World != "" {
			fmt.Fprintf(&b, "  subgraph w%d[\"%s\"]\n", n, plainMermaid(a.World))
		}
		for i, node := range s.nodes {
			fmt.Fprintf(&b, "  n%d_%d[\"%s\"]\n", n, i, plainMermaid(node.Title()))
		}
		for _, l := range s.lines {
			switch {
			case l.label == "":
				fmt.Fprintf(&b, "  n%d_%d --- n%d_%d\n", n, l.from, n, l.to)
			case l.doubtful:
				fmt.Fprintf(&b, "  n%d_%d -.->|\"%s\"| n%d_%d\n", n, l.from, plainMermaid(l.text()), n, l.to)
			default:
				fmt.Fprintf(&b, "  n%d_%d -->|\"%s\"| n%d_%d\n", n, l.from, plainMermaid(l.text()), n, l.to)
			}
		}
		if a.World != "" {
			b.WriteString("  end\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func quoteDOT(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(plain(s)) + `"`
}

// plainMermaid writes what would end a quoted text, or begin markup, as the entities that Mermaid has for it.
func plainMermaid(s string) string {
	return strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "`", "#96;").Replace(plain(s))
}
