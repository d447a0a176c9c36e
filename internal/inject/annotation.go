package inject

import (
	"maps"
	"slices"
	"strings"
)

// The annotations by which people and Coaming know what was changed.
const (
	// InjectedKey lists the templates that a pod has, TEMPLATE@VERSION with commas between.
	InjectedKey = "coaming.dev/injected"
	// MutationsKey tells why the object was changed, one reason a line.
	MutationsKey = "coaming.dev/mutations"
	// MutateKey switches mutations off: "off" all of them, else a list of what not, with commas between: "sidecars",
	// "defaults", "resources", or the name of a template or the id of a rule.
	MutateKey = "coaming.dev/mutate"
)

// reserved says whether a template may not write an annotation.
func reserved(key string) bool { return key == InjectedKey || key == MutationsKey || key == MutateKey }

// Refused is what somebody switched off for one object.
type Refused struct{ words []string }

// refusedBy reads the annotation where it stands: on the object, and on its pod template.
func refusedBy(texts ...string) Refused {
	var r Refused
	for _, text := range texts {
		for word := range strings.SplitSeq(text, ",") {
			if word = strings.TrimSpace(word); word != "" {
				r.words = append(r.words, word)
			}
		}
	}
	return r
}

// has says whether any of the words, or all, is switched off.
func (r Refused) has(words ...string) bool {
	return slices.ContainsFunc(r.words, func(w string) bool { return w == "off" || slices.Contains(words, w) })
}

// versions are the templates in an annotation of what was injected, with their versions.
func versions(annotation string) map[string]string {
	list := map[string]string{}
	for entry := range strings.SplitSeq(annotation, ",") {
		if name, version, ok := strings.Cut(strings.TrimSpace(entry), "@"); ok && name != "" {
			list[name] = version
		}
	}
	return list
}

// injectedText is the annotation of what was injected, sorted.
func injectedText(versions map[string]string) string {
	var entries []string
	for name, version := range versions {
		entries = append(entries, name+"@"+version)
	}
	slices.Sort(entries)
	return strings.Join(entries, ",")
}

// reasons are lines of the annotation that tells why: each begins with its topic, of which there is one line.
func reasons(before string, add map[string]string) string {
	lines := map[string]string{}
	for line := range strings.SplitSeq(before, "\n") {
		if line != "" {
			lines[topic(line)] = line
		}
	}
	for _, line := range add {
		lines[topic(line)] = line
	}
	return strings.Join(slices.Sorted(maps.Values(lines)), "\n")
}

// topic is what a line is about: "sidecar NAME", "rule ID", "resources".
func topic(line string) string {
	about, _, _ := strings.Cut(line, ": ")
	about, _, _ = strings.Cut(about, "@")
	return about
}
