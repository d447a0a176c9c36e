package reach

import (
	"slices"
	"strconv"
	"strings"
)

// Protocol is what a port belongs to.
type Protocol uint8

// The protocols that Kubernetes' network policies know (k8s.io/api core/v1 Protocol).
const (
	TCP Protocol = iota
	UDP
	SCTP

	protocols = 3
)

var protocolNames = [protocols]string{"TCP", "UDP", "SCTP"}

// String is the protocol's name as manifests write it.
func (p Protocol) String() string { return protocolNames[p] }

// ParseProtocol reads a protocol's name; "" is TCP, as the API has it.
func ParseProtocol(name string) (Protocol, bool) {
	if name == "" {
		return TCP, true
	}
	i := slices.Index(protocolNames[:], strings.ToUpper(name))
	return Protocol(max(i, 0)), i >= 0
}

const lastPort = 65535

// Span is the ports from First to Last, both among them.
type Span struct{ First, Last int }

// Ports is a set of ports: for each protocol the spans that are in it, in order, none touching
// another. The zero value is empty. Immutable.
type Ports [protocols][]Span

// AllPorts is every port of every protocol.
func AllPorts() Ports { return Ports{{{1, lastPort}}, {{1, lastPort}}, {{1, lastPort}}} }

// PortRange is the ports of one protocol from first to last.
func PortRange(p Protocol, first, last int) Ports {
	var set Ports
	if first, last = max(first, 1), min(last, lastPort); first <= last {
		set[p] = []Span{{first, last}}
	}
	return set
}

// Empty says whether no port is in the set.
func (a Ports) Empty() bool { return len(a[TCP])+len(a[UDP])+len(a[SCTP]) == 0 }

// Full says whether every port is.
func (a Ports) Full() bool {
	for p := range a {
		if len(a[p]) != 1 || a[p][0] != (Span{1, lastPort}) {
			return false
		}
	}
	return true
}

// Equal says whether both hold the same ports.
func (a Ports) Equal(b Ports) bool {
	return slices.Equal(a[TCP], b[TCP]) && slices.Equal(a[UDP], b[UDP]) && slices.Equal(a[SCTP], b[SCTP])
}

// Has says whether the port is in the set.
func (a Ports) Has(p Protocol, port int) bool {
	return slices.ContainsFunc(a[p], func(s Span) bool { return s.First <= port && port <= s.Last })
}

// Union is the ports that are in either.
func (a Ports) Union(b Ports) Ports {
	if a.Empty() {
		return b
	}
	for p := range b {
		if len(b[p]) > 0 {
			a[p] = unite(a[p], b[p])
		}
	}
	return a
}

func unite(a, b []Span) []Span {
	if len(a) == 0 {
		return b
	}
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(x, y Span) int { return x.First - y.First })
	merged := all[:1]
	for _, s := range all[1:] {
		if last := &merged[len(merged)-1]; s.First <= last.Last+1 {
			last.Last = max(last.Last, s.Last)
		} else {
			merged = append(merged, s)
		}
	}
	return merged
}

// Intersect is the ports that are in both.
func (a Ports) Intersect(b Ports) Ports {
	var both Ports
	for p := range a {
		both[p] = common(a[p], b[p])
	}
	return both
}

func common(a, b []Span) []Span {
	var both []Span
	for i, j := 0, 0; i < len(a) && j < len(b); {
		if first, last := max(a[i].First, b[j].First), min(a[i].Last, b[j].Last); first <= last {
			both = append(both, Span{first, last})
		}
		if a[i].Last < b[j].Last {
			i++
		} else {
			j++
		}
	}
	return both
}

// Minus is the ports of a that are not in b.
func (a Ports) Minus(b Ports) Ports {
	for p := range a {
		if len(a[p]) > 0 && len(b[p]) > 0 {
			a[p] = common(a[p], complement(b[p]))
		}
	}
	return a
}

func complement(spans []Span) []Span {
	var rest []Span
	next := 1
	for _, s := range spans {
		if next < s.First {
			rest = append(rest, Span{next, s.First - 1})
		}
		next = s.Last + 1
	}
	if next <= lastPort {
		rest = append(rest, Span{next, lastPort})
	}
	return rest
}

// String is the set as people write it: "80,443/TCP 53/UDP"; "all" and "none" for those.
func (a Ports) String() string {
	switch {
	case a.Empty():
		return "none"
	case a.Full():
		return "all"
	}
	var parts []string
	for p, spans := range a {
		if len(spans) == 0 {
			continue
		}
		var list []string
		for _, s := range spans {
			switch {
			case s == Span{1, lastPort}:
				list = append(list, "*")
			case s.First == s.Last:
				list = append(list, strconv.Itoa(s.First))
			default:
				list = append(list, strconv.Itoa(s.First)+"-"+strconv.Itoa(s.Last))
			}
		}
		parts = append(parts, strings.Join(list, ",")+"/"+protocolNames[p])
	}
	return strings.Join(parts, " ")
}

// key is equal for equal sets.
func (a Ports) key() string { return a.String() }
