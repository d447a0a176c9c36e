package rule

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
)

// Practices are the practices of docs/design.md, in the order in which reports show them.
var Practices = []string{"pod", "image", "rbac", "secret", "net", "quota", "version", "admit", "api", "node", "runtime", "vuln", "audit", "observe", "respond", "least"}

// Parse reads a rule file. Every fault in it is reported at once, each with its place.
func Parse(file, text string) (*Rule, error) {
	docs, errs := document.Read(document.NewText(text), 1)
	if len(errs) > 0 {
		return nil, placed(file, errs[0])
	}
	if len(docs) != 1 || docs[0].Root().Kind() != document.Map {
		return nil, &Fault{File: file, Line: 1, Column: 1, Message: "want one YAML map"}
	}
	p := parser{rule: &Rule{File: file, root: docs[0].Root()}}
	if doubt := docs[0].Doubt(); doubt != nil {
		p.errs = append(p.errs, placed(file, doubt))
	}
	for key, v := range p.rule.root.Fields() {
		p.field(key, v)
	}
	p.complete()
	if err := errors.Join(p.errs...); err != nil {
		return nil, err
	}
	return p.rule, nil
}

// placed is a fault of the text, with its place in front.
func placed(file string, e *document.Error) error {
	return &Fault{File: file, Line: e.Line, Column: max(e.Column, 1), Message: e.Message}
}

type parser struct {
	rule *Rule
	errs []error
}

// fault notes an error at a value of the file.
func (p *parser) fault(v document.Value, format string, args ...any) {
	p.errs = append(p.errs, p.rule.FaultAt(v, format, args...))
}

func (p *parser) text(v document.Value, key string) string {
	s := v.Str()
	if strings.TrimSpace(s) == "" {
		p.fault(v, "%s is no text", key)
	}
	return strings.TrimRight(s, "\n")
}

// LongestExpression is how long an expression may be, in bytes: to check one takes time in proportion
// to the square of its length.
const LongestExpression = 32 << 10

func (p *parser) expression(v document.Value, key string) string {
	s := p.text(v, key)
	if len(s) > LongestExpression {
		p.fault(v, "%s has %d bytes, over %d; make several rules of it", key, len(s), LongestExpression)
	}
	return s
}

func (p *parser) field(key string, v document.Value) {
	r := p.rule
	switch key {
	case "id":
		r.ID = p.text(v, key)
	case "title":
		r.Title = p.text(v, key)
	case "practice":
		r.Practice = p.text(v, key)
		if !slices.Contains(Practices, r.Practice) {
			p.fault(v, "practice %q is none of %s%s", r.Practice, strings.Join(Practices, ", "), near(r.Practice, Practices))
		}
	case "severity":
		if err := r.Severity.UnmarshalText([]byte(v.Str())); err != nil {
			p.fault(v, "%v", err)
		}
	case "why":
		r.Why = p.text(v, key)
	case "remedy":
		r.Remedy = p.text(v, key)
	case "match":
		r.Match = p.match(v)
	case "with":
		r.With = p.with(v)
	case "each":
		p.each(v)
	case "when":
		r.When = p.expression(v, key)
	case "assert":
		r.Assert = p.expression(v, key)
	case "says":
		r.Says = p.expression(v, key)
	case "at":
		r.At = p.path(v, key)
	case "fix":
		r.Fix = p.fixes(v)
	case "maps":
		r.Maps = p.maps(v)
	case "cost":
		r.Cost = p.text(v, key)
	case "examples":
		p.fields(v, key, "version", "settings", "bad", "good")
		if version := v.Get("version"); version.Exists() {
			r.ExampleVersion = p.version(version)
		}
		if given := v.Get("settings"); given.Exists() {
			var err error
			if r.Settings, err = settingsOf(r.File, given, nil); err != nil {
				p.errs = append(p.errs, err)
			}
		}
		r.Bad, r.Good = p.examples(v.Get("bad")), p.examples(v.Get("good"))
	default:
		p.fault(v, "unknown key %q%s", key, near(key, ruleKeys))
	}
}

// ruleKeys are the keys of a rule's file.
var ruleKeys = []string{"id", "title", "practice", "severity", "why", "remedy", "match", "with", "each", "when", "assert", "says", "at", "fix", "maps", "cost", "examples"}

// near suggests the word that a mistaken one probably is.
func near(word string, known []string) string {
	if n := Nearest(word, known); n != "" {
		return "; did you mean " + n + "?"
	}
	return ""
}

var ruleID = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

func (p *parser) complete() {
	r := p.rule
	for _, need := range []struct{ key, value string }{
		{"id", r.ID},
		{"title", r.Title},
		{"practice", r.Practice},
		{"severity", r.root.Get("severity").Str()},
		{"why", r.Why},
		{"remedy", r.Remedy},
		{"match", r.Match.Fact},
		{"assert", r.Assert},
		{"says", r.Says},
	} {
		if need.value == "" {
			p.fault(r.root, "%s is missing", need.key)
		}
	}
	if r.ID != "" && !ruleID.MatchString(r.ID) {
		p.fault(r.root.Get("id"), "id %q is not lower-case words joined by hyphens", r.ID)
	}
}

var objectKind = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*(\.[a-z0-9.-]+)?$`)

func (p *parser) match(v document.Value) Match {
	switch {
	case v.Kind() == document.List:
		m := Match{Fact: "kinds"}
		if v.Len() == 0 {
			p.fault(v, "match names no kind")
		}
		for _, item := range v.Items() {
			if !objectKind.MatchString(item.Str()) {
				p.fault(item, "%q is no object kind: want Kind or Kind.group", item.Str())
			}
			m.Kinds = append(m.Kinds, item.Str())
		}
		return m
	case slices.Contains([]string{"container", "workload", "namespace", "object", "cluster", "image"}, v.Str()):
		return Match{Fact: v.Str()}
	case objectKind.MatchString(v.Str()):
		return Match{Fact: "kinds", Kinds: []string{v.Str()}}
	}
	p.fault(v, "match %q is neither container, workload, namespace, object, cluster, image nor object kinds", v.Str())
	return Match{}
}

// with is the ids of the rules that this one goes with.
func (p *parser) with(v document.Value) []string {
	if v.Kind() != document.List || v.Len() == 0 {
		p.fault(v, "with is no list of ids of rules")
	}
	var list []string
	for _, item := range v.Items() {
		if !ruleID.MatchString(item.Str()) {
			p.fault(item, "with: %q is no id of a rule", item.Text())
		}
		list = append(list, item.Str())
	}
	return list
}

var itemName = regexp.MustCompile(`^[a-z][A-Za-z0-9]*$`)

func (p *parser) each(v document.Value) {
	if v.Len() != 1 || v.Kind() != document.Map {
		p.fault(v, "each wants one entry, the item's name and the list's path")
	}
	for name, path := range v.Fields() {
		if !itemName.MatchString(name) || slices.Contains(variableNames, name) {
			p.fault(path, "each: %q is no name for an item", name)
		}
		p.rule.EachName, p.rule.EachPath = name, p.path(path, "each")
	}
}

// path is a path of keys.
func (p *parser) path(v document.Value, key string) []string {
	keys := splitPath(p.text(v, key))
	if slices.ContainsFunc(keys, func(s string) bool { return s == "" || strings.HasPrefix(s, "[") }) {
		p.fault(v, "%s: %q is no path: want keys with dots between them, [key] for one that has dots in it", key, v.Str())
	}
	return keys
}

// fields faults what is no map and the keys of a map that are not known.
func (p *parser) fields(v document.Value, what string, known ...string) {
	if v.Kind() != document.Map {
		p.fault(v, "%s is no map", what)
	}
	for key, entry := range v.Fields() {
		if !slices.Contains(known, key) {
			p.fault(entry, "unknown key %q in %s%s", key, what, near(key, known))
		}
	}
}

// fixOperands are the keys of each fix: where, and the literal that stands in place of expr.
var fixOperands = map[FixOp]string{FixRemove: "", FixSet: "to", FixChoose: "from", FixAppend: "item", FixTake: "items", FixAdd: "object"}

func (p *parser) fixes(v document.Value) []Fix {
	if v.Kind() != document.List {
		p.fault(v, "fix is no list")
	}
	var fixes []Fix
	for _, item := range v.Items() {
		fixes = append(fixes, p.fix(item))
	}
	return fixes
}

// fix reads one of a list of fixes: {remove: path}, or {OP: path, LITERAL: value} or {OP: path, expr: CEL}.
func (p *parser) fix(item document.Value) Fix {
	var f Fix
	if ask := item.Get("ask"); ask.Exists() {
		f.Ask = p.text(ask, "ask")
	}
	for op, literal := range fixOperands {
		path := item.Get(string(op))
		if !path.Exists() {
			continue
		}
		if f.Op != "" {
			p.fault(item, "a fix does one thing, not both %s and %s", min(f.Op, op), max(f.Op, op))
			return f
		}
		f.Op = op
		switch {
		case op == FixAdd && path.Kind() == document.Map:
			f.Value = path
			p.fields(item, "fix", string(op), "ask")
			continue
		case op == FixAdd:
			f.Expr = p.expression(path, string(op))
			p.fields(item, "fix", string(op), "ask")
			continue
		case path.Str() != ".":
			f.Path = p.path(path, string(op))
		}
		if op == FixRemove {
			p.fields(item, "fix", string(op), "ask")
			continue
		}
		p.fields(item, "fix", string(op), literal, "expr", "ask")
		f.Value = item.Get(literal)
		if expr := item.Get("expr"); expr.Exists() {
			f.Expr = p.expression(expr, "expr")
		}
		list := op == FixChoose || op == FixTake
		if f.Value.Exists() == (f.Expr != "") || list && f.Value.Exists() && f.Value.Kind() != document.List {
			p.fault(item, "%s wants %s, or expr in its place", op, literal)
		}
	}
	if f.Op == "" {
		p.fault(item, "a fix is one of remove, set, choose, append, take and add")
	}
	return f
}

func (p *parser) maps(v document.Value) map[string][]string {
	if v.Kind() != document.Map {
		p.fault(v, "maps is no map")
	}
	maps := map[string][]string{}
	for framework, ids := range v.Fields() {
		if ids.Kind() != document.List {
			p.fault(ids, "maps.%s is no list", framework)
		}
		for _, id := range ids.Items() {
			maps[framework] = append(maps[framework], id.Text())
		}
	}
	return maps
}

var kubernetesVersion = regexp.MustCompile(`^1\.[0-9]+$`)

func (p *parser) version(v document.Value) string {
	if !kubernetesVersion.MatchString(v.Str()) {
		p.fault(v, `%q is no version like "1.36"`, v.Text())
	}
	return v.Str()
}

func (p *parser) examples(v document.Value) []Example {
	if k := v.Kind(); k > document.Null && k != document.List {
		p.fault(v, "examples are no list")
	}
	var list []Example
	for _, item := range v.Items() {
		if item.Kind() != document.List {
			list = append(list, Example{item})
			continue
		}
		var e Example
		for _, object := range item.Items() {
			e = append(e, object)
		}
		list = append(list, e)
	}
	return list
}

// Keys are the keys of a path that a rule reads: of object.data[a.b], object, data and a.b.
func Keys(path string) []string { return splitPath(path) }

// splitPath splits a.b[c.d].e into its keys. A key that is empty, or begins with a bracket, is a
// fault of the path.
func splitPath(path string) []string {
	if path == "" {
		return nil
	}
	var keys []string
	for {
		var key string
		if strings.HasPrefix(path, "[") {
			end := strings.IndexByte(path, ']')
			if end < 0 {
				return append(keys, path)
			}
			key, path = path[1:end], path[end+1:]
		} else {
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				return append(keys, path)
			}
			key, path = path[:end], path[end:]
		}
		keys = append(keys, key)
		if path == "" {
			return keys
		}
		path = strings.TrimPrefix(path, ".")
	}
}
