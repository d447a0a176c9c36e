package judge

import (
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
)

// indexDependents lists the workloads that name each service, by namespace/name: in their containers'
// environment, commands and arguments, and in the ConfigMaps that they use.
func (j *judgement) indexDependents() map[string]map[*fact.Workload]bool {
	index := map[string]map[*fact.Workload]bool{}
	for _, o := range j.Inventory.OfKind(service) {
		index[fact.Place(o.Namespace)+"/"+o.Name] = map[*fact.Workload]bool{}
	}
	for _, w := range j.Inventory.Workloads {
		home := fact.Place(w.Object.Namespace)
		told := func(text string) {
			for word := range strings.FieldsFuncSeq(text, func(c rune) bool { return !isHost(c) }) {
				if at := index[hostOf(word, home)]; at != nil {
					at[w] = true
				}
			}
		}
		for i := range w.Containers {
			texts(w.Containers[i].Value, told)
		}
		for _, name := range configMapsOf(w) {
			if o := j.Inventory.Find("ConfigMap", home, name); o != nil {
				texts(o.Root.Get("data"), told)
			}
		}
	}
	return index
}

func isHost(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.'
}

// hostOf is the service that a host name means to a pod of a namespace, "namespace/name": db, db.shop,
// db.shop.svc.cluster.local.
func hostOf(host, home string) string {
	name, rest, found := strings.Cut(strings.TrimSuffix(host, "."), ".")
	if !found {
		return home + "/" + name
	}
	namespace, _, _ := strings.Cut(rest, ".")
	return namespace + "/" + name
}

// mostText bounds what is looked at of one value.
const mostText = 1 << 16

// texts tells every text in a value. Of a container its name and image are no words about others, but
// the few matches that they give by chance only spare a rule's subject.
func texts(v document.Value, tell func(string)) {
	switch v.Kind() { //nolint:exhaustive // of the others there is nothing to tell
	case document.String:
		text := v.Str()
		tell(text[:min(len(text), mostText)])
	case document.List:
		for _, item := range v.Items() {
			texts(item, tell)
		}
	case document.Map:
		for _, item := range v.Fields() {
			texts(item, tell)
		}
	}
}

// configMapsOf are the names of the ConfigMaps that a workload's pods use.
func configMapsOf(w *fact.Workload) []string {
	var names []string
	add := func(v document.Value) {
		if name := v.Get("name").Str(); name != "" {
			names = append(names, name)
		}
	}
	for _, v := range w.Spec.Get("volumes").Items() {
		add(v.Get("configMap"))
		for _, source := range v.At("projected", "sources").Items() {
			add(source.Get("configMap"))
		}
	}
	for i := range w.Containers {
		c := w.Containers[i].Value
		for _, v := range c.Get("envFrom").Items() {
			add(v.Get("configMapRef"))
		}
		for _, v := range c.Get("env").Items() {
			add(v.At("valueFrom", "configMapKeyRef"))
		}
	}
	return names
}

// dependents is how many workloads name a service of the workload's.
func (j *judgement) dependents(w *fact.Workload) (rule.Fact, error) {
	if err := j.gaps.missed(service, w.Object.Namespace); err != nil {
		return nil, err
	}
	all := map[*fact.Workload]bool{}
	for _, o := range j.selectingIn(service, w.Object.Namespace, w.Labels()) {
		for d := range j.naming()[fact.Place(o.Namespace)+"/"+o.Name] {
			if d != w {
				all[d] = true
			}
		}
	}
	return rule.Count(len(all)), nil
}
