package source

import (
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// clientGroups are API groups of files that a program reads and no cluster stores.
var clientGroups = map[string]bool{
	"audit.k8s.io":                         true,
	"backstage.io":                         true,
	"builtin":                              true, // kustomize's own plugins
	"chainsaw.kyverno.io":                  true,
	"cli.kyverno.io":                       true,
	"client.authentication.k8s.io":         true,
	"config.kubernetes.io":                 true,
	"ctlptl.dev":                           true,
	"eksctl.io":                            true,
	"fn.kpt.dev":                           true,
	"k3d.io":                               true,
	"kind.x-k8s.io":                        true,
	"kops.k8s.io":                          true,
	"kpt.dev":                              true,
	"kubeadm.k8s.io":                       true,
	"kuttl.dev":                            true,
	"scorecard.operatorframework.io":       true,
	"skaffold":                             true,
	"test.gatekeeper.sh":                   true,
	"krew.googlecontainertools.github.com": true,
}

const clientReason = "read by kubectl, kustomize, kubeadm and the like, never stored in a cluster"

// clientSide says whether the object is the configuration of a program, not something that a
// cluster stores: a Kustomization, a kubeconfig, a kubelet's or an API server's configuration file.
func clientSide(o *fact.Object) bool {
	group := o.Group()
	switch {
	case group == "":
		return o.APIVersion == "v1" && (o.Kind == "Config" || o.Kind == "Status") || clientGroups[o.APIVersion]
	case group == "config.k8s.io" || strings.HasSuffix(group, ".config.k8s.io"):
		return true
	default:
		return clientGroups[group]
	}
}

// nameless says whether objects of that kind are sent without a name: requests, not records.
func nameless(o *fact.Object) bool {
	switch o.Group() {
	case "authorization.k8s.io", "authentication.k8s.io", "admission.k8s.io", "imagepolicy.k8s.io":
		return true
	default:
		return false
	}
}

// wideKinds are Kubernetes' own kinds that belong to no namespace.
var wideKinds = map[string]bool{
	"Namespace": true, "Node": true, "PersistentVolume": true,
	"CustomResourceDefinition.apiextensions.k8s.io":                 true,
	"APIService.apiregistration.k8s.io":                             true,
	"MutatingWebhookConfiguration.admissionregistration.k8s.io":     true,
	"ValidatingWebhookConfiguration.admissionregistration.k8s.io":   true,
	"ValidatingAdmissionPolicy.admissionregistration.k8s.io":        true,
	"ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io": true,
	"MutatingAdmissionPolicy.admissionregistration.k8s.io":          true,
	"MutatingAdmissionPolicyBinding.admissionregistration.k8s.io":   true,
	"CertificateSigningRequest.certificates.k8s.io":                 true,
	"ClusterTrustBundle.certificates.k8s.io":                        true,
	"FlowSchema.flowcontrol.apiserver.k8s.io":                       true,
	"PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io":       true,
	"IngressClass.networking.k8s.io":                                true,
	"IPAddress.networking.k8s.io":                                   true,
	"ServiceCIDR.networking.k8s.io":                                 true,
	"RuntimeClass.node.k8s.io":                                      true,
	"PodSecurityPolicy.policy":                                      true,
	"ClusterRole.rbac.authorization.k8s.io":                         true,
	"ClusterRoleBinding.rbac.authorization.k8s.io":                  true,
	"PriorityClass.scheduling.k8s.io":                               true,
	"CSIDriver.storage.k8s.io":                                      true,
	"CSINode.storage.k8s.io":                                        true,
	"StorageClass.storage.k8s.io":                                   true,
	"VolumeAttachment.storage.k8s.io":                               true,
	"VolumeAttributesClass.storage.k8s.io":                          true,
	"VolumeSnapshotClass.snapshot.storage.k8s.io":                   true,
	"VolumeSnapshotContent.snapshot.storage.k8s.io":                 true,
	"DeviceClass.resource.k8s.io":                                   true,
	"ResourceSlice.resource.k8s.io":                                 true,
	"StorageVersion.internal.apiserver.k8s.io":                      true,
	"StorageVersionMigration.storagemigration.k8s.io":               true,
	"GatewayClass.gateway.networking.k8s.io":                        true,
}

// clusterScoped says whether the object belongs to no namespace. Of a kind it does not know it
// goes by the name: by custom, kinds that begin with "Cluster" are cluster-wide.
func clusterScoped(o *fact.Object) bool {
	return wideKinds[o.GroupKind()] || strings.HasPrefix(o.Kind, "Cluster")
}
