package attack

import "slices"

var secretRead = Step{
	ID: "secret-read", Title: "Read secrets through the API", Technique: "T1552.007",
	Needs: "an identity that may get, list or watch secrets",
	Gives: "the content of the secrets there",
	Why:   "list and watch show the content as get does. Among them are passwords, keys, and the tokens of service accounts.",
	Fix:   "Give get alone, on the secrets that are read, by resourceNames; or mount them.",
	// It is one request.
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		for _, r := range w.RightsTo("read-secrets") {
			for _, to := range w.secretsOf(r) {
				take(r.Taken(to))
			}
		}
	},
}

// secretsOf are the nodes of the secrets that a right is over. A namespace's secret that the right names is
// one whether it was read or not.
func (w *World) secretsOf(r *Right) []Node {
	names := r.Names()
	if len(names) == 0 {
		return []Node{SecretsIn(r.Namespace)}
	}
	var list []Node
	if r.Namespace != "" {
		for _, name := range names {
			list = append(list, SecretNode(r.Namespace, name))
		}
		return list
	}
	var found []int
	for _, name := range names {
		found = append(found, w.secretsNamed(name)...)
	}
	slices.Sort(found)
	for _, i := range slices.Compact(found) {
		o := w.Inventory.OfKind("Secret")[i]
		list = append(list, SecretNode(o.Namespace, o.Name))
	}
	return list
}

// secretsNamed are the secrets of a name in all namespaces, by their place in the inventory.
func (w *World) secretsNamed(name string) []int {
	if w.secrets == nil {
		w.secrets = map[string][]int{}
		for i, o := range w.Inventory.OfKind("Secret") {
			w.secrets[o.Name] = append(w.secrets[o.Name], i)
		}
	}
	return w.secrets[name]
}
