package reach

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// Change is what sets of endpoints reach of others now and did not before, or the other way round.
type Change struct {
	From, To []string
	// Opened were closed before, Closed were open. Unsure are those that became unknown.
	Opened, Closed, Unsure Ports
}

// pairing is endpoints that are one group before and one group after; -1 for not there.
type pairing struct {
	old, new int
	names    []string
}

// Diff is what changed from one network to another. Workloads are the same that have one kind,
// namespace and name; what is there only once reached nothing where it was not.
func Diff(before, after *Network) []Change {
	pairs := pair(before, after)
	type key struct{ from, opened, closed, unsure string }
	var list []Change
	index := map[key]int{}
	for i := range pairs {
		for j := range pairs {
			a, b := before.accessOf(pairs[i].old, pairs[j].old), after.accessOf(pairs[i].new, pairs[j].new)
			c := Change{
				Opened: b.Open.Minus(a.Open).Minus(a.Unknown),
				Closed: a.Open.Union(a.Unknown).Minus(b.Open).Minus(b.Unknown),
				Unsure: b.Unknown.Minus(a.Unknown).Union(b.Open.Intersect(a.Unknown)),
			}
			if c.Opened.Empty() && c.Closed.Empty() && c.Unsure.Empty() {
				continue
			}
			k := key{strconv.Itoa(i), c.Opened.key(), c.Closed.key(), c.Unsure.key()}
			at, known := index[k]
			if !known {
				at = len(list)
				index[k] = at
				c.From = pairs[i].names
				list = append(list, c)
			}
			list[at].To = append(list[at].To, pairs[j].names...)
		}
	}
	return mergeChanges(list)
}

// mergeChanges puts together the sources of which the same changed.
func mergeChanges(list []Change) []Change {
	index := map[string]int{}
	var merged []Change
	for _, c := range list {
		k := strings.Join(c.To, "\x00") + "|" + c.Opened.key() + "|" + c.Closed.key() + "|" + c.Unsure.key()
		if at, known := index[k]; known {
			merged[at].From = append(merged[at].From, c.From...)
			continue
		}
		index[k] = len(merged)
		merged = append(merged, c)
	}
	return merged
}

func (n *Network) accessOf(from, to int) Access {
	if from < 0 || to < 0 || n.Endpoints[from].Kind != Pods && n.Endpoints[to].Kind != Pods {
		return Access{}
	}
	return n.Between(from, to)
}

// pair finds the groups of which each is alike in both networks: one endpoint stands for each.
func pair(before, after *Network) []pairing {
	oldGroup, newGroup := before.alike(), after.alike()
	type both struct{ old, new int }
	index := map[both]int{}
	var list []pairing
	add := func(i, j int, name string) {
		k := both{-1, -1}
		if i >= 0 {
			k.old = oldGroup[i]
		}
		if j >= 0 {
			k.new = newGroup[j]
		}
		at, known := index[k]
		if !known {
			at = len(list)
			index[k] = at
			list = append(list, pairing{old: i, new: j})
		}
		list[at].names = append(list[at].names, name)
	}
	olds := map[string]int{}
	for _, w := range before.inventory.Workloads {
		olds[diffName(w)] = before.byWorkload[w]
	}
	seen := map[string]bool{}
	for _, w := range after.inventory.Workloads {
		name := diffName(w)
		i, known := olds[name]
		if !known {
			i = -1
		}
		if !seen[name] {
			add(i, after.byWorkload[w], workloadName(w))
		}
		seen[name] = true
	}
	for _, w := range before.inventory.Workloads {
		if name := diffName(w); !seen[name] {
			seen[name] = true
			add(before.byWorkload[w], -1, workloadName(w))
		}
	}
	add(before.node, after.node, "node")
	add(before.nodes, after.nodes, "nodes")
	pairAddresses(before, after, add)
	return list
}

func diffName(w *fact.Workload) string { return w.Object.GroupKind() + "/" + workloadName(w) }

// pairAddresses walks the addresses of both networks in order.
func pairAddresses(before, after *Network, add func(i, j int, name string)) {
	named := map[string]bool{}
	for i, j := 0, 0; i < len(before.parts) && j < len(after.parts); {
		a, b := before.parts[i], after.parts[j]
		span := addresses{a.span.first, a.span.last}
		if span.first.Less(b.span.first) {
			span.first = b.span.first
		}
		if b.span.last.Less(span.last) {
			span.last = b.span.last
		}
		name := blocks([]addresses{span})[0].String()
		if e := after.Endpoints[b.endpoint]; e.Rest && before.Endpoints[a.endpoint].Rest {
			name = addressNames(e)[0]
		}
		if !named[name] {
			named[name] = true
			add(a.endpoint, b.endpoint, name)
		}
		switch a.span.last.Compare(b.span.last) {
		case 0:
			i++
			j++
		case -1:
			i++
		default:
			j++
		}
	}
}

// alike numbers the endpoints: equal for those that reach the same and are reached by the same.
func (n *Network) alike() []int {
	groups, _ := n.groupsAlone(n.Flows())
	of := make([]int, len(n.Endpoints))
	for i := range of {
		of[i] = -2
	}
	for g, s := range groups {
		for i := range s.All() {
			of[i] = g
		}
	}
	return of
}

// WriteChanges writes changes for people.
func WriteChanges(w io.Writer, changes []Change) error {
	var b strings.Builder
	if len(changes) == 0 {
		b.WriteString("nothing changed in who can talk to whom\n")
	}
	for _, c := range changes {
		from, to := shorten(c.From), shorten(c.To)
		for _, part := range []struct {
			word  string
			ports Ports
		}{{"+ opened ", c.Opened}, {"- closed ", c.Closed}, {"? unknown", c.Unsure}} {
			if !part.ports.Empty() {
				fmt.Fprintf(&b, "%s  %s -> %s: %s\n", part.word, from, to, part.ports)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func shorten(names []string) string {
	if extra := len(names) - mostNames; extra > 0 {
		return strings.Join(names[:mostNames], ", ") + fmt.Sprintf(", %d more", extra)
	}
	return strings.Join(names, ", ")
}
