package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/verdict"
)

// Framework is a list of controls that others have drawn up: a benchmark, a standard, a law. Ids and
// what they are about are facts; the words are ours.
type Framework struct {
	ID       string
	Title    string
	Version  string
	Source   string // the document, and which part of it
	Controls []Control
}

// Control is one demand of a framework, and how it is judged. Beside what it names itself, the rules
// whose maps name it judge it, and those of its parts.
type Control struct {
	ID        string
	Title     string
	PartOf    string              // the control that this one is a part of
	Rules     []string            // rules that judge it
	Practices []string            // practices whose rules all judge it
	Like      map[string][]string // framework -> controls whose rules judge it too
	// Manual is what a person must check, beside the rules or in their place.
	Manual string
	// Unjudged is why nothing judges it.
	Unjudged string
}

// Frameworks are the built-in frameworks, by id. An error is a fault of the catalogue itself.
var Frameworks = sync.OnceValues(func() ([]*Framework, error) {
	paths, err := fs.Glob(files, "frameworks/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list frameworks: %w", err)
	}
	var list []*Framework
	var errs []error
	for _, file := range paths {
		f, err := readFramework(file)
		list, errs = append(list, f), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b *Framework) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
})

func readFramework(file string) (*Framework, error) {
	text, err := files.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	f, err := ParseFramework(file, string(text))
	if err != nil {
		return nil, err
	}
	if want := "frameworks/" + f.ID + ".yaml"; file != want {
		return nil, fmt.Errorf("%s: by its id it belongs in %s", file, want)
	}
	return f, nil
}

// ParseFramework reads a framework's file. Every fault in it is reported at once, each with its place.
func ParseFramework(file, text string) (*Framework, error) {
	docs, faults := document.Read(document.NewText(text), 1)
	if len(faults) > 0 {
		return nil, fmt.Errorf("%s: %w", file, errors.Join(asErrors(faults)...))
	}
	if len(docs) != 1 || docs[0].Root().Kind() != document.Map {
		return nil, fmt.Errorf("%s:1:1: want one YAML map", file)
	}
	p := frameworkParser{file: file}
	if doubt := docs[0].Doubt(); doubt != nil {
		p.errs = append(p.errs, fmt.Errorf("%s: %w", file, doubt))
	}
	f := p.framework(docs[0].Root())
	if err := errors.Join(p.errs...); err != nil {
		return nil, err
	}
	return f, nil
}

type frameworkParser struct {
	file string
	errs []error
}

func (p *frameworkParser) fault(v document.Value, format string, args ...any) {
	line, column := v.Position()
	p.errs = append(p.errs, fmt.Errorf("%s:%d:%d: %s", p.file, line, column, fmt.Sprintf(format, args...)))
}

func (p *frameworkParser) framework(root document.Value) *Framework {
	f := &Framework{}
	for key, v := range root.Fields() {
		switch key {
		case "id":
			f.ID = p.text(v, key)
		case "title":
			f.Title = p.text(v, key)
		case "version":
			f.Version = p.text(v, key)
		case "source":
			f.Source = p.text(v, key)
		case "controls":
			p.controls(f, v)
		default:
			p.fault(v, "unknown key %q", key)
		}
	}
	if f.ID == "" || f.Title == "" || f.Version == "" || f.Source == "" || len(f.Controls) == 0 {
		p.fault(root, "id, title, version, source or controls is missing")
	}
	return f
}

func (p *frameworkParser) controls(f *Framework, list document.Value) {
	if list.Kind() != document.List {
		p.fault(list, "controls is no list")
		return
	}
	for _, item := range list.Items() {
		c := p.control(item)
		if f.Control(c.ID) != nil {
			p.fault(item, "control %q stands there twice", c.ID)
		}
		if c.PartOf != "" && f.Control(c.PartOf) == nil {
			p.fault(item, "control %q is part of %q, which does not stand before it", c.ID, c.PartOf)
		}
		f.Controls = append(f.Controls, c)
	}
}

func (p *frameworkParser) control(item document.Value) Control {
	var c Control
	for key, v := range item.Fields() {
		switch key {
		case "id":
			c.ID = p.text(v, key)
		case "title":
			c.Title = p.text(v, key)
		case "part-of":
			c.PartOf = p.text(v, key)
		case "rules":
			c.Rules = p.list(v, key)
		case "practices":
			c.Practices = p.list(v, key)
		case "manual":
			c.Manual = p.text(v, key)
		case "unjudged":
			c.Unjudged = p.text(v, key)
		case "like":
			if v.Kind() != document.Map {
				p.fault(v, "like is no map")
			}
			c.Like = map[string][]string{}
			for framework, ids := range v.Fields() {
				c.Like[framework] = p.list(ids, "like."+framework)
			}
		default:
			p.fault(v, "unknown key %q in a control", key)
		}
	}
	if c.ID == "" || c.Title == "" {
		p.fault(item, "id or title of a control is missing")
	}
	return c
}

func (p *frameworkParser) text(v document.Value, key string) string {
	s := v.Str()
	if strings.TrimSpace(s) == "" || strings.ContainsAny(s, "\n\x00") {
		p.fault(v, "%s is no text of one line", key)
	}
	return s
}

func (p *frameworkParser) list(v document.Value, key string) []string {
	if v.Kind() != document.List || v.Len() == 0 {
		p.fault(v, "%s is no list with something in it", key)
	}
	var list []string
	for _, item := range v.Items() {
		word := p.text(item, key)
		if slices.Contains(list, word) {
			p.fault(item, "%s has %q twice", key, word)
		}
		list = append(list, word)
	}
	return list
}

// Control is the control of that id; nil when there is none.
func (f *Framework) Control(id string) *Control {
	for i := range f.Controls {
		if f.Controls[i].ID == id {
			return &f.Controls[i]
		}
	}
	return nil
}

// Judged says which of the rules judge each control of a framework; the order is the rules'.
// all are the frameworks that its controls may refer to.
func (f *Framework) Judged(all []*Framework, rules []verdict.RuleInfo) map[string][]string {
	judged := make(map[string][]string, len(f.Controls))
	for i := range f.Controls {
		c := &f.Controls[i]
		for k := range rules {
			if f.judges(all, c, &rules[k], 0) {
				judged[c.ID] = append(judged[c.ID], rules[k].ID)
			}
		}
	}
	return judged
}

// deepest is how far controls may refer to others; a circle of references adds nothing past it.
const deepest = 4

// Count says how many controls are judged by rules, how many people judge, and how many nobody does. judged is what Judged gives.
func (f *Framework) Count(judged map[string][]string) (byRules, byHand, none int) {
	for i := range f.Controls {
		switch c := &f.Controls[i]; {
		case len(judged[c.ID]) > 0:
			byRules++
		case c.Manual != "":
			byHand++
		default:
			none++
		}
	}
	return byRules, byHand, none
}

// judges says whether a rule judges a control, through its parts and the controls that it is like.
func (f *Framework) judges(all []*Framework, c *Control, r *verdict.RuleInfo, depth int) bool {
	if slices.Contains(c.Rules, r.ID) || slices.Contains(c.Practices, r.Practice) || slices.Contains(r.Maps[f.ID], c.ID) {
		return true
	}
	if depth == deepest {
		return false
	}
	for i := range f.Controls {
		if part := &f.Controls[i]; part.PartOf == c.ID && f.judges(all, part, r, depth+1) {
			return true
		}
	}
	for id, controls := range c.Like {
		like := FrameworkOf(all, id)
		for _, control := range controls {
			if like == nil {
				break
			}
			if other := like.Control(control); other != nil && like.judges(all, other, r, depth+1) {
				return true
			}
		}
	}
	return false
}

// FrameworkOf is the framework of that id; nil when there is none.
func FrameworkOf(all []*Framework, id string) *Framework {
	if i := slices.IndexFunc(all, func(f *Framework) bool { return f.ID == id }); i >= 0 {
		return all[i]
	}
	return nil
}
