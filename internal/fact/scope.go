package fact

import "strings"

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

// ClusterScoped says whether objects of a kind, "Kind" or "Kind.group", belong to no namespace. Of
// a kind it does not know it goes by the name: by custom, kinds that begin with "Cluster" are
// cluster-wide.
func ClusterScoped(kind string) bool { return wideKinds[kind] || strings.HasPrefix(kind, "Cluster") }
