package fact

// Resource is what an API server serves objects of a kind as.
type Resource struct {
	Group string
	Name  string // "deployments"
	Kind  string
	// Short are other names that people call it by.
	Short []string
	// Namespaced is set where its objects belong to a namespace.
	Namespaced bool
}

// DefinedResources is what the custom resource definitions of the inventory serve.
func (inv *Inventory) DefinedResources() []Resource {
	var list []Resource
	for _, o := range inv.OfKind("CustomResourceDefinition.apiextensions.k8s.io") {
		spec := o.Root.Get("spec")
		names := spec.Get("names")
		r := Resource{
			Group: spec.Get("group").Str(), Name: names.Get("plural").Str(), Kind: names.Get("kind").Str(),
			Namespaced: spec.Get("scope").Str() != "Cluster",
		}
		for _, s := range names.Get("shortNames").Items() {
			r.Short = append(r.Short, s.Str())
		}
		if r.Name != "" {
			list = append(list, r)
		}
	}
	return list
}
