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

// configurations are the configuration files of a cluster's own programs that rules judge, although
// no cluster stores them. None of them has a name.
var configurations = map[string]bool{
	"AuthenticationConfiguration.apiserver.config.k8s.io": true,
	"AuthorizationConfiguration.apiserver.config.k8s.io":  true,
	"ClusterConfiguration.kubeadm.k8s.io":                 true,
	"EncryptionConfiguration.apiserver.config.k8s.io":     true,
	"KubeProxyConfiguration.kubeproxy.config.k8s.io":      true,
	"KubeletConfiguration.kubelet.config.k8s.io":          true,
	"Policy.audit.k8s.io":                                 true,
}

// clientSide says whether the object is the configuration of a program, not something that a
// cluster stores: a Kustomization, a kubeconfig, a scheduler's configuration file.
func clientSide(o *fact.Object) bool {
	group := o.Group()
	switch {
	case configurations[o.GroupKind()]:
		return false
	case group == "":
		return o.APIVersion == "v1" && (o.Kind == "Config" || o.Kind == "Status") || clientGroups[o.APIVersion]
	case group == "config.k8s.io" || strings.HasSuffix(group, ".config.k8s.io"):
		return true
	default:
		return clientGroups[group]
	}
}

// nameless says whether objects of that kind have no name: requests, not records, and configuration files.
func nameless(o *fact.Object) bool {
	if configurations[o.GroupKind()] {
		return true
	}
	switch o.Group() {
	case "authorization.k8s.io", "authentication.k8s.io", "admission.k8s.io", "imagepolicy.k8s.io":
		return true
	default:
		return false
	}
}
