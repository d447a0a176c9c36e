package policy

import (
	"slices"
	"strings"
)

// Whoever may write an object's status writes its labels and annotations with it: the strategies of Kubernetes' own kinds put back the
// spec alone (pkg/registry/*/*/strategy.go, PrepareForUpdate of the StatusStrategy, and of namespaces the one that finalizes). What a
// label or an annotation may not say must therefore be asked of these writes, too. Of custom resources the API server keeps the
// metadata itself (apiextensions-apiserver pkg/registry/customresource/status_strategy.go). What carries pods is left out: a pod's own labels and
// annotations are read when it is made, those of the others stand in a template, which a status does not touch; and networks note
// addresses of pods in annotations by way of the status.

// aside are the subresources by which metadata is written beside the object, by resource and group.
var aside = map[string][]string{
	"namespaces":                         {"namespaces/finalize", "namespaces/status"},
	"nodes":                              {"nodes/status"},
	"persistentvolumeclaims":             {"persistentvolumeclaims/status"},
	"persistentvolumes":                  {"persistentvolumes/status"},
	"resourcequotas":                     {"resourcequotas/status"},
	"services":                           {"services/status"},
	"apiservices.apiregistration.k8s.io": {"apiservices/status"},
	"certificatesigningrequests.certificates.k8s.io":           {"certificatesigningrequests/approval", "certificatesigningrequests/status"},
	"customresourcedefinitions.apiextensions.k8s.io":           {"customresourcedefinitions/status"},
	"flowschemas.flowcontrol.apiserver.k8s.io":                 {"flowschemas/status"},
	"horizontalpodautoscalers.autoscaling":                     {"horizontalpodautoscalers/status"},
	"ingresses.networking.k8s.io":                              {"ingresses/status"},
	"poddisruptionbudgets.policy":                              {"poddisruptionbudgets/status"},
	"prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": {"prioritylevelconfigurations/status"},
	"resourceclaims.resource.k8s.io":                           {"resourceclaims/status"},
	"servicecidrs.networking.k8s.io":                           {"servicecidrs/status"},
	"volumeattachments.storage.k8s.io":                         {"volumeattachments/status"},
}

// asideRules are what a policy is asked about beside rules on whole objects.
func asideRules(rules []resourceRule) (more []resourceRule) {
	for _, r := range rules {
		if resources := Aside(r.APIGroups[0], r.Resources); len(resources) > 0 {
			more = append(more, resourceRule{APIGroups: r.APIGroups, APIVersions: r.APIVersions, Operations: []string{"UPDATE"}, Resources: resources})
		}
	}
	return more
}

// Aside are the subresources by which metadata of resources of a group is written beside the object.
func Aside(group string, resources []string) (list []string) {
	for _, resource := range resources {
		key := resource
		if group != "" {
			key += "." + group
		}
		list = append(list, aside[key]...)
	}
	slices.Sort(list)
	return list
}

func isAside(resource string) bool {
	_, sub, _ := strings.Cut(resource, "/")
	return sub == "status" || sub == "finalize" || sub == "approval"
}

const (
	asideName = "more-than-a-status"
	// MoreThanStatus holds for all but writes of a status that leave labels and annotations as they were: those are the word of who looks.
	MoreThanStatus = `!(request.?subResource.orValue("") in ["status", "finalize", "approval"]) ||
object.metadata.?labels != oldObject.metadata.?labels || object.metadata.?annotations != oldObject.metadata.?annotations`
)
