package catalog

import (
	"cmp"
	"strings"
)

// hiddenGroups are the groups of kinds that no policy and no webhook is ever shown, with the reason; a dot in front
// stands for all groups that end so.
var hiddenGroups = map[string]string{
	// k8s.io/apiserver pkg/admission/plugin/webhook/predicates/rules, IsExemptAdmissionConfigurationResource.
	"admissionregistration.k8s.io": "the API server shows nobody admission configuration",
	".config.k8s.io":               configurationFile,
	"kubeadm.k8s.io":               configurationFile,
	"audit.k8s.io":                 configurationFile,
}

const configurationFile = "it judges a configuration file, which is no object on the server"

// Hidden is why the API server shows objects of a kind, "Kind.group", to no policy and no webhook; "" where it does.
func Hidden(kind string) string {
	_, group, _ := strings.Cut(kind, ".")
	_, suffix, _ := strings.Cut(group, ".")
	return cmp.Or(hiddenGroups[group], hiddenGroups["."+suffix])
}
