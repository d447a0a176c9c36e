package reach

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Format is a way to write flows.
type Format struct {
	Name  string
	Write func(w io.Writer, n *Network, a *Answer) error
}

// Formats are all, the one for people first.
var Formats = []Format{{"text", writeText}, {"json", writeJSON}, {"dot", dot.draw}, {"mermaid", mermaid.draw}}

// mostNames is how many names stand for a set where people read.
const mostNames = 6

func writeText(w io.Writer, n *Network, a *Answer) error {
	var b strings.Builder
	if len(a.Flows) == 0 && len(a.Ways) == 0 {
		b.WriteString("closed: nothing asked for is open, or unknown\n")
	}
	for _, f := range a.Flows {
		from, to := n.Title(f.From, mostNames), n.Title(f.To, mostNames)
		if !f.Open.Empty() {
			fmt.Fprintf(&b, "open     %s -> %s: %s\n", from, to, f.Open)
		}
		if !f.Unknown.Empty() {
			fmt.Fprintf(&b, "unknown  %s -> %s: %s\n", from, to, f.Unknown)
		}
	}
	for i := range a.Ways {
		fmt.Fprintf(&b, "way in   %s\n", a.Ways[i].text(n))
	}
	for _, note := range a.Notes {
		fmt.Fprintf(&b, "note     %s\n", note.Reason)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

type jsonEndpoint struct {
	ID          int      `json:"id"`
	Kind        string   `json:"kind"`
	Names       []string `json:"names"`
	Public      bool     `json:"public,omitempty"`
	HostNetwork bool     `json:"hostNetwork,omitempty"`
	Blocks      []string `json:"blocks,omitempty"`
}

type jsonFlow struct {
	From    []int       `json:"from"`
	To      []int       `json:"to"`
	Open    []portRange `json:"open,omitempty"`
	Unknown []portRange `json:"unknown,omitempty"`
}

type portRange struct {
	Protocol string `json:"protocol"`
	First    int    `json:"first"`
	Last     int    `json:"last"`
}

func (a Ports) ranges() []portRange {
	var list []portRange
	for p, spans := range a {
		for _, s := range spans {
			list = append(list, portRange{Protocol(p).String(), s.First, s.Last})
		}
	}
	return list
}

func writeJSON(w io.Writer, n *Network, a *Answer) error {
	var out struct {
		Endpoints []jsonEndpoint `json:"endpoints"`
		Flows     []jsonFlow     `json:"flows"`
		Ways      []jsonWay      `json:"ways"`
		Notes     []Note         `json:"notes"`
	}
	for i, e := range n.Endpoints {
		one := newSet(len(n.Endpoints))
		one.add(i)
		j := jsonEndpoint{ID: i, Kind: [...]string{"pods", "node", "nodes", "addresses"}[e.Kind], Names: n.Names(one), Public: e.Public, HostNetwork: e.HostNetwork}
		for _, b := range e.Blocks {
			j.Blocks = append(j.Blocks, b.String())
		}
		out.Endpoints = append(out.Endpoints, j)
	}
	out.Flows, out.Ways, out.Notes = []jsonFlow{}, []jsonWay{}, append([]Note{}, a.Notes...)
	for _, f := range a.Flows {
		out.Flows = append(out.Flows, jsonFlow{f.From.list(), f.To.list(), f.Open.ranges(), f.Unknown.ranges()})
	}
	for i := range a.Ways {
		out.Ways = append(out.Ways, a.Ways[i].json())
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}

func (s Set) list() []int {
	list := []int{}
	for i := range s.All() {
		list = append(list, i)
	}
	return list
}

// edge is a flow between two groups of a drawing.
type edge struct {
	from, to int
	Access
}

// groups makes one of the endpoints that reach the same and are reached by the same, and the edges
// between these.
func (n *Network) groups(flows []Flow) (groups []Set, edges []edge) {
	groups, of := n.groupsAlone(flows)
	for _, f := range flows {
		for _, from := range groupsOf(f.From, of) {
			for _, to := range groupsOf(f.To, of) {
				edges = append(edges, edge{from, to, f.Access})
			}
		}
	}
	return groups, edges
}

// groupsAlone is the groups without edges, and the group of each endpoint; -1 for none.
func (n *Network) groupsAlone(flows []Flow) (groups []Set, of []int) {
	marks := make([][]byte, len(n.Endpoints))
	mark := func(s Set, flow int, end byte) {
		for i := range s.All() {
			marks[i] = append(strconv.AppendInt(marks[i], int64(flow), 10), end)
		}
	}
	for i, f := range flows {
		mark(f.From, i, '<')
		mark(f.To, i, '>')
	}
	index := map[string]int{}
	of = make([]int, len(n.Endpoints))
	for i, m := range marks {
		of[i] = -1
		if len(m) == 0 {
			continue
		}
		at, known := index[string(m)]
		if !known {
			at = len(groups)
			index[string(m)] = at
			groups = append(groups, newSet(len(n.Endpoints)))
		}
		groups[at].add(i)
		of[i] = at
	}
	return groups, of
}

func groupsOf(s Set, of []int) []int {
	var list []int
	seen := map[int]bool{}
	for i := range s.All() {
		if !seen[of[i]] {
			seen[of[i]] = true
			list = append(list, of[i])
		}
	}
	return list
}

// notation is how a language of graphs writes one. ports that may be open have a question mark.
type notation struct {
	head, tail string
	node       func(i int, title string) string
	edge       func(from, to int, ports string, unknown bool) string
}

// draw writes the groups of an answer and what is open between them.
func (d *notation) draw(w io.Writer, n *Network, a *Answer) error {
	var b strings.Builder
	b.WriteString(d.head)
	groups, edges := n.groups(a.Flows)
	for i, g := range groups {
		b.WriteString(d.node(i, n.Title(g, mostNames)))
	}
	for _, e := range edges {
		if !e.Open.Empty() {
			b.WriteString(d.edge(e.from, e.to, e.Open.String(), false))
		}
		if !e.Unknown.Empty() {
			b.WriteString(d.edge(e.from, e.to, e.Unknown.String()+"?", true))
		}
	}
	b.WriteString(d.tail)
	_, err := io.WriteString(w, b.String())
	return err
}

var dot = notation{
	head: "digraph reach {\n  rankdir=LR;\n  node [shape=box];\n",
	tail: "}\n",
	node: func(i int, title string) string { return fmt.Sprintf("  n%d [label=%s];\n", i, quoteDOT(title)) },
	edge: func(from, to int, ports string, unknown bool) string {
		style := ""
		if unknown {
			style = ", style=dashed"
		}
		return fmt.Sprintf("  n%d -> n%d [label=%s%s];\n", from, to, quoteDOT(ports), style)
	},
}

func quoteDOT(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", " ").Replace(s) + `"`
}

var mermaid = notation{
	head: "flowchart LR\n",
	node: func(i int, title string) string { return fmt.Sprintf("  n%d[\"%s\"]\n", i, plainMermaid(title)) },
	edge: func(from, to int, ports string, unknown bool) string {
		arrow := "-->"
		if unknown {
			arrow = "-.->"
		}
		return fmt.Sprintf("  n%d %s|\"%s\"| n%d\n", from, arrow, plainMermaid(ports), to)
	},
}

// plainMermaid writes what would end a quoted text, or begin markup, as the entities that Mermaid has for it.
func plainMermaid(s string) string {
	return strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "\n", " ", "`", "#96;").Replace(s)
}
