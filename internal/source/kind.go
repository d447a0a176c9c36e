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
