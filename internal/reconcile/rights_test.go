package reconcile

import (
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/coaming/coaming/internal/policy"
)

// granted are the RBAC rules that a reconciler needs, and no more: everywhere, and in single namespaces.
type granted struct {
	Everywhere []rbacv1.PolicyRule
	In         map[string][]rbacv1.PolicyRule
}

// rightsOf are the rights of a reconciler in a namespace. Guarded names the objects that it is told of (resource -> names);
// with repair it may write those, which is a way to become administrator: whoever may write a webhook's configuration may have
// the API server send it every request.
func rightsOf(namespace string, guarded map[string][]string, repair bool) granted {
	all := []string{"get", "list", "watch", "create", "update", "patch", "delete"}
	r := granted{
		Everywhere: []rbacv1.PolicyRule{
			{APIGroups: []string{policies.Group}, Resources: []string{policies.Resource, bindings.Resource}, Verbs: all},
			{APIGroups: []string{""}, Resources: []string{quotas.Resource, limitRanges.Resource}, Verbs: all},
			{APIGroups: []string{""}, Resources: []string{namespaces.Resource}, Verbs: []string{"get", "list", "watch"}},
			// The API server lets nobody write a policy with parameters who may not read all objects of their kind
			// (k8s.io/kubernetes pkg/registry/admissionregistration/validatingadmissionpolicy/authz.go).
			{APIGroups: []string{leases.Group}, Resources: []string{leases.Resource}, Verbs: []string{"get"}},
		},
		In: map[string][]rbacv1.PolicyRule{
			namespace: {
				{APIGroups: []string{leases.Group}, Resources: []string{leases.Resource}, Verbs: []string{"create"}},
				{APIGroups: []string{leases.Group}, Resources: []string{leases.Resource}, ResourceNames: []string{LeaseName}, Verbs: []string{"update"}},
				{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}},
				{APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{ConfigName}, Verbs: []string{"get"}},
			},
			policy.LeaseNamespace: {{APIGroups: []string{leases.Group}, Resources: []string{leases.Resource}, Verbs: []string{"list"}}},
		},
	}
	for _, resource := range []string{"mutatingwebhookconfigurations", "validatingwebhookconfigurations", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings"} {
		if len(guarded[resource]) == 0 {
			continue
		}
		one := rbacv1.PolicyRule{APIGroups: []string{policies.Group}, Resources: []string{resource}, ResourceNames: guarded[resource], Verbs: []string{"get", "list", "watch"}}
		if repair {
			one.Verbs = append(one.Verbs, "update", "patch")
			// Who makes an object is asked about no name.
			r.Everywhere = append(r.Everywhere, rbacv1.PolicyRule{APIGroups: one.APIGroups, Resources: one.Resources, Verbs: []string{"create"}})
		}
		r.Everywhere = append(r.Everywhere, one)
	}
	return r
}
