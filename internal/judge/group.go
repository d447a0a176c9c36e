package judge

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/coaming/coaming/internal/rule"
)

// How a rule comes out depends on nothing but what it reads. Most rules read a small part of a
// fact, and a cluster's facts have the same few values there: the same securityContext a thousand
// times. So rules that read the same parts are kept in one group, and a group's outcomes are
// remembered by the values of its parts. Of values that are seldom the same (the references to images,
// the items of lists) only what the rules see of them counts: their aspects.

// ruleList is the rules that match one kind of fact, in groups that are made when they are first needed.
type ruleList struct {
	rules []*rule.Compiled
	ways  [3]grouping // by recall
}

// recall is for how long outcomes are remembered.
type recall uint8

const (
	never   recall = iota // every rule is a group of its own
	passing               // while one inventory is judged
	lasting               // from one inventory to the next: of what an object says by itself alone
)

// grouping is the groups of a list for one recall.
type grouping struct {
	once   sync.Once
	groups []*ruleGroup
	parts  []part // those of all groups, each once
}

func (l *ruleList) add(r *rule.Compiled) { l.rules = append(l.rules, r) }

// ruleGroup is rules that read the same parts of a fact, and of the same each.
type ruleGroup struct {
	rules    []*rule.Compiled
	eachName string
	eachPath []string
	// reads are what the rules read, as indexes into the grouping's parts; recalled is whether outcomes can
	// be remembered by them.
	reads    []int
	recalled bool
	// item is what the rules see of the item; nil for all of it.
	item *lens
}

// part is a piece of what a rule reads: a field of a variable, a field of the pod spec.
type part struct {
	root string // "container", "workload", "object", or "role", "api", "beside"
	keys []string
	seen *lens // what is seen of it; nil for all
}

// lens is what some rules see of a value.
type lens struct{ aspects []*rule.Aspect }

// lensOf is what a rule sees of the values at a path; nil when that is the whole, or not known, or of a
// field that mostly has the same few values.
func lensOf(r *rule.Compiled, keys ...string) *lens {
	l := &lens{r.Aspects(keys)}
	whole := func(a *rule.Aspect) bool { return a.Whole(keys) }
	always := func(a *rule.Aspect) bool { return !a.Guarded() }
	if len(l.aspects) == 0 || slices.ContainsFunc(l.aspects, whole) || slices.ContainsFunc(l.aspects, always) && len(keys) > 1 && keys[1] != "image" {
		return nil
	}
	return l
}

// add adds what another lens shows.
func (l *lens) add(other *lens) {
	for _, a := range other.aspects {
		if !slices.ContainsFunc(l.aspects, func(b *rule.Aspect) bool { return a.String() == b.String() }) {
			l.aspects = append(l.aspects, a)
		}
	}
}

// key is the same for lenses that are best made one.
func (l *lens) key() string {
	if l == nil {
		return ""
	}
	names := []string{"~"}
	for _, a := range l.aspects {
		if !a.Few() {
			names = append(names, a.String())
		}
	}
	slices.Sort(names)
	return strings.Join(names, "|")
}

// split makes the groups.
func (l *ruleList) split(how recall) *grouping {
	g := &l.ways[how]
	g.once.Do(func() { g.fill(l.rules, how) })
	return g
}

func (l *grouping) fill(rules []*rule.Compiled, how recall) {
	byKey, lenses := map[string]*ruleGroup{}, map[string]*lens{}
	for _, r := range rules {
		g := &ruleGroup{rules: []*rule.Compiled{r}, eachName: r.EachName, eachPath: r.EachPath}
		var parts []part
		if how != never {
			parts, g.recalled = partsOf(r, how)
		}
		if !g.recalled {
			l.groups = append(l.groups, g)
			continue
		}
		if key := fmt.Sprint(g.eachName, g.eachPath); r.EachName != "" {
			g.item = shared(lenses, key, lensOf(r, r.EachName))
		}
		for i, p := range parts {
			parts[i].seen = shared(lenses, fmt.Sprint(p.root, p.keys), p.seen)
		}
		g.reads = l.indexes(parts)
		key := fmt.Sprint(g.eachName, g.eachPath, g.item.key(), g.reads)
		if first := byKey[key]; first != nil {
			first.rules = append(first.rules, r)
			continue
		}
		byKey[key], l.groups = g, append(l.groups, g)
	}
}

// shared is the one lens for all rules that see the same of what comes in many values: what they see beside
// it comes in few.
func shared(lenses map[string]*lens, of string, l *lens) *lens {
	if l == nil {
		return nil
	}
	key := of + l.key()
	if lenses[key] == nil {
		lenses[key] = l
	}
	lenses[key].add(l)
	return lenses[key]
}

// indexes are the places of parts among those of the grouping, sorted.
func (l *grouping) indexes(parts []part) []int {
	var list []int
	for _, p := range parts {
		i := slices.IndexFunc(l.parts, func(other part) bool { return other.seen == p.seen && p.is(other) })
		if i < 0 {
			i = len(l.parts)
			l.parts = append(l.parts, p)
		}
		list = append(list, i)
	}
	slices.Sort(list)
	return list
}

func (p part) is(other part) bool { return p.root == other.root && slices.Equal(p.keys, other.keys) }

// partsOf is what a rule reads beside its item; recalled is false where outcomes cannot be
// remembered by it: it reads a whole fact, or what is joined from objects that are not looked up here.
func partsOf(r *rule.Compiled, how recall) (parts []part, recalled bool) {
	if r.Origin != "" {
		return nil, false // what such a rule may spend depends on the size of the object
	}
	for _, path := range r.Reads() {
		keys := rule.Keys(path)
		root, keys := keys[0], keys[1:]
		depth := 0
		switch root {
		case r.EachName, "cluster", "settings", "support":
			continue // the item is looked at by itself; the others are the same for all facts
		case "everywhere":
			if how == lasting {
				return nil, false
			}
			continue
		case "beside":
			if how == lasting {
				return nil, false
			}
		case "role", "api":
		case "container":
			depth = 1
		case "object":
			depth = min(2, max(1, len(keys)))
		case "workload":
			switch {
			case len(keys) == 0:
				return nil, false
			case keys[0] == "spec":
				depth = 2
			case workloadParts[keys[0]] == nil, how == lasting && !ownParts[keys[0]]:
				return nil, false
			default:
				depth = 1
			}
		default:
			return nil, false
		}
		if len(keys) < depth {
			return nil, false
		}
		if p := (part{root: root, keys: keys[:depth]}); !slices.ContainsFunc(parts, p.is) {
			if root == "container" {
				p.seen = lensOf(r, root, keys[0])
			}
			parts = append(parts, p)
		}
	}
	most := mostParts
	if r.EachName != "" {
		most--
	}
	return parts, len(parts) <= most
}
