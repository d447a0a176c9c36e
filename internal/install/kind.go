package install

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

const (
	admissionGroup = "admissionregistration.k8s.io"
	rbacGroup      = "rbac.authorization.k8s.io"
)

// kind is a kind of objects that an installation may have.
type kind struct {
	name, group, version, resource string
	cluster                        bool // it is in no namespace
	// last is applied when the gate answers, and removed before it goes.
	last bool
	// native refuses or changes without the gate, and may be kept when it goes.
	native bool
	// strict is compared to the last field: what is added to it changes what it holds.
	strict bool
}

// kinds are in the order of applying: what others need first, what refuses natively before anything runs, and what sends
// requests to the gate last. Removing goes from the end.
var kinds = []kind{
	{name: "Namespace", version: "v1", resource: "namespaces", cluster: true},
	// Before all that a gate keeps: one that runs sees by it that its files are of an earlier plan, and lets be what comes.
	{name: "ConfigMap", version: "v1", resource: "configmaps"},
	{name: "ResourceQuota", version: "v1", resource: "resourcequotas", native: true},
	{name: "LimitRange", version: "v1", resource: "limitranges", native: true},
	{name: "ValidatingAdmissionPolicy", group: admissionGroup, version: "v1", resource: "validatingadmissionpolicies", cluster: true, native: true, strict: true},
	{name: "ValidatingAdmissionPolicyBinding", group: admissionGroup, version: "v1", resource: "validatingadmissionpolicybindings", cluster: true, native: true, strict: true},
	{name: "NetworkPolicy", group: "networking.k8s.io", version: "v1", resource: "networkpolicies", strict: true},
	{name: "ServiceAccount", version: "v1", resource: "serviceaccounts"},
	{name: "Secret", version: "v1", resource: "secrets"},
	{name: "ClusterRole", group: rbacGroup, version: "v1", resource: "clusterroles", cluster: true, strict: true},
	{name: "ClusterRoleBinding", group: rbacGroup, version: "v1", resource: "clusterrolebindings", cluster: true, strict: true},
	{name: "Role", group: rbacGroup, version: "v1", resource: "roles", strict: true},
	{name: "RoleBinding", group: rbacGroup, version: "v1", resource: "rolebindings", strict: true},
	{name: "Issuer", group: "cert-manager.io", version: "v1", resource: "issuers"},
	{name: "Certificate", group: "cert-manager.io", version: "v1", resource: "certificates"},
	{name: "Service", version: "v1", resource: "services"},
	{name: "PodDisruptionBudget", group: "policy", version: "v1", resource: "poddisruptionbudgets"},
	{name: "Deployment", group: "apps", version: "v1", resource: "deployments"},
	{name: "MutatingAdmissionPolicy", group: admissionGroup, version: "v1", resource: "mutatingadmissionpolicies", cluster: true, last: true, native: true, strict: true},
	{name: "MutatingAdmissionPolicyBinding", group: admissionGroup, version: "v1", resource: "mutatingadmissionpolicybindings", cluster: true, last: true, native: true, strict: true},
	{name: "MutatingWebhookConfiguration", group: admissionGroup, version: "v1", resource: "mutatingwebhookconfigurations", cluster: true, last: true, strict: true},
	{name: "ValidatingWebhookConfiguration", group: admissionGroup, version: "v1", resource: "validatingwebhookconfigurations", cluster: true, last: true, strict: true},
}

func (k *kind) gvr() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: k.group, Version: k.version, Resource: k.resource}
}

// webhook says whether it is a configuration of webhooks.
func (k *kind) webhook() bool {
	return k.name == "MutatingWebhookConfiguration" || k.name == "ValidatingWebhookConfiguration"
}

// mutating says whether it is a mutating policy, or a binding of one.
func (k *kind) mutating() bool { return strings.HasPrefix(k.name, "MutatingAdmissionPolicy") }

// kindOf is the entry of an object's kind, by whatever version.
func kindOf(o *Object) (*kind, error) {
	gvk := o.GroupVersionKind()
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == gvk.Kind && k.group == gvk.Group })
	if i < 0 {
		return nil, fmt.Errorf("%s: an installation has no objects of this kind", named(o))
	}
	k := kinds[i]
	k.version = gvk.Version
	return &k, nil
}

// inOrder sorts objects as they are applied: by kind, and then as they came.
func inOrder(objects []*Object) ([]*Object, error) {
	place := map[*Object]int{}
	for _, o := range objects {
		k, err := kindOf(o)
		if err != nil {
			return nil, err
		}
		place[o] = slices.IndexFunc(kinds, func(other kind) bool { return other.resource == k.resource && other.group == k.group })
	}
	slices.SortStableFunc(objects, func(a, b *Object) int { return place[a] - place[b] })
	return objects, nil
}

// named is an object as people speak of it: "Deployment coaming-system/coaming-gate".
func named(o *Object) string {
	if ns := o.GetNamespace(); ns != "" {
		return o.GetKind() + " " + ns + "/" + o.GetName()
	}
	return o.GetKind() + " " + o.GetName()
}

// key is what tells objects apart, whatever the version of their API.
type key struct{ group, kind, namespace, name string }

func keyOf(o *Object) key {
	gvk := o.GroupVersionKind()
	return key{gvk.Group, gvk.Kind, o.GetNamespace(), o.GetName()}
}
