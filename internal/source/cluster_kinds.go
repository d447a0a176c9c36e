package source

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

const (
	secretKind     = "Secret"
	namespaceKind  = "Namespace"
	definitionKind = "CustomResourceDefinition.apiextensions.k8s.io"
)

// clusterResources is what is worth reading of a cluster: by API group the resources, and the kind of
// each. Where a plural is not here it is a guess, which only ClusterRole makes: a reading asks the
// API server. What runs containers comes from package fact, too.
var clusterResources = map[string]map[string]string{
	"": {
		"pods": "Pod", "replicationcontrollers": "ReplicationController", "podtemplates": "PodTemplate",
		"namespaces": namespaceKind, "nodes": "Node", "services": "Service", "serviceaccounts": "ServiceAccount",
		"configmaps": "ConfigMap", "resourcequotas": "ResourceQuota", "limitranges": "LimitRange",
		"persistentvolumes": "PersistentVolume", "persistentvolumeclaims": "PersistentVolumeClaim",
	},
	"apps":  {"deployments": "Deployment", "replicasets": "ReplicaSet", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet"},
	"batch": {"jobs": "Job", "cronjobs": "CronJob"},
	"rbac.authorization.k8s.io": {
		"roles": "Role", "rolebindings": "RoleBinding", "clusterroles": "ClusterRole", "clusterrolebindings": "ClusterRoleBinding",
	},
	"networking.k8s.io": {"networkpolicies": "NetworkPolicy", "ingresses": "Ingress", "ingressclasses": "IngressClass"},
	"policy":            {"poddisruptionbudgets": "PodDisruptionBudget"},
	"admissionregistration.k8s.io": {
		"validatingwebhookconfigurations":   "ValidatingWebhookConfiguration",
		"mutatingwebhookconfigurations":     "MutatingWebhookConfiguration",
		"validatingadmissionpolicies":       "ValidatingAdmissionPolicy",
		"validatingadmissionpolicybindings": "ValidatingAdmissionPolicyBinding",
		"mutatingadmissionpolicies":         "MutatingAdmissionPolicy",
		"mutatingadmissionpolicybindings":   "MutatingAdmissionPolicyBinding",
	},
	"apiextensions.k8s.io":   {"customresourcedefinitions": "CustomResourceDefinition"},
	"apiregistration.k8s.io": {"apiservices": "APIService"},
	"node.k8s.io":            {"runtimeclasses": "RuntimeClass"},
	"scheduling.k8s.io":      {"priorityclasses": "PriorityClass"},
	"storage.k8s.io":         {"storageclasses": "StorageClass", "csidrivers": "CSIDriver"},
	// What others add to the API, where it is served.
	"gateway.networking.k8s.io": {
		"gateways": "Gateway", "httproutes": "HTTPRoute", "grpcroutes": "GRPCRoute", "referencegrants": "ReferenceGrant",
	},
	"policy.networking.k8s.io": {
		"adminnetworkpolicies": "AdminNetworkPolicy", "baselineadminnetworkpolicies": "BaselineAdminNetworkPolicy",
		"clusternetworkpolicies": "ClusterNetworkPolicy",
	},
	"cilium.io": {
		"ciliumnetworkpolicies": "CiliumNetworkPolicy", "ciliumclusterwidenetworkpolicies": "CiliumClusterwideNetworkPolicy",
	},
	"crd.projectcalico.org": {"networkpolicies": "NetworkPolicy", "globalnetworkpolicies": "GlobalNetworkPolicy"},
	"argoproj.io": {
		"rollouts": "Rollout", "workflows": "Workflow", "cronworkflows": "CronWorkflow",
		"workflowtemplates": "WorkflowTemplate", "clusterworkflowtemplates": "ClusterWorkflowTemplate",
	},
	"serving.knative.dev": {"services": "Service", "configurations": "Configuration", "revisions": "Revision"},
	"apps.openshift.io":   {"deploymentconfigs": "DeploymentConfig"},
	"keda.sh":             {"scaledjobs": "ScaledJob"},
	"tekton.dev":          {"tasks": "Task", "taskruns": "TaskRun", "pipelines": "Pipeline", "pipelineruns": "PipelineRun"},
}

// DefaultKinds is what is read of a cluster when nobody says what is needed, "Kind" or
// "Kind.group", sorted.
func DefaultKinds() []string {
	kinds := fact.PodKinds()
	for group, resources := range clusterResources {
		for _, kind := range resources {
			kinds = append(kinds, groupKind(kind, group))
		}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

func groupKind(kind, group string) string {
	if group == "" {
		return kind
	}
	return kind + "." + group
}

// runsContainers says whether something that runs containers is among the kinds.
func runsContainers(kinds []string) bool {
	return slices.ContainsFunc(fact.PodKinds(), func(kind string) bool { return slices.Contains(kinds, kind) })
}

// unservedKinds are known for the sake of old manifests: no supported cluster serves them.
var unservedKinds = []string{"DeploymentConfig", "ScheduledJob.batch", "PodSecurityPolicy.policy", "PodSecurityPolicy.extensions"}

// ClusterRole is the manifest of the least that Cluster needs to read these kinds ("Kind" or
// "Kind.group"; empty is DefaultKinds) with Custom or without: to list them, and nothing else.
// Secrets are never among them.
func ClusterRole(kinds []string) string {
	if len(kinds) == 0 {
		kinds = DefaultKinds()
	}
	if runsContainers(kinds) {
		kinds = append(slices.Clone(kinds), definitionKind) // which other kinds do
	}
	grants := map[string][]string{}
	for _, kind := range kinds {
		name, group := fact.SplitKind(kind)
		if kind == secretKind || group == "extensions" || configurations[kind] || slices.Contains(unservedKinds, kind) {
			continue
		}
		grants[group] = append(grants[group], plural(name, group))
	}
	var b strings.Builder
	b.WriteString(`# The least that coaming needs to read a cluster: it lists, and nothing else. Secrets are not among it.
# Discovery is left to the ClusterRole system:discovery, which every authenticated identity has unless it was taken away.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: coaming-scan
`)
	if len(grants) == 0 {
		b.WriteString("rules: []\n")
		return b.String()
	}
	b.WriteString("rules:\n")
	for _, group := range slices.Sorted(maps.Keys(grants)) {
		resources := slices.Compact(slices.Sorted(slices.Values(grants[group])))
		fmt.Fprintf(&b, "  - apiGroups: [%q]\n    resources: [%s]\n    verbs: [list]\n", group, strings.Join(resources, ", "))
	}
	return b.String()
}

// plural is the resource of a kind: as listed above, else by the habit that nearly all definitions
// follow.
func plural(kind, group string) string {
	for resource, known := range clusterResources[group] {
		if known == kind {
			return resource
		}
	}
	name := strings.ToLower(kind)
	switch {
	case strings.HasSuffix(name, "s") || strings.HasSuffix(name, "x") || strings.HasSuffix(name, "ch") || strings.HasSuffix(name, "sh"):
		return name + "es"
	case strings.HasSuffix(name, "y") && !strings.ContainsAny(name[max(0, len(name)-2):len(name)-1], "aeiou"):
		return name[:len(name)-1] + "ies"
	}
	return name + "s"
}
