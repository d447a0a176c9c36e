package admission

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
)

// What an AdmissionReview says of itself (k8s.io/api/admission/v1).
const (
	reviewVersion = "admission.k8s.io/v1"
	reviewKind    = "AdmissionReview"
)

// maxUID bounds what is sent back as it came.
const maxUID = 256

// Refused is the error of a review that is none: whoever sent it is no API server, or of another version. Where a review names a
// request whose object cannot be read, Validate decides all the same.
type Refused struct {
	err error

	named   *glance // what names the request; nil where nothing does
	trouble Trouble // why its object is not read
}

// Error says what is wrong with it.
func (e *Refused) Error() string { return e.err.Error() }

// Unwrap is the cause.
func (e *Refused) Unwrap() error { return e.err }

func refused(format string, args ...any) error { return &Refused{err: fmt.Errorf(format, args...)} }

// request is the part of an AdmissionRequest by which is decided.
type request struct {
	uid, operation, subResource string
	namespace, name             string
	dryRun                      bool
	object, old                 document.Value
	kind                        string // "Kind" or "Kind.group" of the object
	size                        int    // of the review, in bytes
	unread                      bool   // nobody read the objects
}

// readReview reads a review. What is no review of the one version that is understood is Refused.
func readReview(body string) (*request, error) {
	if strings.TrimSpace(body) == "" {
		return nil, refused("the request has no body; want an AdmissionReview of %s", reviewVersion)
	}
	doc, bad := asTold(body)
	if bad != nil {
		var err error
		if doc, err = readAgain(body, bad); err != nil {
			return nil, err
		}
	}
	root := doc.Root()
	if version, kind := root.Get("apiVersion").Str(), root.Get("kind").Str(); version != reviewVersion || kind != reviewKind {
		return nil, refused("the body is %q of %q; want %s of %s (admissionReviewVersions: [v1])", short(kind), short(version), reviewKind, reviewVersion)
	}
	r := root.Get("request")
	q := &request{
		size: len(body), uid: r.Get("uid").Str(), operation: r.Get("operation").Str(), subResource: r.Get("subResource").Str(),
		namespace: r.Get("namespace").Str(), name: r.Get("name").Str(), dryRun: r.Get("dryRun").Bool(),
		object: r.Get("object"), old: r.Get("oldObject"),
	}
	if r.Kind() != document.Map {
		return nil, refused("the review has no request")
	}
	if err := q.named(); err != nil || !q.changes() {
		return q, err
	}
	return q, q.check(r.Get("kind"))
}

// named demands what an answer needs.
func (q *request) named() error {
	switch {
	case q.uid == "" || len(q.uid) > maxUID:
		return refused("the request has no uid of at most %d bytes", maxUID)
	case !known(q.operation):
		return refused("the operation is %q; want CREATE, UPDATE, DELETE or CONNECT", short(q.operation))
	}
	return nil
}

// readAgain reads a body that could not be read, without what nobody judges. Where its object cannot be read all the same, the error
// holds what names the request.
func readAgain(body string, bad *document.Error) (*document.Doc, error) {
	g := glanceAt(body)
	if g.whole && len(g.managed) > 0 {
		doc, again := asTold(g.unmanaged(body))
		if again == nil {
			return doc, nil
		}
		bad = again
	}
	text := "the body is no JSON that can be read: line %d, column %d: %s"
	if bad.Code == document.CodeDuplicate {
		text = "the body says a thing twice: line %d, column %d: %s"
	}
	err := &Refused{err: fmt.Errorf(text, bad.Line, bad.Column, bad.Message)}
	if g.whole && g.tellsRequest() {
		err.named, err.trouble = g, unreadable(bad)
	}
	return nil, err
}

// tellsRequest says whether a review can be answered by what names its request.
func (g *glance) tellsRequest() bool {
	return g.named && !g.twice && g.version == reviewVersion && g.kind == reviewKind && g.of.kind != "" && g.q.named() == nil
}

func known(operation string) bool {
	switch operation {
	case "CREATE", "UPDATE", "DELETE", "CONNECT":
		return true
	}
	return false
}

// changes says whether there is an object afterwards that was not there, or not so, before. A status says what is, and is the word of
// those that look; but who writes it may write labels and annotations with it, as internal/policy tells.
func (q *request) changes() bool {
	switch q.operation {
	case "CREATE":
		return true
	case "UPDATE":
		return q.subResource != "status" || q.relabels()
	}
	return false
}

// relabels says whether labels or annotations of an object that was there change.
func (q *request) relabels() bool {
	for _, key := range []string{"labels", "annotations"} {
		before, after := q.old.At("metadata", key), q.object.At("metadata", key)
		if before.Exists() != after.Exists() || after.Exists() && !same(after, before) {
			return true
		}
	}
	return false
}

// check demands that the object is what the request says that it is: a rule on pods would not look at what only calls itself
// something else.
func (q *request) check(kind document.Value) error {
	if q.object.Kind() != document.Map {
		return refused("the %s of the request has no object", q.operation)
	}
	if q.operation == "UPDATE" && q.old.Kind() != document.Map {
		return refused("the UPDATE of the request has no oldObject")
	}
	version := kind.Get("version").Str()
	if group := kind.Get("group").Str(); group != "" {
		version = group + "/" + version
	}
	for _, o := range []document.Value{q.object, q.old} {
		if o.Kind() != document.Map {
			continue
		}
		if got, is := o.Get("apiVersion").Str(), o.Get("kind").Str(); got != version || is != kind.Get("kind").Str() || is == "" {
			return refused("the object is %q of %q, and the request is about %q of %q", short(is), short(got), short(kind.Get("kind").Str()), short(version))
		}
	}
	q.kind = fact.NewObject(q.object, nil).GroupKind()
	return nil
}

// origin is where objects of requests come from.
var origin = &fact.Origin{Source: "admission", File: "request", Served: true}

// subject is the object, as rules see it: in the namespace that the request is for, whatever it says of itself.
func (q *request) subject(v document.Value) *fact.Object {
	o := fact.NewObject(v, origin)
	if o.Namespace = q.namespace; q.kind == "Namespace" {
		o.Namespace = ""
	}
	if o.Name == "" {
		o.Name = q.name
	}
	return o
}

// settled says whether nothing changes but what Kubernetes keeps of an object for itself: its finalizers could not be taken off
// otherwise. That an object is being deleted frees it of nothing else, for a finalizer keeps it in force as long as its owner likes.
func (q *request) settled() bool {
	return q.operation == "UPDATE" && q.subResource == "" && sameBut(q.object, q.old, func(key string) bool { return key == "metadata" }) &&
		sameBut(q.object.Get("metadata"), q.old.Get("metadata"), func(key string) bool { return slices.Contains(keptForItself, key) })
}

// keptForItself are the fields of metadata by which the API server and its controllers keep account of an object; internal/policy
// has the same list for its policies.
var keptForItself = []string{"finalizers", "ownerReferences", "managedFields", "resourceVersion", "generation", "deletionTimestamp", "deletionGracePeriodSeconds"}

// sameBut says whether two maps are the same but for some keys.
func sameBut(a, b document.Value, but func(key string) bool) bool {
	if a.Kind() != document.Map || b.Kind() != document.Map {
		return false
	}
	for key, value := range a.Fields() {
		if !but(key) && !same(value, b.Get(key)) {
			return false
		}
	}
	for key := range b.Fields() {
		if !but(key) && !a.Get(key).Exists() {
			return false
		}
	}
	return true
}

// same says whether two values are the same, in whatever order their fields stand.
func same(a, b document.Value) bool {
	return b.Exists() && a.Nodes() == b.Nodes() && bytes.Equal(a.AppendSorted(nil), b.AppendSorted(nil))
}

// leaving says whether the object was being deleted before the request: there is nothing to change for the better in it.
func (q *request) leaving() bool {
	return q.operation == "UPDATE" && q.old.At("metadata", "deletionTimestamp").Kind() > document.Null
}

// place is where the request is: a Namespace is a place itself.
func (d *Desk) place(q *request) enforcement.Place {
	at := enforcement.Place{Namespace: q.namespace}
	switch {
	case q.kind == "Namespace":
		at = enforcement.Place{Namespace: q.object.At("metadata", "name").Str(), Labels: map[string]string{}, LabelsKnown: !q.unread}
		if at.Namespace == "" {
			at.Namespace = q.name
		}
		for key, value := range q.object.At("metadata", "labels").Fields() {
			at.Labels[key] = value.Str()
		}
	case q.namespace == "":
		at.LabelsKnown = true // what belongs to no namespace has none to look up
	case d.Surroundings != nil:
		at.Labels, at.LabelsKnown = d.Surroundings.Labels(q.namespace)
	}
	return at
}

// short bounds what outside text puts into a message.
func short(s string) string {
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}

// IsRefused says whether an error is that of a review that is none.
func IsRefused(err error) bool {
	_, is := errors.AsType[*Refused](err)
	return is
}
