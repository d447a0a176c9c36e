package enforcement

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Place is where an object is: its namespace, and the labels of that. A Namespace is a place itself; what belongs to none has "".
type Place struct {
	Namespace string
	Labels    map[string]string
	// LabelsKnown is false where the namespace could not be looked at.
	LabelsKnown bool
}

// nameLabel is the label that the API server gives every namespace, with its name.
const nameLabel = "kubernetes.io/metadata.name"

// label is one label of the place's namespace; known is false where nobody can say.
func (at Place) label(key string) (value string, there, known bool) {
	if key == nameLabel {
		return at.Namespace, true, true
	}
	value, there = at.Labels[key]
	return value, there, at.LabelsKnown
}

// Selection is the namespaces that an entry is for: those that one of the names (or globs, in which a *
// stands for any text) names and the selector selects; without either, everything, what belongs to
// no namespace included.
type Selection struct {
	Names    []string
	Selector *metav1.LabelSelector

	requirements labels.Requirements
}

// All says whether it selects everything.
func (s *Selection) All() bool { return len(s.Names) == 0 && s.Selector == nil }

// Holds says whether a place is selected; known is false where that rests on labels that are not known.
func (s *Selection) Holds(at Place) (holds, known bool) {
	if s.All() {
		return true, true
	}
	if at.Namespace == "" || len(s.Names) > 0 && !matchesAny(s.Names, at.Namespace) {
		return false, true
	}
	known = true
	requirements := s.requirements
	if requirements == nil && s.Selector != nil { // it was not read from a file
		compiled, err := metav1.LabelSelectorAsSelector(s.Selector)
		if err != nil {
			return false, false
		}
		requirements, _ = compiled.Requirements()
	}
	for i := range requirements {
		r := &requirements[i]
		value, there, sure := at.label(r.Key())
		if !sure {
			known = false
			continue
		}
		set := labels.Set{}
		if there {
			set[r.Key()] = value
		}
		if !r.Matches(set) {
			return false, true
		}
	}
	return known, known
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return Matches(p, name) })
}

// Matches says whether a name is one of a pattern, in which a * stands for any text, none included.
func Matches(pattern, name string) bool {
	head, rest, glob := strings.Cut(pattern, "*")
	if !glob {
		return pattern == name
	}
	name, ok := strings.CutPrefix(name, head)
	if !ok {
		return false
	}
	for {
		part, more, again := strings.Cut(rest, "*")
		if !again {
			return strings.HasSuffix(name, part)
		}
		at := strings.Index(name, part) // the first place leaves most for what follows
		if at < 0 {
			return false
		}
		name, rest = name[at+len(part):], more
	}
}
