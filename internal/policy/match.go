package policy

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
)

// workloadKinds are the kinds of Kubernetes' own that carry a pod template, by group.
var workloadKinds = []resourceRule{
	{APIGroups: []string{""}, Resources: []string{"pods", "podtemplates", "replicationcontrollers"}},
	{APIGroups: []string{"apps"}, Resources: []string{"daemonsets", "deployments", "replicasets", "statefulsets"}},
	{APIGroups: []string{"batch"}, Resources: []string{"cronjobs", "jobs"}},
}

// frozen are the workloads whose pod template cannot be changed once they are made: a mutation of
// an update would have the update refused.
var frozen = []string{"pods", "jobs"}

const (
	// templateText is the pod template of a workload; a pod is its own.
	templateText = `object.kind == "Pod" ? dyn(object) :
object.kind == "CronJob" ? dyn(object).spec.jobTemplate.spec.template :
object.kind == "PodTemplate" ? dyn(object).template : dyn(object).spec.template`
	// templatePath is where it stands, as a JSON pointer.
	templatePath = `object.kind == "Pod" ? "" :
object.kind == "CronJob" ? "/spec/jobTemplate/spec/template" :
object.kind == "PodTemplate" ? "/template" : "/spec/template"`
	containersText = `variables.template.spec.?initContainers.orValue([]) + variables.template.spec.containers +
variables.template.spec.?ephemeralContainers.orValue([])`
	// roledText is each container with what it is for.
	roledText = `variables.template.spec.?initContainers.orValue([]).map(c, {"container": dyn(c), "role": dyn(` + initRole + `)}) +
variables.template.spec.containers.map(c, {"container": dyn(c), "role": dyn("app")}) +
variables.template.spec.?ephemeralContainers.orValue([]).map(c, {"container": dyn(c), "role": dyn("ephemeral")})`
	// apartText is each container with what it is for and what its image's reference says, which many rules of a group read.
	apartText = `variables.template.spec.?initContainers.orValue([]).map(c, {"container": dyn(c), "role": dyn(` + initRole + `), ?"image": ` + referenceText + `}) +
variables.template.spec.containers.map(c, {"container": dyn(c), "role": dyn("app"), ?"image": ` + referenceText + `}) +
variables.template.spec.?ephemeralContainers.orValue([]).map(c, {"container": dyn(c), "role": dyn("ephemeral"), ?"image": ` + referenceText + `})`
	initRole = `c.?restartPolicy.orValue("") == "Always" ? "sidecar" : "init"`
)

// seen are the kinds that policies are shown; why tells of the last of the others.
func seen(kinds []string) (list []string, why string) {
	for _, kind := range kinds {
		if reason := catalog.Hidden(kind); reason != "" {
			why = reason
			continue
		}
		list = append(list, kind)
	}
	return list, why
}

// resourceRules are what a rule's match comes to.
func resourceRules(r rule.Match, version string, mutating bool) []resourceRule {
	operations := []string{"CREATE", "UPDATE"}
	switch r.Fact {
	case "container", "workload":
		return workloadRules(version, mutating)
	case "namespace":
		rules := []resourceRule{{APIGroups: []string{""}, APIVersions: []string{"*"}, Operations: operations, Resources: []string{"namespaces"}}}
		return append(rules, asideRules(rules)...)
	case "object":
		return []resourceRule{{APIGroups: []string{"*"}, APIVersions: []string{"*"}, Operations: operations, Resources: []string{"*"}}}
	}
	byGroup := map[string][]string{}
	kinds, _ := seen(r.Kinds)
	for _, kind := range kinds {
		name, group, _ := strings.Cut(kind, ".")
		byGroup[group] = append(byGroup[group], resourceOf(group, name))
	}
	var rules []resourceRule
	for _, group := range slices.Sorted(maps.Keys(byGroup)) {
		resources := byGroup[group]
		slices.Sort(resources)
		if slices.Contains(resources, "*") {
			resources = []string{"*"}
		}
		rules = append(rules, resourceRule{APIGroups: []string{group}, APIVersions: []string{"*"}, Operations: operations, Resources: slices.Compact(resources)})
	}
	if mutating {
		return rules
	}
	return append(rules, asideRules(rules)...)
}

// constraints are what the rule's policy is asked about.
func (n *native) constraints() constraints {
	c := constraints{MatchPolicy: "Equivalent", ResourceRules: resourceRules(n.rule.Match, n.version, false)}
	if n.rule.Match.Fact == "object" {
		c.ExcludeResourceRules = unheard
	}
	return c
}

func workloadRules(version string, mutating bool) []resourceRule {
	var rules []resourceRule
	for _, w := range workloadKinds {
		w.APIVersions = []string{"*"}
		w.Operations = []string{"CREATE", "UPDATE"}
		if !mutating {
			rules = append(rules, w)
			continue
		}
		changing := w
		changing.Resources = slices.DeleteFunc(slices.Clone(w.Resources), func(s string) bool { return slices.Contains(frozen, s) })
		once := w
		once.Operations = []string{"CREATE"}
		once.Resources = slices.DeleteFunc(slices.Clone(w.Resources), func(s string) bool { return !slices.Contains(frozen, s) })
		rules = append(rules, once)
		rules = append(rules, changing)
	}
	if mutating {
		return slices.DeleteFunc(rules, func(r resourceRule) bool { return len(r.Resources) == 0 })
	}
	running := []string{"pods/ephemeralcontainers"}
	if catalog.Reached(version, "1.33") {
		running = append(running, "pods/resize")
	}
	return append(rules, resourceRule{APIGroups: []string{""}, APIVersions: []string{"*"}, Operations: []string{"UPDATE"}, Resources: running})
}

// resourceOf is the resource of a kind, "*" where the kind is not Kubernetes' own: its definition
// alone says, and kindCondition keeps the policy to it.
func resourceOf(group, kind string) string {
	if !catalog.IsOwnKind(group, kind) {
		return "*"
	}
	plural, _ := meta.UnsafeGuessKindToResource(schema.GroupVersionKind{Group: group, Kind: kind})
	return plural.Resource
}

// unheard are requests that no object rule is about: they are no objects, or come by the second.
var unheard = []resourceRule{
	{APIGroups: []string{"authentication.k8s.io", "authorization.k8s.io"}, APIVersions: []string{"*"}, Operations: []string{"*"}, Resources: []string{"*"}},
	{APIGroups: []string{"coordination.k8s.io"}, APIVersions: []string{"*"}, Operations: []string{"*"}, Resources: []string{"leases"}},
	{APIGroups: []string{"", "events.k8s.io"}, APIVersions: []string{"*"}, Operations: []string{"*"}, Resources: []string{"events"}},
}

// anyChange holds for a change of anything but what Kubernetes keeps of an object for itself: its finalizers can be taken off, and its
// owners with them, whatever a rule says of the rest. That an object is being deleted frees it of nothing: a finalizer keeps
// it in force for as long as its owner likes.
const anyChange = `size(object) > 100 || size(object.metadata) > 100 ||
!(dyn(object).all(k, k == "metadata" || k in dyn(oldObject) && dyn(object)[k] == dyn(oldObject)[k]) &&
dyn(oldObject).all(k, k in dyn(object)) &&
dyn(object).metadata.all(k, k in ` + keptForItself + ` || k in dyn(oldObject).metadata && dyn(object).metadata[k] == dyn(oldObject).metadata[k]) &&
dyn(oldObject).metadata.all(k, k in ` + keptForItself + ` || k in dyn(object).metadata))`

// keptForItself are the fields of metadata by which the API server and its controllers keep account of an object.
const keptForItself = `["finalizers", "ownerReferences", "managedFields", "resourceVersion", "generation", "deletionTimestamp", "deletionGracePeriodSeconds"]`

// Changes is the match condition of a webhook that is asked about whole objects: that one is made, or changed by more than anyChange
// lets pass.
const Changes = `oldObject == null || ` + anyChange

// conditions keep a policy to changes that matter: what was there before the policy can still be finished, labelled and deleted.
func (n *native) conditions() []Condition {
	var list []Condition
	if kinds := n.rule.Match.Kinds; isCustom(kinds) {
		var names []string
		for _, kind := range kinds {
			name, _, _ := strings.Cut(kind, ".")
			names = append(names, `"`+name+`"`)
		}
		list = append(list, Condition{"kind", `request.kind.kind in [` + strings.Join(names, ", ") + `]`})
	}
	if slices.ContainsFunc(n.constraints().ResourceRules, func(r resourceRule) bool { return slices.ContainsFunc(r.Resources, isAside) }) {
		list = append(list, Condition{asideName, MoreThanStatus})
	}
	return append(list, changed(n.changes()))
}

// changedName is the name of the condition that a change matters.
const changedName = "changed"

// changed holds for what is made, and for changes of which one of the parts of changes holds.
func changed(parts []string) Condition {
	return Condition{changedName, `oldObject == null || ` + strings.Join(parts, " ||\n")}
}

func (n *native) changes() []string {
	parts := maps.Clone(n.judged)
	switch n.rule.Match.Fact {
	case "container", "workload":
		parts["spec"], parts["template"] = true, true
		if n.reads["workload"]["labels"] || n.reads["workload"]["annotations"] || len(n.rule.EachPath) > 0 && n.rule.EachPath[0] == "metadata" {
			parts["metadata.labels"], parts["metadata.annotations"] = true, true
		}
	case "namespace":
		parts["metadata.labels"], parts["metadata.annotations"] = true, true
	default:
		if len(n.rule.EachPath) > 0 {
			parts[n.rule.EachPath[0]] = true
		}
	}
	if n.reads["binding"] != nil {
		parts["subjects"], parts["roleRef"] = true, true
	}
	if parts[""] || parts["metadata"] || len(parts) == 0 {
		return []string{anyChange}
	}
	var list []string
	for _, part := range slices.Sorted(maps.Keys(parts)) {
		path := ".?" + strings.ReplaceAll(part, ".", ".?")
		list = append(list, "object"+path+" != oldObject"+path)
	}
	return list
}

// Native is why a rule cannot be a policy of the API server's own; nil where it can.
func Native(r *rule.Rule, o Options) error {
	_, err := compile(r, o)
	return err
}

// Unseen says whether no policy is ever shown objects of a kind.
func Unseen(kind string) bool {
	shown, _ := seen([]string{kind})
	return len(shown) == 0
}

// Shows says whether a rule's policy, or a webhook, is shown an object: pod templates in custom resources neither sees.
func Shows(r *rule.Rule, o *fact.Object) bool {
	if r.Match.Fact != "container" && r.Match.Fact != "workload" {
		return !Unseen(o.GroupKind())
	}
	return slices.ContainsFunc(workloadKinds, func(w resourceRule) bool {
		return w.APIGroups[0] == o.Group() && slices.Contains(w.Resources, resourceOf(o.Group(), o.Kind))
	})
}
