package policy

import (
	"errors"
	"fmt"

	"github.com/coaming/coaming/internal/document"
)

// Mutation is a change of pods that no rule gives, as a MutatingAdmissionPolicy with its binding.
type Mutation struct {
	Name        string
	Annotations map[string]string
	// Fail says that a pod is refused where the policy fails.
	Fail bool
	// Conditions keep the policy to some pods; Variables may read those before them.
	Conditions, Variables []Condition
	// Patches are expressions, each a list of JSONPatch, and each of the object as those before it left it.
	Patches []string
	// NamespaceSelector is the JSON of a label selector of the namespaces that the policy holds in; nil for all.
	NamespaceSelector []byte
}

// YAML is the policy with its binding, in the version that a Kubernetes version serves. Its conditions and variables are
// compiled as that server compiles them.
func (m *Mutation) YAML(version string) (string, error) {
	api, err := mutatingVersion(version)
	if err != nil {
		return "", err
	}
	check, err := newChecker(version)
	if err != nil {
		return "", err
	}
	var errs []error
	for _, c := range m.Conditions {
		if _, err := check.check(c.Expression); err != nil {
			errs = append(errs, fmt.Errorf("condition %s: %w", c.Name, err))
		}
	}
	if err := errors.Join(append(errs, check.declare(m.Variables))...); err != nil {
		return "", fmt.Errorf("policy %s: %w", m.Name, err)
	}
	spec := policySpec{
		FailurePolicy: "Ignore", ReinvocationPolicy: "IfNeeded", MatchConditions: m.Conditions, Variables: m.Variables,
		MatchConstraints: constraints{MatchPolicy: "Equivalent", ResourceRules: []resourceRule{{[]string{""}, []string{"v1"}, []string{"CREATE"}, []string{"pods"}, ""}}},
	}
	if m.Fail {
		spec.FailurePolicy = "Fail"
	}
	for _, p := range m.Patches {
		spec.Mutations = append(spec.Mutations, mutation{"JSONPatch", jsonPatch{p}})
	}
	about := Metadata{Name: m.Name, Labels: map[string]string{"app.kubernetes.io/managed-by": "coaming"}, Annotations: m.Annotations}
	binding := bindingSpec{PolicyName: m.Name, MatchResources: Options{NamespaceSelector: m.NamespaceSelector}.matchResources()}
	return YAML(
		Manifest{api, "MutatingAdmissionPolicy", about, spec},
		Manifest{api, "MutatingAdmissionPolicyBinding", Metadata{Name: m.Name, Labels: about.Labels}, binding},
	)
}

// Literal is a value as an expression of the API server's.
func Literal(v document.Value) (string, error) { return printed(literal(v)) }

// NotSwitchedOff holds for an object whose annotation coaming.dev/mutate does not switch off all mutations, or one of those
// words; what is the expression of the object.
func NotSwitchedOff(what string, words ...string) string {
	return `!string(` + what + `.metadata.?annotations[?"coaming.dev/mutate"].orValue("")).split(",").exists(w, w.trim() in ` + listText(append([]string{"off"}, words...)) + `)`
}

func listText(list []string) string {
	written, _ := printed(textList(list)) // of literals there is no error
	return written
}
