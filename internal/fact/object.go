// Package fact is the vocabulary of what was seen: objects, workloads, and the inventory that
// holds them with its indexes. It observes and never judges: no rule, severity or verdict is known
// here.
package fact

import (
	"strings"

	"github.com/coaming/coaming/internal/document"
)

// Origin says where an object was read.
type Origin struct {
	// Source says what was read: "files", "helm:RELEASE", "kustomize:DIR", "cluster:CONTEXT", "archive:FILE".
	Source string
	// File is the path as it was given, with slashes; for a cluster the object's API path.
	File string
	// Rendered is set when the text was made from File by a chart or an overlay.
	Rendered bool
	// Served is set when a server sent the object, now or when a snapshot was taken: there is no
	// file whose lines a person could look up.
	Served bool
}

// Object is one Kubernetes object, of any kind. Immutable.
type Object struct {
	Root       document.Value
	APIVersion string
	Kind       string
	Namespace  string // as written; "" for cluster-scoped objects and for those that leave it open
	Name       string // metadata.name, else metadata.generateName
	Origin     *Origin
	// Doubt says why the object as read may not be the object as meant (a key given twice); ""
	// for nearly all. What passes on a doubtful object is unknown.
	Doubt string
	// Twins are the equal objects that were read elsewhere, as when two overlays share a base; they
	// are judged through this one.
	Twins []*Object
	// Replicas counts what was read, is judged through this object (a controller's pods and what stands
	// between them; of a pod, those equal to it but for their name and place) and was not kept.
	Replicas int
	// Made is set where the API server says that one of Kubernetes' own controllers sent the object: its owners are then its owners, and
	// not what somebody wrote.
	Made bool
}

// NewObject reads the identity of a map that has apiVersion and kind.
func NewObject(root document.Value, origin *Origin) *Object {
	meta := root.Get("metadata")
	name := meta.Get("name").Str()
	if name == "" {
		name = meta.Get("generateName").Str()
	}
	return &Object{
		Root:       root,
		APIVersion: root.Get("apiVersion").Str(),
		Kind:       root.Get("kind").Str(),
		Namespace:  meta.Get("namespace").Str(),
		Name:       name,
		Origin:     origin,
	}
}

// Group is the API group, "" for the core group.
func (o *Object) Group() string {
	group, _, found := strings.Cut(o.APIVersion, "/")
	if !found {
		return ""
	}
	return group
}

// GroupKind is "Kind" for the core group, else "Kind.group".
func (o *Object) GroupKind() string {
	group := o.Group()
	if group == "" {
		return o.Kind
	}
	return o.Kind + "." + group
}

// Labels is metadata.labels.
func (o *Object) Labels() document.Value { return o.Root.At("metadata", "labels") }

// content is equal for objects of one identity that are equal.
func (o *Object) content() string {
	return string(o.Root.AppendSorted([]byte(o.APIVersion + "\x00" + o.Namespace + "\x00" + o.Doubt + "\x00")))
}
