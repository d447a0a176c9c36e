package reach

import (
	"cmp"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// trial is a question about identities that a policy asks.
type trial struct {
	key string // equal for equal questions
	// namespace is the only one in which it may hold; "" for any.
	namespace string
	holds     func(identity) answer
}

const spiffe = "spiffe://"

// defaultTrust is the trust domain of a mesh unless it is told another, and in Istio's policies a word
// for whatever it is (istio.io, "Trust Domain Migration").
const defaultTrust = "cluster.local"

// like says whether a text is what a value of Istio asks for: itself, or "*" at one end for whatever
// stands there, or alone for anything.
func like(pattern, text string) bool {
	switch {
	case pattern == "*":
		return text != ""
	case strings.HasPrefix(pattern, "*"):
		return strings.HasSuffix(text, pattern[1:])
	case strings.HasSuffix(pattern, "*"):
		return strings.HasPrefix(text, pattern[:len(pattern)-1])
	}
	return pattern == text
}

// principalTrial asks for a principal, "cluster.local/ns/NAMESPACE/sa/ACCOUNT". Of another trust
// domain it is not known whether it is the mesh's own.
func principalTrial(pattern string) trial {
	pattern = strings.TrimPrefix(pattern, spiffe)
	t := trial{key: "principal " + pattern}
	domain, rest, whole := strings.Cut(pattern, "/ns/")
	foreign := whole && domain != defaultTrust && !strings.Contains(domain, "*")
	if whole && !strings.Contains(domain, "*") {
		if ns, _, named := strings.Cut(rest, "/"); named && !strings.Contains(ns, "*") {
			t.namespace = ns
		}
	}
	t.holds = func(id identity) answer {
		path := "/ns/" + id.namespace + "/sa/" + id.account
		switch {
		case foreign && like("/ns/"+rest, path):
			return maybe
		case !foreign && like(pattern, defaultTrust+path):
			return yes
		}
		return no
	}
	return t
}

// namespaceTrial asks for the namespace of an identity, in which "*" stands for any text.
func namespaceTrial(pattern string) trial {
	t := trial{key: "namespace " + pattern, holds: func(id identity) answer { return answerOf(glob(pattern, id.namespace), true) }}
	if !strings.Contains(pattern, "*") {
		t.namespace = pattern
	}
	return t
}

// glob says whether a text fits a pattern in which "*" stands for any text.
func glob(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	rest, found := strings.CutPrefix(text, parts[0])
	if !found {
		return false
	}
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(rest, part)
		if at < 0 {
			return false
		}
		rest = rest[at+len(part):]
	}
	return strings.HasSuffix(rest, last)
}

// accountTrial asks for a service account.
func accountTrial(namespace, account string) trial {
	return trial{"account " + namespace + "/" + account, namespace, func(id identity) answer {
		return answerOf(id == identity{namespace, account}, true)
	}}
}

// linkerdTrial asks for an identity of Linkerd, "ACCOUNT.NAMESPACE.serviceaccount.identity.linkerd.cluster.local";
// "*" before it stands for whatever does, and alone for anybody. Of another end than the usual it is
// not known whether it is the mesh's own.
func linkerdTrial(pattern string) trial {
	const middle, end = ".serviceaccount.identity.", "linkerd." + defaultTrust
	t := trial{key: "linkerd " + pattern}
	head, tail, whole := strings.Cut(pattern, middle)
	t.holds = func(id identity) answer {
		name := id.account + "." + id.namespace
		switch suffix, isSuffix := strings.CutPrefix(pattern, "*"); {
		case pattern == "*":
			return yes
		case isSuffix && !whole && strings.HasSuffix(name+middle+end, suffix):
			return yes
		case isSuffix && !whole:
			return maybe
		case !like(head, name):
			return no
		case tail == end:
			return yes
		}
		return maybe
	}
	if ns := strings.LastIndexByte(head, '.'); whole && ns >= 0 {
		t.namespace = head[ns+1:]
	}
	return t
}

// trials collects the questions that the policies of meshes ask, by namespace.
func (w *words) addTrials(objects []*fact.Object) {
	w.trials = map[string][]trial{}
	seen := map[string]bool{}
	add := func(t trial) {
		if !seen[t.key] {
			seen[t.key] = true
			w.trials[t.namespace] = append(w.trials[t.namespace], t)
		}
	}
	for _, o := range objects {
		switch o.Group() {
		case istioGroup:
			eachTrial(o, add)
		case linkerdGroup:
			eachLinkerdTrial(o, add)
		}
	}
	for _, list := range w.trials {
		slices.SortFunc(list, func(a, b trial) int { return cmp.Compare(a.key, b.key) })
	}
}

// istioTrials are the questions that a field with values asks; nil for fields that ask for no identity.
func istioTrials(field string, values document.Value, own string) []trial {
	var list []trial
	for _, v := range values.Items() {
		switch field {
		case "principals", "source.principal":
			list = append(list, principalTrial(v.Str()))
		case "namespaces", "source.namespace":
			list = append(list, namespaceTrial(v.Str()))
		case "serviceAccounts", "source.serviceAccount":
			namespace, account, both := strings.Cut(v.Str(), "/")
			if !both {
				namespace, account = own, namespace
			}
			list = append(list, accountTrial(namespace, account))
		}
	}
	return list
}

func eachTrial(o *fact.Object, add func(trial)) {
	own := fact.Place(o.Namespace)
	all := func(field string, values document.Value) {
		for _, t := range istioTrials(field, values, own) {
			add(t)
		}
	}
	for _, r := range o.Root.At("spec", "rules").Items() {
		for _, from := range r.Get("from").Items() {
			for _, pair := range sourceFields {
				all(pair[0], from.At("source", pair[0]))
				all(pair[0], from.At("source", pair[1]))
			}
		}
		for _, when := range r.Get("when").Items() {
			all(when.Get("key").Str(), when.Get("values"))
			all(when.Get("key").Str(), when.Get("notValues"))
		}
	}
}

// trialKey is equal for identities of which the policies hold the same.
func (w *words) trialKey(id identity) string {
	if key, known := w.tried[id]; known {
		return key
	}
	var b []byte
	for _, namespace := range []string{"", id.namespace} {
		for _, t := range w.trials[namespace] {
			if t.holds(id) != no {
				b = append(append(append(b, t.key...), byte(t.holds(id))), 0)
			}
		}
	}
	w.tried[id] = string(b)
	return string(b)
}

// identified are the pods whose identity is asked for, whether their connections carry it or not.
func (n *Network) identified(t trial) some {
	key := "identity " + t.key
	if s, known := n.selected[key]; known {
		return s
	}
	s := newSome(len(n.Endpoints))
	for id, list := range n.byIdentity {
		if t.namespace != "" && t.namespace != id.namespace {
			continue
		}
		a := t.holds(id)
		for _, i := range list {
			if e := n.Endpoints[i]; e.open {
				s.put(i, maybe) // whoever fills in its template says as whom it runs
			} else {
				s.put(i, a)
			}
		}
	}
	n.selected[key] = s
	return s
}
