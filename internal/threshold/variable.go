package threshold

import (
	"slices"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"

	"github.com/coaming/coaming/internal/verdict"
)

// variable is one name that an expression may use, with what it is of a finding. Of a finding that is about no
// package the parts of a vulnerability are false, 0 and "". A package is pkg, for package is a word of CEL's own.
type variable struct {
	name string
	kind *cel.Type
	of   func(f *verdict.Finding, v *verdict.Vulnerability) any
}

var variables = []variable{
	{"severity", cel.IntType, func(f *verdict.Finding, _ *verdict.Vulnerability) any { return int64(f.Severity) }},
	{"rule", cel.StringType, func(f *verdict.Finding, _ *verdict.Vulnerability) any { return f.Rule }},
	{"practice", cel.StringType, func(f *verdict.Finding, _ *verdict.Vulnerability) any { return f.Practice }},
	{"kind", cel.StringType, func(f *verdict.Finding, _ *verdict.Vulnerability) any { return f.Subject.Kind }},
	{"namespace", cel.StringType, func(f *verdict.Finding, _ *verdict.Vulnerability) any { return f.Subject.Namespace }},
	{"name", cel.StringType, func(f *verdict.Finding, _ *verdict.Vulnerability) any { return f.Subject.Name }},
	{"risk", cel.IntType, func(f *verdict.Finding, _ *verdict.Vulnerability) any { return int64(f.RiskScore()) }},
	{"vulnerability", cel.BoolType, func(f *verdict.Finding, _ *verdict.Vulnerability) any { return f.Vulnerability != nil }},
	{"id", cel.StringType, func(_ *verdict.Finding, v *verdict.Vulnerability) any { return v.ID }},
	{"pkg", cel.StringType, func(_ *verdict.Finding, v *verdict.Vulnerability) any { return v.Package }},
	{"version", cel.StringType, func(_ *verdict.Finding, v *verdict.Vulnerability) any { return v.Version }},
	{"ecosystem", cel.StringType, func(_ *verdict.Finding, v *verdict.Vulnerability) any { return v.Ecosystem }},
	{"place", cel.StringType, func(_ *verdict.Finding, v *verdict.Vulnerability) any { return v.Place }},
	{"image", cel.StringType, func(_ *verdict.Finding, v *verdict.Vulnerability) any { return v.Image }},
	{"fixed", cel.BoolType, func(_ *verdict.Finding, v *verdict.Vulnerability) any { return v.FixedIn != "" }},
	{"exploited", cel.BoolType, func(_ *verdict.Finding, v *verdict.Vulnerability) any { return v.Exploited }},
	{"likelihood", cel.DoubleType, func(_ *verdict.Finding, v *verdict.Vulnerability) any {
		if v.Likelihood == nil {
			return 0.0
		}
		return *v.Likelihood
	}},
	{"score", cel.DoubleType, func(_ *verdict.Finding, v *verdict.Vulnerability) any { return v.Score }},
	{"layer", cel.IntType, func(_ *verdict.Finding, v *verdict.Vulnerability) any { return int64(v.Layer) }},
	{"origin", cel.StringType, func(_ *verdict.Finding, v *verdict.Vulnerability) any { return string(v.Origin) }},
	{"exposed", cel.StringType, func(_ *verdict.Finding, v *verdict.Vulnerability) any { return string(v.Exposed) }},
	{"inUse", cel.StringType, func(_ *verdict.Finding, v *verdict.Vulnerability) any { return string(v.InUse) }},
}

// names are the variables' names, in the order in which help lists them.
func names() []string {
	list := make([]string, 0, len(variables))
	for i := range variables {
		list = append(list, variables[i].name)
	}
	return list
}

func declares(name string) bool { return slices.Contains(names(), name) }

// environment has the variables, and the severities by their names.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	options := []cel.EnvOption{cel.CrossTypeNumericComparisons(true)}
	for i := range variables {
		options = append(options, cel.Variable(variables[i].name, variables[i].kind))
	}
	for s := verdict.Low; s <= verdict.Critical; s++ {
		options = append(options, cel.Constant(s.String(), cel.IntType, types.Int(s)))
	}
	return cel.NewEnv(options...)
})

// none is the vulnerability of a finding that is about no package.
var none verdict.Vulnerability

// valuesOf are the values of a finding, and the names of those that are not known. The severity of one that nobody has rated is asked
// apart.
func valuesOf(f *verdict.Finding) (values map[string]any, unknown []string) {
	v := f.Vulnerability
	if v == nil {
		v = &none
	}
	values = make(map[string]any, len(variables))
	for i := range variables {
		values[variables[i].name] = variables[i].of(f, v)
	}
	if f.Vulnerability == nil {
		return values, nil
	}
	if v.Vector == "" && v.Score == 0 {
		unknown = append(unknown, "score")
	}
	if v.Likelihood == nil {
		unknown = append(unknown, "likelihood")
	}
	if v.ExploitedUnknown {
		unknown = append(unknown, "exploited")
	}
	return values, unknown
}

// doubted are the variables whose word is that nobody knows.
func doubted(f *verdict.Finding) (list []string) {
	v := f.Vulnerability
	if v == nil {
		return nil
	}
	if v.Origin == verdict.OriginUnknown {
		list = append(list, "origin")
	}
	if v.Exposed == verdict.NotKnown {
		list = append(list, "exposed")
	}
	if v.InUse == verdict.NotKnown {
		list = append(list, "inUse")
	}
	return list
}
