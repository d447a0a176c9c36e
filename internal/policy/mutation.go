package policy

import (
	"errors"
	"fmt"
	"slices"

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
	// Patches are expressions, each a list of JSONPatch, and each of the object as those before it left it. Of several the
	// API server makes those that can be made: what belongs together is one.
	Patches []string
	// NamespaceSelector is the JSON of a label selector of the namespaces that the policy holds in; nil for all.
	NamespaceSelector []byte
	// Word is what an annotation switches the mutation off by, beside "off".
	Word string
	// Templates says that it is of what carries pod templates, too: variables.template is then the pod, or the template, and
	// variables.place where it stands, as a JSON pointer.
	Templates bool
}

// Manifests are the policy and its binding, in the version that a Kubernetes version serves. Its conditions and variables are
// compiled as that server compiles them.
func (m *Mutation) Manifests(version string) ([]Manifest, error) {
	api, err := mutatingVersion(version)
	if err != nil {
		return nil, err
	}
	check, err := newChecker(version)
	if err != nil {
		return nil, err
	}
	rules := []resourceRule{{[]string{""}, []string{"v1"}, []string{"CREATE"}, []string{"pods"}, ""}}
	conditions, variables := m.Conditions, m.Variables
	if m.Templates {
		rules = workloadRules(version, true)
		conditions = slices.Concat(conditions, templateReserves(m.Word))
		variables = slices.Concat([]Condition{{"template", templateText}, {"place", templatePath}}, variables)
	}
	var errs []error
	for _, c := range conditions {
		if _, err := check.check(c.Expression); err != nil {
			errs = append(errs, fmt.Errorf("condition %s: %w", c.Name, err))
		}
	}
	if err := errors.Join(append(errs, check.declare(variables))...); err != nil {
		return nil, fmt.Errorf("policy %s: %w", m.Name, err)
	}
	spec := policySpec{
		FailurePolicy: failurePolicy(m.Fail), ReinvocationPolicy: "IfNeeded", MatchConditions: conditions, Variables: variables,
		MatchConstraints: constraints{MatchPolicy: "Equivalent", ResourceRules: rules},
	}
	for _, p := range m.Patches {
		spec.Mutations = append(spec.Mutations, mutation{"JSONPatch", jsonPatch{p}})
	}
	about := Metadata{Name: m.Name, Labels: map[string]string{"app.kubernetes.io/managed-by": "coaming"}, Annotations: m.Annotations}
	binding := bindingSpec{PolicyName: m.Name, MatchResources: Options{NamespaceSelector: m.NamespaceSelector}.matchResources()}
	return []Manifest{
		{api, "MutatingAdmissionPolicy", about, spec},
		{api, "MutatingAdmissionPolicyBinding", Metadata{Name: m.Name, Labels: about.Labels}, binding},
	}, nil
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
