// Package policy translates between rules and the API server's own admission policies: a rule
// becomes a ValidatingAdmissionPolicy, its fix a MutatingAdmissionPolicy, and an existing
// ValidatingAdmissionPolicy becomes rules. It judges nothing, and writes no file. What it cannot
// translate faithfully it refuses with the reason.
package policy

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/coaming/coaming/internal/document"
)

// Manifest is an object for the API server, such as a policy or a binding of one (k8s.io/api admissionregistration), in
// the order in which people read it.
type Manifest struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   Metadata `json:"metadata"`
	Spec       any      `json:"spec,omitempty"`
}

// Metadata is what of an object's metadata is written.
type Metadata struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// policySpec is the spec of both kinds of policies.
type policySpec struct {
	FailurePolicy      string       `json:"failurePolicy"`
	ParamKind          *paramKind   `json:"paramKind,omitempty"`
	ReinvocationPolicy string       `json:"reinvocationPolicy,omitempty"`
	MatchConstraints   constraints  `json:"matchConstraints"`
	MatchConditions    []Condition  `json:"matchConditions,omitempty"`
	Variables          []Condition  `json:"variables,omitempty"`
	Validations        []validation `json:"validations,omitempty"`
	Mutations          []mutation   `json:"mutations,omitempty"`
}

type paramKind struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

type paramRef struct {
	Namespace               string          `json:"namespace"`
	Selector                json.RawMessage `json:"selector"`
	ParameterNotFoundAction string          `json:"parameterNotFoundAction"`
}

type constraints struct {
	MatchPolicy          string         `json:"matchPolicy"`
	ResourceRules        []resourceRule `json:"resourceRules"`
	ExcludeResourceRules []resourceRule `json:"excludeResourceRules,omitempty"`
}

type resourceRule struct {
	APIGroups   []string `json:"apiGroups"`
	APIVersions []string `json:"apiVersions"`
	Operations  []string `json:"operations"`
	Resources   []string `json:"resources"`
	Scope       string   `json:"scope,omitempty"`
}

// Condition is a named expression: a match condition or a variable.
type Condition struct {
	Name       string `json:"name"`
	Expression string `json:"expression"`
}

type validation struct {
	Expression        string `json:"expression"`
	Message           string `json:"message"`
	MessageExpression string `json:"messageExpression,omitempty"`
	Reason            string `json:"reason"`
}

type mutation struct {
	PatchType string    `json:"patchType"`
	JSONPatch jsonPatch `json:"jsonPatch"`
}

type jsonPatch struct {
	Expression string `json:"expression"`
}

type bindingSpec struct {
	PolicyName        string          `json:"policyName"`
	ParamRef          *paramRef       `json:"paramRef,omitempty"`
	ValidationActions []string        `json:"validationActions,omitempty"`
	MatchResources    *matchResources `json:"matchResources,omitempty"`
}

type matchResources struct {
	NamespaceSelector    json.RawMessage `json:"namespaceSelector,omitempty"`
	ResourceRules        []resourceRule  `json:"resourceRules,omitempty"`
	ExcludeResourceRules []resourceRule  `json:"excludeResourceRules,omitempty"`
}

// YAML writes objects as a stream of YAML documents.
func YAML(objects ...Manifest) (string, error) {
	var out strings.Builder
	for i, o := range objects {
		raw, err := json.Marshal(o)
		if err != nil {
			return "", fmt.Errorf("write %s %s: %w", o.Kind, o.Metadata.Name, err)
		}
		docs, errs := document.Read(document.NewText(string(raw)), 1)
		if len(errs) > 0 || len(docs) != 1 {
			return "", fmt.Errorf("write %s %s: it does not read back: %v", o.Kind, o.Metadata.Name, errs)
		}
		if i > 0 {
			out.WriteString("---\n")
		}
		out.WriteString(document.YAML(docs[0].Root()))
	}
	return out.String(), nil
}
