package rule

import (
	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"github.com/coaming/coaming/internal/credential"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/rbac"
)

// functions are Coaming's own functions; docs/writing-rules.md describes them.
func functions() cel.EnvOption {
	return cel.Lib(ownLibrary{})
}

type ownLibrary struct{}

func (ownLibrary) ProgramOptions() []cel.ProgramOption { return nil }

func (ownLibrary) CompileOptions() []cel.EnvOption {
	str, list := cel.StringType, cel.ListType(cel.DynType)
	return []cel.EnvOption{
		cel.Function("image", cel.Overload("coaming_image", []*cel.Type{str}, cel.MapType(str, cel.DynType),
			cel.UnaryBinding(imageOf))),
		cel.Function("credential", cel.Overload("coaming_credential", []*cel.Type{str, str}, str,
			cel.BinaryBinding(func(key, value ref.Val) ref.Val {
				return types.String(credential.Kind(string(key.(types.String)), string(value.(types.String))))
			}))),
		cel.Function("credentials", cel.Overload("coaming_credentials", []*cel.Type{cel.DynType}, cel.ListType(str),
			cel.UnaryBinding(credentialsIn))),
		cel.Function("guessable", cel.Overload("coaming_guessable", []*cel.Type{str}, cel.BoolType,
			cel.UnaryBinding(func(s ref.Val) ref.Val { return types.Bool(credential.IsGuess(string(s.(types.String)))) }))),
		cel.Function("base64text", cel.Overload("coaming_base64text", []*cel.Type{str}, str,
			cel.UnaryBinding(func(s ref.Val) ref.Val { return types.String(credential.Decode(string(s.(types.String)))) }))),
		cel.Function("coversInternet", cel.Overload("coaming_covers_internet", []*cel.Type{list}, cel.BoolType, cel.UnaryBinding(coversInternet))),
		cel.Function("grants", cel.Overload("coaming_grants", []*cel.Type{list, str, str, str}, cel.BoolType,
			cel.FunctionBinding(grants)),
			cel.Overload("coaming_grants_any", []*cel.Type{list, cel.ListType(str), str, cel.ListType(str)}, cel.BoolType,
				cel.FunctionBinding(grants))),
	}
}

// grants says whether RBAC rules allow any of some verbs on any of some resources in a group, by the
// API server's own reading of wildcards (k8s.io/component-helpers auth/rbac/validation). Rules that
// name objects do not count. What is no list of rules is an error: it may grant anything.
func grants(args ...ref.Val) ref.Val {
	rules, ok := args[0].(traits.Lister)
	if !ok {
		return types.MaybeNoSuchOverloadErr(args[0])
	}
	a := asked{group: string(args[2].(types.String))}
	if a.verbs, ok = textsOf(args[1]); !ok {
		return types.MaybeNoSuchOverloadErr(args[1])
	}
	if a.resources, ok = textsOf(args[3]); !ok {
		return types.MaybeNoSuchOverloadErr(args[3])
	}
	granted := types.False
	ask := func(r ref.Val) ref.Val {
		rule, ok := r.(mapFact)
		if !ok {
			return types.MaybeNoSuchOverloadErr(r)
		}
		allowed, fault := a.allowedBy(rule.v)
		if allowed {
			granted = types.True
		}
		return fault
	}
	if l, plain := rules.(*listFact); plain {
		for _, r := range l.v.Items() {
			if fault := ask(Of(r)); fault != nil {
				return fault
			}
		}
		return granted
	}
	if f, made := rules.(*facts); made {
		for _, r := range f.list {
			if fault := ask(r); fault != nil {
				return fault
			}
		}
		return granted
	}
	for i, n := types.Int(0), size(rules); i < n; i++ {
		if fault := ask(rules.Get(i)); fault != nil {
			return fault
		}
	}
	return granted
}

func size(l traits.Lister) types.Int {
	n, _ := l.Size().(types.Int)
	return n
}

// texts is a text, or a list of them as an expression holds it: it is not copied, since most rules
// are about another group, and never get to it.
type texts struct {
	one  types.String
	list traits.Lister // nil where it is one
}

// textsOf is false of what is no text nor list of them.
func textsOf(v ref.Val) (texts, bool) {
	if s, single := v.(types.String); single {
		return texts{one: s}, true
	}
	l, ok := v.(traits.Lister)
	if !ok {
		return texts{}, false
	}
	for i, n := types.Int(0), size(l); i < n; i++ {
		if _, ok := l.Get(i).(types.String); !ok {
			return texts{}, false
		}
	}
	return texts{list: l}, true
}

// any says whether one of the texts is so.
func (t texts) any(is func(string) bool) bool {
	if t.list == nil {
		return is(string(t.one))
	}
	for i, n := types.Int(0), size(t.list); i < n; i++ {
		if s, ok := t.list.Get(i).(types.String); ok && is(string(s)) {
			return true
		}
	}
	return false
}

// asked is what rules may grant.
type asked struct {
	verbs, resources texts
	group            string
}

// allowedBy says whether one rule allows it; fault is set of what is no rule.
func (a *asked) allowedBy(r document.Value) (allowed bool, fault ref.Val) {
	for _, field := range [...]string{"resourceNames", "verbs", "apiGroups", "resources"} {
		list := r.Get(field)
		if k := list.Kind(); k > document.Null && k != document.List {
			return false, types.MaybeNoSuchOverloadErr(Of(list))
		}
	}
	given := rbac.Rule{Value: r}
	return !given.Named() && given.HasGroup(a.group) && a.verbs.any(given.HasVerb) && a.resources.any(given.HasResource), nil
}
