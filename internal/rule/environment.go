package rule

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/env"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/ext"
	"k8s.io/apiserver/pkg/cel/library"
)

// libraries are the functions of Kubernetes' own admission policies (k8s.io/apiserver
// pkg/cel/environment, base.go) and Coaming's own.
func libraries() []cel.EnvOption {
	return append(coreLibraries(),
		ext.Sets(),
		ext.TwoVarComprehensions(),
		library.URLs(),
		library.Lists(),
		ext.Lists(ext.ListsVersion(3)),
		library.Quantity(),
		library.IP(),
		library.CIDR(),
		library.Format(),
		library.SemverLib(library.SemverVersion(1)),
	)
}

// librariesFor are those of a rule's field. What a fix makes is a map as objects are, of values of
// different types; conditions hold literals of one type, as admission policies do.
func librariesFor(field string) []cel.EnvOption {
	if strings.HasPrefix(field, "fix.") {
		return libraries()
	}
	return append(libraries(), cel.HomogeneousAggregateLiterals())
}

// coreLibraries are those that nearly all rules make do with.
func coreLibraries() []cel.EnvOption {
	return []cel.EnvOption{
		cel.DefaultUTCTimeZone(true),
		cel.OptionalTypes(),
		cel.CrossTypeNumericComparisons(true),
		ext.Strings(ext.StringsVersion(2)),
		library.Regex(),
		functions(),
	}
}

// environment is the one that programs are compiled and run in. Variables need no declaration to run.
var environment = sync.OnceValues(func() (*cel.Env, error) { return cel.NewEnv(librariesFor("")...) })

// environmentOf is that of a rule's field.
func environmentOf(field string) (*cel.Env, error) {
	if strings.HasPrefix(field, "fix.") {
		return mixed()
	}
	return environment()
}

// mixed is environment for fixes.
var mixed = sync.OnceValues(func() (*cel.Env, error) { return cel.NewEnv(librariesFor("fix.")...) })

// small are environments of few functions, the smallest first. Every program that is made takes a copy of all
// functions of its environment, which is a third of the time of a start; so most get a small one.
var small = sync.OnceValues(func() ([]smallEnvironment, error) {
	var list []smallEnvironment
	for _, environment := range []func() (*cel.Env, error){frequent, core} {
		env, err := environment()
		if err != nil {
			return nil, fmt.Errorf("make CEL environment: %w", err)
		}
		one := smallEnvironment{env: env, overloads: map[string]bool{}}
		for _, f := range env.Functions() {
			for _, o := range f.OverloadDecls() {
				one.overloads[o.ID()] = true
			}
		}
		list = append(list, one)
	}
	return list, nil
})

// core has the core libraries.
func core() (*cel.Env, error) { return cel.NewEnv(coreLibraries()...) }

// frequent has only the functions that two of three expressions make do with.
func frequent() (*cel.Env, error) {
	var names []*env.Function
	for _, name := range []string{
		operators.LogicalNot, operators.LogicalAnd, operators.LogicalOr, operators.Conditional, operators.NotStrictlyFalse,
		operators.Equals, operators.NotEquals, operators.In, "size", "startsWith",
	} {
		names = append(names, env.NewFunction(name))
	}
	return cel.NewCustomEnv(
		cel.EagerlyValidateDeclarations(false),
		cel.StdLib(cel.StdLibSubset(env.NewLibrarySubset().AddIncludedFunctions(names...))),
		cel.OptionalTypes(),
		cel.CrossTypeNumericComparisons(true),
	)
}

// smallEnvironment is an environment and the overloads of functions that it has.
type smallEnvironment struct {
	env       *cel.Env
	overloads map[string]bool
}

// ofAddresses are the meanings of string() for addresses. Only ip() and cidr() make any, which are in no
// small environment: an expression without them may name these, where a type is not known, and never has them run.
var ofAddresses = map[string]bool{"ip_to_string": true, "cidr_to_string": true}

// environmentFor is the smallest environment that has every function of a checked expression.
func environmentFor(checked *cel.Ast) (*cel.Env, *cel.Ast, error) {
	list, err := small()
	if err != nil {
		return nil, nil, err
	}
	for _, s := range list {
		if s.serves(checked) {
			return s.env, checked, nil
		}
	}
	env, err := environment()
	return env, checked, err
}

// serves says whether the environment has every function of a checked expression.
func (s *smallEnvironment) serves(checked *cel.Ast) bool {
	for _, reference := range checked.NativeRep().ReferenceMap() {
		for _, id := range reference.OverloadIDs {
			if !s.overloads[id] && !ofAddresses[id] {
				return false
			}
		}
	}
	return true
}

// functionNames are the functions that a person may call: no operators.
var functionNames = sync.OnceValue(func() []string {
	env, err := environment()
	if err != nil {
		return nil
	}
	var names []string
	for name := range env.Functions() {
		if !strings.ContainsAny(name, "_@!-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
})
