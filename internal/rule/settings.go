package rule

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/google/cel-go/common/types"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/verdict"
)

// Settings is what users tell rules of their own estate, the variable of that name. A list that is
// empty is not told, and the rules that need it do not apply. docs/settings.md describes each.
type Settings struct {
	// Registries and Publishers are where images may come from.
	Registries, Publishers []string
	// PrivateRegistries give images only to who logs in.
	PrivateRegistries []string
	// InlineBarred are severities, and ids of rules, whose findings nothing that stands in what is judged may excuse. No
	// rule reads it.
	InlineBarred []string
}

// Bars says whether what stands in what is judged may not excuse findings of a rule.
func (s Settings) Bars(r *Rule) bool {
	return slices.ContainsFunc(s.InlineBarred, r.IsChosenBy) || slices.Contains(s.InlineBarred, r.Severity.String())
}

// settingForms are the lists of a settings file and what their entries look like.
var settingForms = []struct {
	key, want string
	form      *regexp.Regexp
	list      func(*Settings) *[]string
}{
	{"registries", "a registry like registry.example.com, localhost:5000 or *.example.com", registryForm, func(s *Settings) *[]string { return &s.Registries }},
	{"publishers", "a publisher like docker.io/library or registry.example.com/team", publisherForm, func(s *Settings) *[]string { return &s.Publishers }},
	{"privateRegistries", "a registry like registry.example.com, localhost:5000 or *.example.com", registryForm, func(s *Settings) *[]string { return &s.PrivateRegistries }},
}

var (
	registryForm  = regexp.MustCompile(`^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]+)?$`)
	publisherForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]+)?(/[a-z0-9._-]+)+$`)
)

// ParseSettings reads a settings file. Every fault in it is reported at once, each with its place.
func ParseSettings(file, text string) (Settings, error) {
	docs, errs := document.Read(document.NewText(text), 1)
	switch {
	case len(errs) > 0:
		return Settings{}, placed(file, errs[0])
	case len(docs) == 0:
		return Settings{}, nil
	case len(docs) > 1:
		return Settings{}, fmt.Errorf("%s:1:1: want one YAML map", file)
	}
	return settingsOf(file, docs[0].Root(), docs[0].Doubt())
}

// settingsOf reads settings from a map.
func settingsOf(file string, root document.Value, doubt *document.Error) (Settings, error) {
	var s Settings
	p := parser{rule: &Rule{File: file}}
	if doubt != nil {
		p.errs = append(p.errs, placed(file, doubt))
	}
	var keys []string
	for _, f := range settingForms {
		keys = append(keys, f.key)
	}
	p.fields(root, "settings", append(keys, "exceptions")...)
	s.InlineBarred = p.barred(root.Get("exceptions"))
	for _, f := range settingForms {
		list := root.Get(f.key)
		if k := list.Kind(); k > document.Null && k != document.List {
			p.fault(list, "%s is no list", f.key)
		}
		for _, item := range list.Items() {
			if err := s.add(f.key, item.Str()); err != nil {
				p.fault(item, "%v", err)
			}
		}
	}
	return s, errors.Join(p.errs...)
}

// barred reads exceptions.inline.barred: severities and ids of rules.
func (p *parser) barred(exceptions document.Value) []string {
	for _, key := range []string{"inline", "barred"} {
		if exceptions.Kind() <= document.Null {
			return nil
		}
		p.fields(exceptions, "exceptions", key)
		exceptions = exceptions.Get(key)
	}
	if k := exceptions.Kind(); k > document.Null && k != document.List {
		p.fault(exceptions, "exceptions.inline.barred is no list")
	}
	var list []string
	for _, item := range exceptions.Items() {
		var severity verdict.Severity
		if word := item.Str(); severity.UnmarshalText([]byte(word)) != nil && !ruleID.MatchString(word) {
			p.fault(item, "exceptions.inline.barred: %q is neither a severity nor the id of a rule", word)
		} else {
			list = append(list, word)
		}
	}
	return list
}

// Set gives a list its entries in place of those it has: what a flag says outranks the file.
func (s *Settings) Set(key string, entries []string) error {
	for _, f := range settingForms {
		if f.key == key && len(entries) > 0 {
			*f.list(s) = nil
		}
	}
	var errs []error
	for _, entry := range entries {
		errs = append(errs, s.add(key, entry))
	}
	return errors.Join(errs...)
}

func (s *Settings) add(key, entry string) error {
	for _, f := range settingForms {
		if f.key != key {
			continue
		}
		if !f.form.MatchString(entry) {
			return fmt.Errorf("%s: %q is not %s", key, entry, f.want)
		}
		*f.list(s) = append(*f.list(s), strings.ToLower(entry))
	}
	return nil
}

// Fact is the settings as rules read them; safe for concurrent use.
func (s Settings) Fact() Fact {
	lists := map[string][]string{}
	for _, f := range settingForms {
		lists[f.key] = *f.list(&s)
	}
	return types.DefaultTypeAdapter.NativeToValue(lists)
}
