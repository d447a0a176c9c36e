package e2e

import (
	"maps"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// key is what is wrong where: the same in files, in a cluster and in its snapshot.
type key struct {
	rule      string
	subject   identity
	container string
	path      string
}

func (k key) String() string {
	text := k.rule + " " + k.subject.String()
	if k.container != "" {
		text += " [" + k.container + "]"
	}
	return text + " " + k.path
}

func keyOf(f *verdict.Finding) key {
	return key{f.Rule, subjectOf(f), f.Subject.Container, f.Path}
}

func subjectOf(f *verdict.Finding) identity {
	kind := f.Subject.Kind
	if group, _, found := strings.Cut(f.Subject.APIVersion, "/"); found {
		kind += "." + group
	}
	return identity{kind, f.Subject.Namespace, f.Subject.Name}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
