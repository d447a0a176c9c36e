package policy

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/google/cel-go/common/ast"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// ImportOptions say what imported rules are given beside what their policy says.
type ImportOptions struct {
	Practice string
	Severity verdict.Severity
	// EveryNamespace takes policies whose namespace selectors read labels, which a manifest does not
	// show, as if they held everywhere.
	EveryNamespace bool
}

// File is a text to import from.
type File struct{ Name, Text string }

// Imported is a rule file.
type Imported struct{ ID, Text string }

// Refused is a policy, or a part of one, that no rule can stand for.
type Refused struct {
	File         string
	Line, Column int
	What         string // "ValidatingAdmissionPolicy name, validation 2"
	Why          error
}

// Error is where, what and why.
func (r *Refused) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s: %s", r.File, r.Line, r.Column, r.What, strings.ReplaceAll(r.Why.Error(), "\n", "; "))
}

// Unwrap is the reason.
func (r *Refused) Unwrap() error { return r.Why }

// Import makes rules of the ValidatingAdmissionPolicies in the files. Bindings beside them say where
// each holds, and objects beside them are their parameters and the definitions of custom kinds. The
// error is that of a file that cannot be read.
func Import(files []File, o ImportOptions) ([]Imported, []*Refused, error) {
	in := importer{ImportOptions: o, params: map[string]input{}, kinds: map[string]string{}, ids: map[string]int{}}
	var errs []error
	for _, f := range files {
		docs, faults := document.Read(document.NewText(f.Text), 1)
		for _, e := range faults {
			errs = append(errs, fmt.Errorf("%s:%d:%d: %s", f.Name, e.Line, max(e.Column, 1), e.Message))
		}
		for _, d := range docs {
			in.take(input{f.Name, d.Root()})
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, nil, err
	}
	for _, p := range in.policies {
		in.policy(p)
	}
	return in.rules, in.refused, nil
}

// input is a value of a file.
type input struct {
	file  string
	value document.Value
}

func (i input) get(keys ...string) input { return input{i.file, i.value.At(keys...)} }

type importer struct {
	ImportOptions
	policies, bindings []input
	params             map[string]input  // by "apiVersion kind namespace/name"
	kinds              map[string]string // of definitions: "plural.group" -> "Kind.group"
	ids                map[string]int
	rules              []Imported
	refused            []*Refused
}

// take sorts an object in.
func (in *importer) take(i input) {
	kind, name := i.value.Get("kind").Str(), i.value.At("metadata", "name").Str()
	group, _, _ := strings.Cut(i.value.Get("apiVersion").Str(), "/")
	switch {
	case strings.HasSuffix(kind, "List") && i.value.Get("items").Kind() == document.List:
		for _, item := range i.value.Get("items").Items() {
			in.take(input{i.file, item})
		}
	case group == "admissionregistration.k8s.io" && kind == "ValidatingAdmissionPolicy":
		in.policies = append(in.policies, i)
	case group == "admissionregistration.k8s.io" && kind == "ValidatingAdmissionPolicyBinding":
		in.bindings = append(in.bindings, i)
	case group == "apiextensions.k8s.io" && kind == "CustomResourceDefinition":
		spec := i.value.Get("spec")
		of := spec.Get("group").Str()
		in.kinds[spec.At("names", "plural").Str()+"."+of] = spec.At("names", "kind").Str() + "." + of
	default:
		in.params[i.value.Get("apiVersion").Str()+" "+kind+" "+i.value.At("metadata", "namespace").Str()+"/"+name] = i
	}
}

// refuse notes what is not imported.
func (in *importer) refuse(at input, what string, why error) {
	line, column := at.value.Position()
	in.refused = append(in.refused, &Refused{at.file, line, column, what, why})
}

// policy makes the rules of one policy.
func (in *importer) policy(p input) {
	name := p.value.At("metadata", "name").Str()
	what := "ValidatingAdmissionPolicy " + name
	m, err := in.match(p.get("spec", "matchConstraints"))
	if err != nil {
		in.refuse(p.get("spec", "matchConstraints").or(p), what, err)
		return
	}
	uses, err := in.uses(p)
	if err != nil {
		in.refuse(p, what, err)
		return
	}
	if p.value.At("spec", "validations").Len() == 0 {
		in.refuse(p, what, errors.New("it has no validations, and so refuses nothing"))
	}
	for _, u := range uses {
		t := translator{match: m, variables: map[string]input{}, params: u.params, hasParams: p.value.At("spec", "paramKind").Exists()}
		for _, v := range p.value.At("spec", "variables").Items() {
			t.variables[v.Get("name").Str()] = input{p.file, v.Get("expression")}
		}
		when, at, err := t.when(p)
		if err == nil {
			when, at, err = in.narrowed(p, u, m, when)
		}
		if err != nil {
			in.refuse(at, what, err)
			continue
		}
		for i, v := range p.value.At("spec", "validations").Items() {
			id := identifier(name)
			if n := p.value.At("spec", "validations").Len(); n > 1 {
				id = fmt.Sprintf("%s-%d", id, i+1)
			}
			if at, err := in.validation(p, input{p.file, v}, &t, when, id); err != nil {
				in.refuse(at, fmt.Sprintf("%s, validation %d", what, i+1), err)
			}
		}
	}
}

// narrowed adds the selectors of the policy and of its binding to a condition.
func (in *importer) narrowed(p input, u use, m *matching, when ast.Expr) (ast.Expr, input, error) {
	own, at, err := in.selectors(p.get("spec", "matchConstraints"), m)
	if err != nil {
		return nil, at, err
	}
	when = both(own, when)
	resources := u.binding.get("spec", "matchResources")
	if !resources.value.Exists() {
		return when, p, nil
	}
	bound, at, err := in.selectors(resources, m)
	if err != nil {
		return nil, at, err
	}
	when = both(when, bound)
	if resources.value.Get("resourceRules").Len() > 0 {
		narrower, err := in.match(resources)
		if err != nil {
			return nil, resources, err
		}
		if len(narrower.kinds) > 0 {
			when = both(when, isOne(narrower.kinds))
		}
		when = both(when, narrower.condition)
	}
	return when, p, nil
}

// or is another value where this one is missing.
func (i input) or(other input) input {
	if i.value.Exists() {
		return i
	}
	return other
}

// ruleFile is a rule's file, in the order in which rules are written.
type ruleFile struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Practice string `json:"practice"`
	Severity string `json:"severity"`
	Why      string `json:"why"`
	Remedy   string `json:"remedy"`
	Match    any    `json:"match"`
	When     string `json:"when,omitempty"`
	Assert   string `json:"assert"`
	Says     string `json:"says"`
}

// validation makes one rule.
func (in *importer) validation(p, v input, t *translator, when ast.Expr, id string) (at input, err error) {
	assert, err := t.translate(v.get("expression"))
	if err != nil {
		return v.get("expression").or(v), err
	}
	if isBool(assert, true) {
		return v, errors.New("it holds for every object at rest: what it judges is the request")
	}
	short := text(cmp.Or(oneLine(v.value.Get("message").Str()), "failed expression: "+oneLine(v.value.Get("expression").Str())))
	says := short
	if v.value.Get("messageExpression").Str() != "" {
		if e, err := t.translate(v.get("messageExpression")); err == nil {
			says = e
		}
	}
	f := in.describe(p, v)
	f.Match = t.match.fact()
	for _, part := range []struct {
		to *string
		e  ast.Expr
	}{{&f.When, when}, {&f.Assert, assert}, {&f.Says, says}} {
		if isBool(part.e, true) {
			continue
		}
		if *part.to, err = printed(part.e); err != nil {
			return v, err
		}
	}
	if len(f.Says) > rule.LongestExpression { // with its variables written out
		if f.Says, err = printed(short); err != nil {
			return v, err
		}
	}
	f.ID = id
	if in.ids[id]++; in.ids[id] > 1 {
		f.ID = fmt.Sprintf("%s-%d", id, in.ids[id])
	}
	return v, in.keep(f)
}

// keep writes the rule and proves that it is one.
func (in *importer) keep(f ruleFile) error {
	raw, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("write rule %s: %w", f.ID, err)
	}
	docs, errs := document.Read(document.NewText(string(raw)), 1)
	if len(errs) > 0 || len(docs) != 1 {
		return fmt.Errorf("write rule %s: it does not read back: %v", f.ID, errs)
	}
	text := document.YAML(docs[0].Root())
	r, err := rule.Parse(f.ID+".yaml", text)
	if err != nil {
		return err
	}
	if _, err := rule.Compile(r, nil); err != nil {
		return err
	}
	in.rules = append(in.rules, Imported{f.ID, text})
	return nil
}

// describe fills in what a rule tells beside its judgement: annotations become the reason.
func (in *importer) describe(p, v input) ruleFile {
	name := p.value.At("metadata", "name").Str()
	f := ruleFile{Practice: in.Practice, Severity: in.Severity.String()}
	message := oneLine(v.value.Get("message").Str())
	annotations := p.value.At("metadata", "annotations")
	f.Title = cmp.Or(annotations.Get("coaming.dev/title").Str(), message, "Policy "+name+" refuses it")
	f.Remedy = cmp.Or(annotations.Get("coaming.dev/remedy").Str(), message, "Change it until the policy "+name+" lets it in.")
	f.Why = annotations.Get("coaming.dev/why").Str()
	if f.Why == "" {
		var notes []string
		for key, note := range annotations.Fields() {
			if s := oneLine(note.Str()); s != "" && key != "kubectl.kubernetes.io/last-applied-configuration" {
				notes = append(notes, s)
			}
		}
		f.Why = cmp.Or(strings.Join(notes, " "), "The ValidatingAdmissionPolicy "+name+" refuses it in the cluster.")
	}
	f.Title, f.Why, f.Remedy = oneLine(f.Title), oneLine(f.Why), oneLine(f.Remedy)
	return f
}

var notInIdentifiers = regexp.MustCompile(`[^a-z0-9]+`)

// identifier is a policy's name as the id of a rule.
func identifier(name string) string {
	id := strings.Trim(notInIdentifiers.ReplaceAllString(strings.ToLower(name), "-"), "-")
	if id == "" || id[0] < 'a' {
		id = "policy-" + id
	}
	return strings.Trim(id, "-")
}

// use is one way in which a policy is bound: conditions beyond its own, and the parameter.
type use struct {
	binding input
	params  input
}

// uses are the ways in which the policy is bound; one without conditions where no binding is given.
func (in *importer) uses(p input) ([]use, error) {
	name := p.value.At("metadata", "name").Str()
	var bound []input
	for _, b := range in.bindings {
		if b.value.At("spec", "policyName").Str() == name {
			bound = append(bound, b)
		}
	}
	if !p.value.At("spec", "paramKind").Exists() {
		uses := []use{}
		for _, b := range bound {
			uses = append(uses, use{binding: b})
		}
		if len(uses) == 0 {
			uses = append(uses, use{})
		}
		return uses, nil
	}
	if len(bound) == 0 {
		return nil, errors.New("it has parameters, and no binding that names them: hand over its ValidatingAdmissionPolicyBinding and the parameters as well")
	}
	var uses []use
	for _, b := range bound {
		params, err := in.paramsOf(p, b)
		if err != nil {
			return nil, err
		}
		for _, param := range params {
			uses = append(uses, use{b, param})
		}
	}
	return uses, nil
}

// paramsOf are the parameters that a binding names.
func (in *importer) paramsOf(p, b input) ([]input, error) {
	kind, ref := p.value.At("spec", "paramKind"), b.value.At("spec", "paramRef")
	if kind.Get("kind").Str() == "Secret" && kind.Get("apiVersion").Str() == "v1" {
		return nil, errors.New("its parameters are a Secret, whose values are not written into a rule")
	}
	id := kind.Get("apiVersion").Str() + " " + kind.Get("kind").Str() + " "
	name, namespace := ref.Get("name").Str(), ref.Get("namespace").Str()
	var found []input
	for _, key := range slices.Sorted(maps.Keys(in.params)) {
		param := in.params[key]
		if !strings.HasPrefix(key, id) || namespace != "" && param.value.At("metadata", "namespace").Str() != namespace {
			continue
		}
		if name != "" && param.value.At("metadata", "name").Str() == name || name == "" && ref.Get("selector").Exists() && fact.Selects(ref.Get("selector"), param.value.At("metadata", "labels")) {
			found = append(found, param)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("its parameters are not in the files: hand over the %s %s", kind.Get("kind").Str(), cmp.Or(name, "that the selector of binding "+b.value.At("metadata", "name").Str()+" selects"))
	}
	if name != "" && namespace == "" && len(found) > 1 {
		return nil, fmt.Errorf("%d namespaces have a %s %s, and the parameter of each holds in its own", len(found), kind.Get("kind").Str(), name)
	}
	return found, nil
}
