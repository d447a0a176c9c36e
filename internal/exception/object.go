package exception

import (
	"fmt"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// Kind is the kind of Exception objects; deploy/crd/exceptions.yaml defines it.
const Kind = "Exception.coaming.dev"

// apiVersion is the one version of it.
const apiVersion = "coaming.dev/v1alpha1"

// SystemNamespace is the namespace whose Exception objects reach everywhere. All others reach only
// objects of their own namespace, so that a right to create them there grants nothing elsewhere.
const SystemNamespace = "coaming-system"

// fromObject reads an Exception object: its spec is the record.
func fromObject(o *fact.Object) (verdict.Exception, []fault) {
	r := &record{}
	if o.GroupKind() != Kind || o.APIVersion != apiVersion {
		r.wrong(o.Root, "Write apiVersion: "+apiVersion+" and kind: Exception.", "%s %s is no exception", short(o.APIVersion), short(o.Kind))
		return r.exception, r.faults
	}
	home := fact.Place(o.Namespace)
	if home == SystemNamespace {
		home = ""
	}
	for key, at := range o.Root.Fields() {
		switch key {
		case "apiVersion", "kind", "metadata", "status":
		case "spec":
			r = readRecord(at, home)
		default:
			r.wrong(at, "The record stands below spec.", "unknown key %q", short(key))
		}
	}
	if !o.Root.Get("spec").Exists() {
		r.wrong(o.Root, "Write the record below spec.", "spec is missing")
		return r.exception, r.faults
	}
	if e := &r.exception; home != "" && e.Namespace != home {
		at := o.Root.At("spec", "namespace")
		r.wrong(at, "Put it into the namespace that it is for, or into "+SystemNamespace+".",
			"an Exception in namespace %s cannot reach namespace %s", short(home), short(e.Namespace))
	}
	if o.Doubt != "" {
		r.faults = append(r.faults, fault{text: "it may not be what is meant: " + o.Doubt, remedy: "Mend it."})
	}
	return r.exception, r.faults
}

// Of is the exceptions that stand in what was read, in its order: the Exception objects (of a cluster,
// and with inline of manifests), and with inline the annotations and comments. What is wrong
// with one is its Fault.
func Of(objects []*fact.Object, inline, cluster bool) []verdict.Exception {
	var list []verdict.Exception
	marked := map[*document.Doc][]*fact.Object{}
	var docs []*document.Doc
	var last *document.Doc // the objects of one document follow each other
	holds := false
	for _, o := range objects {
		served := o.Origin != nil && o.Origin.Served
		if o.Kind == "Exception" && o.GroupKind() == Kind && (served && cluster || !served && inline) {
			e, faults := fromObject(o)
			e.Grant, e.Location = verdict.GrantManifest, placeOf(o, o.Root)
			if served {
				e.Grant = verdict.GrantCluster
			}
			list = append(list, refused(e, faults))
		}
		if !inline {
			continue
		}
		list = append(list, annotations(o)...)
		if served {
			continue
		}
		d := o.Root.Doc()
		if d != last {
			if last, holds = d, d.MayComment(marker); holds && marked[d] == nil {
				docs = append(docs, d)
			}
		}
		if holds {
			marked[d] = append(marked[d], o)
		}
	}
	for _, d := range docs {
		list = append(list, comments(d, marked[d])...)
	}
	return list
}

// placeOf is where a value of an object stands.
func placeOf(o *fact.Object, at document.Value) verdict.Location {
	l := verdict.Location{}
	if o.Origin == nil {
		return l
	}
	l.Source, l.File, l.Rendered = o.Origin.Source, o.Origin.File, o.Origin.Rendered
	if !o.Origin.Served {
		l.Line, l.Column = at.Position()
	}
	return l
}

// Check refuses exceptions for rules that do not exist. nearest suggests what was meant.
func Check(list []verdict.Exception, known map[string]bool, nearest func(string) string) {
	for i := range list {
		e := &list[i]
		for _, id := range e.Rules {
			if e.Fault == "" && !known[id] {
				e.Fault = fmt.Sprintf("there is no rule %q%s", short(id), nearest(id))
				e.Remedy = "Correct the id, or remove it; 'coaming rules' lists what there is."
			}
		}
	}
}
