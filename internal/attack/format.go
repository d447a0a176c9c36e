package attack

import (
	"io"
	"slices"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
	"github.com/coaming/coaming/internal/reach"
)

// Format is a way to write paths.
type Format struct {
	Name  string
	Write func(w io.Writer, answers []*Answer) error
}

// Formats are all, the one for people first.
var Formats = []Format{{"text", WriteText}, {"json", WriteJSON}, {"dot", WriteDOT}, {"mermaid", WriteMermaid}}

// FormatNames are their names.
func FormatNames() []string {
	names := make([]string, 0, len(Formats))
	for _, f := range Formats {
		names = append(names, f.Name)
	}
	return names
}

// Writer is the format of that name; nil for none.
func Writer(name string) func(io.Writer, []*Answer) error {
	for _, f := range Formats {
		if f.Name == name {
			return f.Write
		}
	}
	return nil
}

// ownKinds are what steps look at beside pods, rights and policies.
var ownKinds = []string{
	"APIService.apiregistration.k8s.io", "ConfigMap", "CustomResourceDefinition.apiextensions.k8s.io", "MutatingWebhookConfiguration.admissionregistration.k8s.io",
	"Namespace", "Node", "PersistentVolume", "PersistentVolumeClaim", "Secret", "ServiceAccount", "StorageClass.storage.k8s.io",
	"ValidatingWebhookConfiguration.admissionregistration.k8s.io",
}

// Kinds are what a graph is made of: "Kind.group", sorted.
func Kinds() []string {
	kinds := slices.Concat(ownKinds, rbac.Kinds, reach.Kinds(), fact.PodKinds())
	slices.Sort(kinds)
	return slices.Compact(kinds)
}
