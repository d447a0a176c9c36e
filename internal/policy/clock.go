package policy

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// A policy has no clock, and yet its exceptions end by themselves:
//
//   - When an object is made, the API server writes metadata.creationTimestamp, whatever the request says of it, before
//     validating policies see the object (k8s.io/apiserver pkg/registry/rest/create.go BeforeCreate). It is the time.
//   - When an object is changed nothing in it is sure to tell: metadata.managedFields keeps no time of a change that only
//     removes. But each API server renews a Lease of its own every 10 seconds (pkg/controlplane/apiserver/server.go,
//     APIServerIdentity, on since 1.26), and a policy may read Leases as its parameters. Of several API servers' leases each
//     is asked, and one that has seen the end suffices: what a stopped one has left behind weakens nothing.
//
// So the policy of a rule leaves changes of what is excused to a second one, which reads the leases. A policy that changes objects comes
// before the time is written: it leaves all that is excused to such a second one.
const (
	// LeaseNamespace is where those leases are, LeaseSelector which they are.
	LeaseNamespace = "kube-system"
	LeaseSelector  = leaseLabel + "=" + leaseHolder

	leaseLabel  = "apiserver.kubernetes.io/identity"
	leaseHolder = "kube-apiserver"
	// lateSuffix ends the name of that second policy. No rule's id has a dot.
	lateSuffix = ".changed"
	// endedSuffix ends the name of the second policy of a fix.
	endedSuffix = ".ended"
)

// leaseKind and leaseRef make the leases the parameters of a policy; without says what becomes of a request where there are none.
var leaseKind = &paramKind{"coordination.k8s.io/v1", "Lease"}

func leaseRef(without string) *paramRef {
	return &paramRef{LeaseNamespace, json.RawMessage(`{"matchLabels":{"` + leaseLabel + `":"` + leaseHolder + `"}}`), without}
}

// madeBefore holds while an object is made before the moment.
func madeBefore(until time.Time) string {
	return `dyn(object).metadata.?creationTimestamp.optMap(t, timestamp(t) < ` + momentText(until) + `).orValue(false)`
}

// leasedBefore holds while the API server's lease was renewed before the moment.
func leasedBefore(until time.Time) string {
	return `dyn(params).spec.?renewTime.optMap(t, timestamp(t) < ` + momentText(until) + `).orValue(false)`
}

func momentText(at time.Time) string {
	return `timestamp(` + quotedText(at.UTC().Format(time.RFC3339Nano)) + `)`
}

// variant is a policy of a rule: the rule's own, or the one for changes of what is excused.
type variant struct {
	policy Manifest
	late   bool
}

// spec is the policy of the rule but for what exceptions and a plan make of it.
func (p *compiled) spec() (policySpec, error) {
	spec := policySpec{MatchConstraints: p.constraints()}
	v, err := p.validation()
	if err != nil {
		return policySpec{}, err
	}
	spec.Validations, spec.Variables, spec.MatchConditions = []validation{v}, p.variables, p.conditions()
	if p.budget.guard != "" {
		spec.Validations = append(spec.Validations, p.refusal(boundedName))
	}
	return spec, nil
}

// variants are the policies of a rule or a group: one, or two where something is excused and the leases tell when that ends.
func variants(about Metadata, excused []exemption, base policySpec, o Options, failurePolicy string, further []Condition) []variant {
	base.FailurePolicy = failurePolicy
	spec := base
	spec.MatchConditions = slices.Concat(base.MatchConditions, further, making(excused))
	list := []variant{{policy: Manifest{policyVersion, "ValidatingAdmissionPolicy", about, spec}}}
	if len(excused) == 0 || o.NoLeases {
		return list
	}
	late := base
	late.ParamKind = leaseKind
	late.MatchConditions = slices.Concat(base.MatchConditions, further, changing(excused))
	changed := about
	changed.Name += lateSuffix
	return append(list, variant{Manifest{policyVersion, "ValidatingAdmissionPolicy", changed, late}, true})
}

const policyVersion = "admissionregistration.k8s.io/v1"

// making are the conditions of a rule's policy; changes it leaves to the second one where there is one.
func making(excused []exemption) []Condition {
	var list []Condition
	for _, e := range excused {
		list = append(list, Condition{e.name, `!(` + e.scope + ` && (oldObject != null || ` + madeBefore(e.until) + `))`})
	}
	return list
}

// changing are the conditions of the policy for changes of what is excused.
func changing(excused []exemption) []Condition {
	return append([]Condition{{"change-of-what-was-excused", `oldObject != null && (` + anyScope(excused) + `)`}}, lasting(excused)...)
}

// ending are the conditions of the policy that makes a fix of what was excused. Without a lease nobody knows that an exception has ended:
// the fix is then not made, and the rule's own policy refuses what it was for.
func ending(excused []exemption) []Condition {
	return append([]Condition{{"was-excused", anyScope(excused)}}, lasting(excused)...)
}

// anyScope holds for what any of the exceptions is for.
func anyScope(excused []exemption) string {
	scopes := make([]string, 0, len(excused))
	for _, e := range excused {
		scopes = append(scopes, `(`+e.scope+`)`)
	}
	return strings.Join(scopes, ` || `)
}

// lasting keep a policy from what an exception is for, until a lease was renewed after its end.
func lasting(excused []exemption) []Condition {
	var list []Condition
	for _, e := range excused {
		list = append(list, Condition{e.name, `!(` + e.scope + ` && ` + leasedBefore(e.until) + `)`})
	}
	return list
}

// binding binds the policy of that name where match says.
func (v variant) binding(name string, actions []string, match *matchResources) Manifest {
	spec := bindingSpec{PolicyName: v.policy.Metadata.Name, ValidationActions: actions, MatchResources: match}
	if v.late {
		name += lateSuffix
		// Without a lease nobody knows the time: what is denied then is only what was excused. A policy that only
		// tells denies nothing.
		action := "Allow"
		if slices.Contains(actions, "Deny") {
			action = "Deny"
		}
		spec.ParamRef = leaseRef(action)
	}
	return Manifest{policyVersion, "ValidatingAdmissionPolicyBinding", Metadata{Name: name, Labels: v.policy.Metadata.Labels}, spec}
}
