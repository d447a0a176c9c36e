package attack

import (
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// enforceLabel is the label by which a namespace asks for a Pod Security standard.
const enforceLabel = "pod-security.kubernetes.io/enforce"

// Level is the Pod Security standard that a namespace enforces: "privileged" where it names none. doubt
// says why that is not known.
func (w *World) Level(namespace string) (level string, at Evidence, doubt string) {
	o := w.Inventory.Find("Namespace", "", namespace)
	if o == nil {
		return "privileged", Evidence{}, "the labels of namespace " + namespace + ", which may forbid such pods, were not read"
	}
	v := o.Labels().Get(enforceLabel)
	if v.Str() == "baseline" || v.Str() == "restricted" {
		return v.Str(), Evidence{o, v, title(o) + " enforces the Pod Security standard " + v.Str()}, o.Doubt
	}
	return "privileged", Evidence{o, o.Root.Get("metadata"), title(o) + " enforces no Pod Security standard"}, o.Doubt
}

// admission is whether a namespace lets in a pod that takes its node.
type admission struct {
	namespace string
	evidence  Evidence
	doubt     string
	// level is what it enforces, object the namespace; nil where it was not read.
	level  string
	object *fact.Object
}

// letsIn says whether a namespace lets in pods that take their node: privileged ones, or with a folder of
// it. Other policies that are there may still refuse them, which is doubt.
func (w *World) letsIn(namespace string) (a admission, admits bool) {
	a = admission{namespace: namespace, object: w.Inventory.Find("Namespace", "", namespace)}
	a.level, a.evidence, a.doubt = w.Level(namespace)
	if a.doubt == "" {
		a.doubt = w.refuser()
	}
	return a, a.level == "privileged"
}

// letsInSomewhere is a namespace that lets such pods in, one of which that is sure before others.
func (w *World) letsInSomewhere() (best admission, admits bool) {
	for _, namespace := range w.spaces() {
		a, yes := w.letsIn(namespace)
		if yes && (!admits || a.doubt == "") {
			best, admits = a, true
		}
		if yes && a.doubt == "" {
			break
		}
	}
	return best, admits
}

// spaces are the namespaces that were read, or in which something that was read stands, sorted.
func (w *World) spaces() []string {
	if w.namespaces == nil {
		seen := map[string]bool{}
		for _, o := range w.Inventory.OfKind("Namespace") {
			seen[o.Name] = true
		}
		for _, p := range w.Pods {
			seen[p.Namespace] = true
		}
		for _, b := range w.Rights.Bindings() {
			if b.Namespace != "" && !b.Shipped {
				seen[b.Namespace] = true
			}
		}
		w.namespaces = sorted(seen)
	}
	return w.namespaces
}

// label is the change by which the namespace forbids such pods; ok is false where it was not read.
func (a *admission) label() (c Change, ok bool) {
	if a.object == nil {
		return Change{}, false
	}
	return Change{
		Object: a.object, Edits: []Edit{Set(a.object.Root, `"baseline"`, "metadata", "labels", enforceLabel)},
		Title: "Enforce the Pod Security standard baseline in namespace " + a.namespace,
	}, true
}

// joins adds to a step that the namespace lets such pods in.
func (a *admission) joins(t *Taken) {
	if a.evidence.Object != nil {
		t.Evidence = append(t.Evidence, a.evidence)
	}
	if t.Doubt == "" {
		t.Doubt, t.Elsewhere = a.doubt, a.object == nil
	}
}

// policyKinds are objects of which one that denies may refuse pods, by reasons that nobody reads here.
var policyKinds = []string{"ClusterPolicy.kyverno.io", "Policy.kyverno.io", "ValidatingPolicy.policies.kyverno.io", "ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io", "SecurityContextConstraints.security.openshift.io"}

// refuser says that some other policy may refuse pods that take their node; "" where none is there.
func (w *World) refuser() string {
	if w.refuses == nil {
		text := ""
		if o := w.denier(); o != nil {
			text = "whether " + title(o) + " refuses such pods is not known"
		}
		w.refuses = &text
	}
	return *w.refuses
}

func (w *World) denier() *fact.Object {
	for _, kind := range policyKinds {
		for _, o := range w.Inventory.OfKind(kind) {
			if denies(o) {
				return o
			}
		}
	}
	for _, o := range w.Inventory.OfKind("ValidatingWebhookConfiguration.admissionregistration.k8s.io") {
		for _, hook := range o.Root.Get("webhooks").Items() {
			if slices.ContainsFunc(items(hook.Get("rules")), ofPods) {
				return o
			}
		}
	}
	for _, o := range w.Inventory.Objects {
		if o.Group() == "constraints.gatekeeper.sh" && o.Root.At("spec", "enforcementAction").Str() != "dryrun" && o.Root.At("spec", "enforcementAction").Str() != "warn" {
			return o
		}
	}
	return nil
}

// denies says whether a policy does more than to report.
func denies(o *fact.Object) bool {
	spec := o.Root.Get("spec")
	switch o.Group() {
	case "kyverno.io":
		enforces := func(v document.Value) bool { return strings.EqualFold(v.Str(), "enforce") }
		return enforces(spec.Get("validationFailureAction")) || slices.ContainsFunc(items(spec.Get("rules")), func(v document.Value) bool {
			return enforces(v.At("validate", "failureAction"))
		})
	case "admissionregistration.k8s.io", "policies.kyverno.io":
		list := spec.Get("validationActions")
		return list.Len() == 0 || slices.ContainsFunc(items(list), func(v document.Value) bool { return v.Str() == "Deny" })
	}
	return true
}

// ofPods says whether a webhook's rule is for the creation of pods.
func ofPods(rule document.Value) bool {
	return holdsText(rule.Get("resources"), "pods", "*", "*/*", "pods/*") && holdsText(rule.Get("operations"), "CREATE", "*") && holdsText(rule.Get("apiGroups"), "", "*")
}

// items is a list's values, holdsText whether it holds one of the texts.
func items(list document.Value) []document.Value {
	values := make([]document.Value, 0, list.Len())
	for _, v := range list.Items() {
		values = append(values, v)
	}
	return values
}

func holdsText(list document.Value, texts ...string) bool {
	return slices.ContainsFunc(items(list), func(v document.Value) bool { return slices.Contains(texts, v.Str()) })
}
