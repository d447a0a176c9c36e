package policy

import (
	"fmt"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/ext"
	"k8s.io/apiserver/pkg/cel/library"

	"github.com/coaming/coaming/internal/catalog"
)

// Oldest is the oldest Kubernetes version that serves ValidatingAdmissionPolicy v1.
const Oldest = "1.30"

// libraries are the functions of the API server's expressions since Oldest, with the version that
// brought each (k8s.io/apiserver pkg/cel/environment, base.go).
func libraries(version string) []cel.EnvOption {
	options := []cel.EnvOption{
		cel.HomogeneousAggregateLiterals(), cel.DefaultUTCTimeZone(true), cel.CrossTypeNumericComparisons(true), cel.OptionalTypes(),
		cel.ASTValidators(cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateRegexLiterals(), cel.ValidateHomogeneousAggregateLiterals()),
		ext.Strings(ext.StringsVersion(2)), ext.Sets(),
		library.URLs(), library.Regex(), library.Lists(library.ListsVersion(0)), library.Quantity(), library.IP(), library.CIDR(),
	}
	for _, later := range []struct {
		since  string
		option cel.EnvOption
	}{
		{"1.31", library.Format()},
		{"1.32", ext.TwoVarComprehensions()},
		{"1.33", library.SemverLib(library.SemverVersion(1))},
		{"1.34", ext.Lists(ext.ListsVersion(3))},
	} {
		if catalog.Reached(version, later.since) {
			options = append(options, later.option)
		}
	}
	return options
}

// checker compiles expressions of one policy as the API server of a version does.
type checker struct {
	env     *cel.Env
	version string
}

func newChecker(version string) (*checker, error) {
	if known, found := environments.Load(version); found {
		return &checker{known.(*cel.Env), version}, nil
	}
	options := libraries(version)
	for _, name := range []string{"object", "oldObject", "request", "namespaceObject"} {
		options = append(options, cel.Variable(name, cel.DynType))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, fmt.Errorf("make CEL environment: %w", err)
	}
	environments.Store(version, env)
	return &checker{env, version}, nil
}

// environments are those of the versions that were asked for: making one takes longer than a rule.
var environments sync.Map

// check compiles an expression and gives its type.
func (c *checker) check(expression string) (*types.Type, error) {
	tree, issues := c.env.Compile(expression)
	if err := issues.Err(); err != nil {
		var faults []string
		for _, e := range issues.Errors() {
			faults = append(faults, e.Message)
		}
		return nil, fmt.Errorf("the API server of Kubernetes %s refuses it: %s", c.version, strings.Join(faults, "; "))
	}
	return tree.OutputType(), nil
}

// declare adds variables of the policy, each of which may read those before it.
func (c *checker) declare(variables []Condition) error {
	for _, v := range variables {
		t, err := c.check(v.Expression)
		if err != nil {
			return err
		}
		if c.env, err = c.env.Extend(cel.Variable("variables."+v.Name, t)); err != nil {
			return fmt.Errorf("declare variable %s: %w", v.Name, err)
		}
	}
	return nil
}

// exactly is the expression with the type that the API server demands of it: it takes no expression
// whose type it cannot tell.
func (c *checker) exactly(expression string, want *types.Type) (string, error) {
	got, err := c.check(expression)
	switch {
	case err != nil:
		return "", err
	case got.IsExactType(want):
		return expression, nil
	case got == types.DynType && want == types.BoolType:
		return "(" + expression + ") == true", nil
	case got == types.DynType && want == types.StringType:
		return "string(" + expression + ")", nil
	}
	return "", fmt.Errorf("the API server wants %s, and it gives %s", want, got)
}
