package rbac

import (
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
)

// Danger is a right that gives more than it says: whoever has it can get rights that nobody granted.
type Danger struct {
	ID string
	// Verbs on Resources ("pods", "pods/exec") of Group; any of the verbs on any of the resources is it.
	Verbs     []string
	Group     string
	Resources []string
	// In is the only namespace where it is one; "" for all. Names are the only objects; nil for all.
	In    string
	Names []string
	// Inside is set where the API server asks for the right in the namespace of what is written, though
	// the resource belongs to none.
	Inside bool
	// Why says what it comes to.
	Why string
}

var (
	reads  = []string{"get", "list", "watch"}
	writes = []string{"create", "update", "patch"}
	anyone = []string{"users", "groups", "serviceaccounts", "uids", "userextras"}
)

// Dangers are they, the gravest first (kubernetes.io/docs/concepts/security/rbac-good-practices, and
// the API server's own checks of escalation).
var Dangers = []Danger{
	{ID: "everything", Verbs: []string{"*"}, Group: "*", Resources: []string{"*"}, Why: "it may do anything there"},
	{ID: "escalate", Verbs: []string{"escalate"}, Group: rbacGroup, Resources: []string{"roles", "clusterroles"}, Why: "it may write rights into a role that it does not have itself"},
	{ID: "bind", Verbs: []string{"bind"}, Group: rbacGroup, Resources: []string{"roles", "clusterroles"}, Inside: true, Why: "it may give itself roles whose rights it does not have"},
	{ID: "impersonate", Verbs: []string{"impersonate"}, Group: "", Resources: []string{"users", "groups", "serviceaccounts"}, Why: "it may act as others, and so with their rights"},
	{ID: "impersonate", Verbs: []string{"impersonate"}, Group: "authentication.k8s.io", Resources: []string{"uids", "userextras"}, Why: "it may act as others with what authentication says of them"},
	{
		ID: "impersonate-some", Verbs: []string{"impersonate:user-info", "impersonate:serviceaccount", "impersonate:arbitrary-node", "impersonate:associated-node"},
		Group: "authentication.k8s.io", Resources: append([]string{"nodes"}, anyone...), Why: "it may act as others in the requests that its impersonate-on rights name",
	},
	{ID: "token-request", Verbs: []string{"create"}, Group: "", Resources: []string{"serviceaccounts/token"}, Why: "it may make tokens of service accounts, and so act as them"},
	{ID: "sign-certificates", Verbs: []string{"sign"}, Group: certGroup, Resources: []string{"signers"}, Why: "it may sign certificates, and so make identities of any name and group"},
	{ID: "approve-certificates", Verbs: []string{"approve"}, Group: certGroup, Resources: []string{"signers"}, Why: "it may approve certificates that others ask for, of any name and group"},
	{ID: "admission", Verbs: writes, Group: "admissionregistration.k8s.io", Resources: []string{
		"mutatingwebhookconfigurations", "validatingwebhookconfigurations", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings",
	}, Why: "it may read and change every object that is written, secrets included"},
	{ID: "api-service", Verbs: writes, Group: "apiregistration.k8s.io", Resources: []string{"apiservices"}, Why: "it may put a server of its own in the place of a part of the API, and see its users' requests"},
	{ID: "kubelet", Verbs: []string{"*", "get", "create"}, Group: "", Resources: []string{"nodes/proxy"}, Why: "the kubelet lets it run commands in every pod of a node, past admission and the audit log"},
	{ID: "run-pods", Verbs: writes, Group: "", Resources: []string{"replicationcontrollers"}, Why: podsWhy},
	{ID: "run-pods", Verbs: []string{"create"}, Group: "", Resources: []string{"pods"}, Why: podsWhy},
	{ID: "run-pods", Verbs: writes, Group: "apps", Resources: []string{"deployments", "daemonsets", "statefulsets", "replicasets"}, Why: podsWhy},
	{ID: "run-pods", Verbs: writes, Group: "batch", Resources: []string{"jobs", "cronjobs"}, Why: podsWhy},
	{ID: "run-pods", Verbs: writes, Group: "argoproj.io", Resources: []string{"rollouts", "workflows", "cronworkflows", "workflowtemplates", "clusterworkflowtemplates"}, Why: podsWhy},
	{ID: "run-pods", Verbs: writes, Group: "tekton.dev", Resources: []string{"tasks", "taskruns", "pipelines", "pipelineruns"}, Why: podsWhy},
	{ID: "run-pods", Verbs: writes, Group: "serving.knative.dev", Resources: []string{"services", "configurations"}, Why: podsWhy},
	{ID: "run-pods", Verbs: writes, Group: "keda.sh", Resources: []string{"scaledjobs"}, Why: podsWhy},
	{ID: "exec", Verbs: []string{"create", "get"}, Group: "", Resources: []string{"pods/exec", "pods/attach"}, Why: "it may run commands in pods, and so take their tokens, secrets and volumes"},
	{ID: "debug", Verbs: []string{"update", "patch"}, Group: "", Resources: []string{"pods/ephemeralcontainers"}, Why: "it may put a container of its own into running pods, and so take their tokens, secrets and volumes"},
	{ID: "change-pods", Verbs: []string{"update", "patch"}, Group: "", Resources: []string{"pods"}, Why: "it may put an image of its own into running pods, and so take their tokens, secrets and volumes"},
	{ID: "read-secrets", Verbs: reads, Group: "", Resources: []string{"secrets"}, Why: "it may read secrets, tokens of service accounts among them; list and watch show them as get does"},
	{ID: "change-account", Verbs: []string{"update", "patch"}, Group: "", Resources: []string{"serviceaccounts"}, Why: "it may link a service account to another cloud role"},
	{ID: "host-volume", Verbs: []string{"create", "update", "patch"}, Group: "", Resources: []string{"persistentvolumes"}, Why: "a volume may be any directory of a node, past the Pod Security standards"},
	{ID: "change-node", Verbs: []string{"update", "patch"}, Group: "", Resources: []string{"nodes", "nodes/status"}, Why: "it may draw pods, and their secrets, to a node of its choice"},
	{ID: "change-namespace", Verbs: []string{"update", "patch"}, Group: "", Resources: []string{"namespaces"}, Why: "it may take away the labels that the Pod Security standards and network policies go by"},
	{ID: "bind-roles", Verbs: writes, Group: rbacGroup, Resources: []string{"rolebindings", "clusterrolebindings"}, Why: "it may give its own rights to others, and keep them so"},
	{ID: "cloud-users", Verbs: []string{"update", "patch", "create"}, Group: "", Resources: []string{"configmaps"}, In: "kube-system", Names: []string{"aws-auth"}, Why: "in EKS it may make any user of the cloud account a cluster-admin, in the ConfigMap aws-auth"},
	{ID: "port-forward", Verbs: []string{"create", "get"}, Group: "", Resources: []string{"pods/portforward"}, Why: "it may reach every port of a pod, past network policies"},
	{ID: "proxy", Verbs: []string{"get", "create", "update", "patch", "delete"}, Group: "", Resources: []string{"pods/proxy", "services/proxy"}, Why: "it may send requests to pods from the API server's address, past most network policies"},
}

const (
	rbacGroup = "rbac.authorization.k8s.io"
	certGroup = "certificates.k8s.io"
	podsWhy   = "it may run pods as any service account of the namespace with any of its secrets, and where admission lets it, take a node"
)

// DangersOf is what of a rule is dangerous where it is given: in a namespace, or everywhere ("").
func DangersOf(r Rule, namespace string) []*Danger {
	if r.Value.Get("verbs").Len() == 0 || r.Value.Get("resources").Len() == 0 {
		return nil
	}
	var found []*Danger
	for i := range Dangers {
		d := &Dangers[i]
		if !d.Of(r, namespace) || slices.ContainsFunc(found, func(f *Danger) bool { return f.ID == d.ID }) {
			continue
		}
		found = append(found, d)
		if d.ID == "everything" && !r.Named() {
			break // it says it all
		}
	}
	return found
}

// Of says whether a rule that is given in a namespace, or everywhere (""), holds it.
func (d *Danger) Of(r Rule, namespace string) bool {
	if d.In != "" && namespace != "" && namespace != d.In || !r.HasGroup(d.Group) {
		return false
	}
	if d.Names != nil && r.Named() && !slices.ContainsFunc(d.Names, r.HasName) {
		return false
	}
	return slices.ContainsFunc(d.Verbs, func(verb string) bool {
		// A request to create names no object, so that a rule with names never allows it; of a
		// subresource the name is known.
		return r.HasVerb(verb) && slices.ContainsFunc(d.Resources, func(resource string) bool {
			return (namespace == "" || d.Inside || !wideResources[resource]) && r.HasResource(resource) && (verb != "create" || !r.Named() || isSub(resource) || r.HasName(""))
		})
	})
}

func isSub(resource string) bool {
	return strings.Contains(resource, "/")
}

// wideResources are the resources of Dangers that belong to no namespace. Users and groups have none
// either; a namespace of its own may be changed from within.
var wideResources = map[string]bool{
	"clusterroles": true, "clusterrolebindings": true, "users": true, "groups": true, "uids": true, "userextras": true, "nodes": true,
	"nodes/proxy": true, "nodes/status": true, "signers": true, "persistentvolumes": true, "apiservices": true, "mutatingwebhookconfigurations": true,
	"validatingwebhookconfigurations": true, "mutatingadmissionpolicies": true, "mutatingadmissionpolicybindings": true, "clusterworkflowtemplates": true,
}

// Empty says whether the rule allows nothing: it names no verb, or neither a resource nor a URL.
func (r Rule) Empty() bool {
	return r.Value.Get("verbs").Len() == 0 || r.Value.Get("resources").Len() == 0 && r.Value.Get("nonResourceURLs").Len() == 0 || r.Value.Kind() != document.Map
}
