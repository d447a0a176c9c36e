package workbench

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/rule"
)

// maxTitle is what a terminal of 80 columns shows of a title beside what stands before it.
const maxTitle = 60

// minExamples is how many examples of each kind show what a rule is about, and what it is not.
const minExamples = 2

// Lint holds a rule to what the catalogue demands of its own: texts that read well, control ids
// that exist, examples that differ, and messages that hold no credential.
func Lint(r *rule.Compiled, b Bench) error {
	return errors.Join(lintTexts(r), lintMaps(r), lintExamples(r), lintMessages(r, b))
}

var capital = regexp.MustCompile(`^[\p{Lu}\d]`)

func lintTexts(r *rule.Compiled) error {
	var errs []error
	title := r.Root().Get("title")
	if n := utf8.RuneCountInString(r.Title); n > maxTitle {
		errs = append(errs, r.FaultAt(title, "title: %d characters, a report has room for %d", n, maxTitle))
	}
	if !capital.MatchString(r.Title) || strings.HasSuffix(r.Title, ".") {
		errs = append(errs, r.FaultAt(title, "title: want a capital first and no full stop"))
	}
	for _, text := range []struct{ key, value string }{{"why", r.Why}, {"remedy", r.Remedy}} {
		where := r.Root().Get(text.key)
		if !capital.MatchString(text.value) || !strings.HasSuffix(text.value, ".") {
			errs = append(errs, r.FaultAt(where, "%s: want sentences, with a capital first and a full stop at the end", text.key))
		}
		if strings.Contains(text.value, "\n") || strings.Contains(text.value, "  ") {
			errs = append(errs, r.FaultAt(where, "%s: want one paragraph with single spaces (write it as '>-')", text.key))
		}
	}
	return errors.Join(errs...)
}

// lintMaps wants controls that exist. A rule may map to frameworks of its own as well.
func lintMaps(r *rule.Compiled) error {
	frameworks, err := catalog.Frameworks()
	errs := []error{err}
	for name, ids := range r.Maps {
		where := r.Root().Get("maps").Get(name)
		framework := catalog.FrameworkOf(frameworks, name)
		for i, id := range ids {
			if framework != nil && framework.Control(id) == nil {
				errs = append(errs, r.FaultAt(where, "maps: %s has no control %q", name, id))
			}
			if slices.Contains(ids[:i], id) {
				errs = append(errs, r.FaultAt(where, "maps: %s names %s twice", name, id))
			}
		}
	}
	return errors.Join(errs...)
}

// lintExamples wants examples enough, and no two alike.
func lintExamples(r *rule.Compiled) error {
	var errs []error
	if len(r.Bad) < minExamples || len(r.Good) < minExamples {
		errs = append(errs, r.FaultAt(r.Root().Get("examples"), "examples: %d bad and %d good, want %d of each at least", len(r.Bad), len(r.Good), minExamples))
	}
	seen := map[string]string{}
	for _, list := range []struct {
		name     string
		examples []rule.Example
	}{{"bad", r.Bad}, {"good", r.Good}} {
		for i, e := range list.examples {
			name := fmt.Sprintf("%s example %d", list.name, i+1)
			var text strings.Builder
			for _, v := range e {
				text.Write(v.AppendSorted(nil))
			}
			if other := seen[text.String()]; other != "" {
				errs = append(errs, at(r, e, "%s is the same as %s", name, other))
			}
			seen[text.String()] = name
		}
	}
	return errors.Join(errs...)
}

// lintMessages wants messages of one line that hold no credential of the examples.
func lintMessages(r *rule.Compiled, b Bench) error {
	var errs []error
	says := r.Root().Get("says")
	for i, e := range r.Bad {
		secrets := credentials(e)
		for _, message := range judged(r, e, b).messages {
			if strings.HasSuffix(message, ".") || strings.Contains(message, "\n") {
				errs = append(errs, r.FaultAt(says, "says: want one line without a full stop, bad example %d gives %q", i+1, message))
			}
			if slices.ContainsFunc(secrets, func(s string) bool { return len(s) >= shortSecret && strings.Contains(message, s) }) {
				errs = append(errs, r.FaultAt(says, "says: the message of bad example %d holds a credential; name its place, not its value", i+1))
			}
		}
	}
	return errors.Join(errs...)
}
