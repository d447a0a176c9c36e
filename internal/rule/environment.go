package rule

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
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

// core is the environment of the core libraries. Every program that is made takes a copy of all
// functions of its environment, which is a third of the time of a start; so most get the small one.
var core = sync.OnceValues(func() (*smallEnvironment, error) {
	env, err := cel.NewEnv(coreLibraries()...)
	if err != nil {
		return nil, fmt.Errorf("make CEL environment: %w", err)
	}
	small := &smallEnvironment{env: env, overloads: map[string]bool{}}
	for _, f := range env.Functions() {
		for _, o := range f.OverloadDecls() {
			small.overloads[o.ID()] = true
		}
	}
	return small, nil
})

type smallEnvironment struct {
	env       *cel.Env
	overloads map[string]bool
}

// ofAddresses are the meanings of string() for addresses. Only ip() and cidr() make any, which are in no
// small environment: an expression without them may name these, where a type is not known, and never has them run.
var ofAddresses = map[string]bool{"ip_to_string": true, "cidr_to_string": true}

// environmentFor is the smallest environment that has every function of a checked expression.
func environmentFor(checked *cel.Ast) (*cel.Env, *cel.Ast, error) {
	small, err := core()
	if err != nil {
		return nil, nil, err
	}
	for _, reference := range checked.NativeRep().ReferenceMap() {
		for _, id := range reference.OverloadIDs {
			if !small.overloads[id] && !ofAddresses[id] {
				env, err := environment()
				return env, checked, err
			}
		}
	}
	return small.env, checked, nil
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
