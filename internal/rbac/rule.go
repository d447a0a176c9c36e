package rbac

import (
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// Rule is one rule of a role as it was written. What it allows is read as the API server reads it
// (k8s.io/kubernetes pkg/apis/rbac/v1 evaluation_helpers.go): there is no other reading in the product.
type Rule struct {
	Value document.Value
	// Object is the role where the rule is written: of an aggregated role, one of those that it draws
	// from. It is nil for a rule that was read by itself.
	Object *fact.Object
	// Elsewhere is set of a rule that an aggregated role draws from more than one place: taken out of Object,
	// it is in effect still.
	Elsewhere bool
}

// Query is one question to the API server.
type Query struct {
	Verb string
	// Group, Resource, Subresource and Name say what of; Name "" is any object, or none yet.
	Group, Resource, Subresource, Name string
	// Namespace is where; "" is everywhere, and the place of what belongs to no namespace.
	Namespace string
	// Wide is set of resources that belong to no namespace: what is bound in one namespace gives
	// nothing of them.
	Wide bool
	// URL is set for what is no resource: "/metrics".
	URL string
}

// What is the query's resource as people write it: "pods", "pods/exec", "deployments.apps/scale", or its URL.
func (q *Query) What() string {
	if q.URL != "" {
		return q.URL
	}
	text := q.Resource
	if q.Group != "" && q.Group != "*" {
		text += "." + q.Group
	}
	if q.Subresource != "" {
		text += "/" + q.Subresource
	}
	return text
}

func (q *Query) combined() string {
	if q.Subresource == "" {
		return q.Resource
	}
	return q.Resource + "/" + q.Subresource
}

// Allows says whether the rule alone allows what is asked.
func (r Rule) Allows(q *Query) bool {
	if q.URL != "" {
		return r.HasVerb(q.Verb) && r.HasURL(q.URL)
	}
	return r.HasVerb(q.Verb) && r.HasGroup(q.Group) && r.HasResource(q.combined()) && r.HasName(q.Name)
}

// HasVerb says whether the rule is for the verb.
func (r Rule) HasVerb(verb string) bool { return holds(r.Value.Get("verbs"), verb) }

// HasGroup says whether the rule is for resources of the API group.
func (r Rule) HasGroup(group string) bool { return holds(r.Value.Get("apiGroups"), group) }

// HasResource says whether the rule is for the resource, "pods" or "pods/exec". "pods" does not hold
// its subresources; "*" holds everything and "*/exec" that subresource of everything.
func (r Rule) HasResource(resource string) bool {
	list := r.Value.Get("resources")
	if holds(list, resource) {
		return true
	}
	_, sub, _ := strings.Cut(resource, "/")
	return sub != "" && hasText(list, "*/", sub)
}

// HasName says whether the rule is for objects of the name: all are where it names none. A request
// that names no object (list, create) has the name "".
func (r Rule) HasName(name string) bool {
	names := r.Value.Get("resourceNames")
	return names.Len() == 0 || hasText(names, "", name)
}

// HasURL says whether the rule is for the URL; one that ends in * is for all that begin so.
func (r Rule) HasURL(url string) bool {
	for _, item := range r.Value.Get("nonResourceURLs").Items() {
		text := item.Text()
		if text == url || strings.HasSuffix(text, "*") && strings.HasPrefix(url, strings.TrimRight(text, "*")) {
			return true
		}
	}
	return false
}

// Named says whether the rule is for objects of some names alone.
func (r Rule) Named() bool { return r.Value.Get("resourceNames").Len() > 0 }

func holds(list document.Value, want string) bool {
	return hasText(list, "", want) || hasText(list, "", "*")
}

// hasText says whether a list holds the text, of which the beginning is given apart. A null in a list
// of texts is the empty one, as the API server reads it.
func hasText(list document.Value, prefix, want string) bool {
	for _, item := range list.Items() {
		text := ""
		switch item.Kind() {
		case document.String:
			text = item.Text()
		case document.Null:
		default:
			continue
		}
		if len(text) == len(prefix)+len(want) && text[:len(prefix)] == prefix && text[len(prefix):] == want {
			return true
		}
	}
	return false
}

// ruleFields are the lists that a rule is made of.
var ruleFields = [...]string{"verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs"}

// Flaw says what of the rule the API server would refuse to read; "" for nearly all. What a rule with
// one allows nobody can say.
func (r Rule) Flaw() string {
	if r.Value.Kind() != document.Map {
		return "a rule is a " + r.Value.Kind().String() + " and no map"
	}
	for _, field := range ruleFields {
		list := r.Value.Get(field)
		if k := list.Kind(); k > document.Null && k != document.List {
			return field + " of a rule is a " + k.String() + " and no list"
		}
		for _, item := range list.Items() {
			if k := item.Kind(); k != document.String && k != document.Null {
				return field + " of a rule holds a " + k.String()
			}
		}
	}
	return ""
}

// Texts is one of the rule's lists: "verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs".
func (r Rule) Texts(field string) []string {
	list := r.Value.Get(field)
	if list.Len() == 0 {
		return nil
	}
	texts := make([]string, 0, list.Len())
	for _, item := range list.Items() {
		texts = append(texts, item.Text())
	}
	return texts
}

// Covers says whether everything that another rule allows this one allows too. It may say no where
// only a closer look would say yes.
func (r Rule) Covers(other Rule) bool {
	if !coversAll(other.Texts("verbs"), r.HasVerb) {
		return false
	}
	for _, url := range other.Texts("nonResourceURLs") {
		if !r.HasURL(url) {
			return false
		}
	}
	if other.Value.Get("resources").Len() == 0 {
		return true
	}
	if r.Named() && (!other.Named() || !coversAll(other.Texts("resourceNames"), r.HasName)) {
		return false
	}
	return coversAll(other.Texts("apiGroups"), r.HasGroup) && coversAll(other.Texts("resources"), r.hasPattern)
}

// hasPattern takes "*/exec" for what it stands for.
func (r Rule) hasPattern(resource string) bool {
	list := r.Value.Get("resources")
	if strings.HasPrefix(resource, "*/") {
		return holds(list, resource)
	}
	return r.HasResource(resource)
}

// coversAll asks has of every text. A wildcard is covered by a wildcard alone, which has says of itself.
func coversAll(texts []string, has func(string) bool) bool {
	for _, text := range texts {
		if !has(text) {
			return false
		}
	}
	return true
}
