// Package exception reads exceptions in their four spellings (a file, an Exception object, a comment
// beside the fault, an annotation of the object) into the one record that all of them mean,
// reads and writes baselines, and edits files of exceptions without touching what stands around.
// It decides nothing: internal/judge says what an exception excuses. Floor 1; cli imports it.
package exception

import (
	"fmt"
	"strings"
	"time"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/verdict"
)

// fault is something wrong in a record, with its place.
type fault struct {
	line, column int
	text, remedy string
}

// record reads one record, and faults what is wrong with it.
type record struct {
	exception verdict.Exception
	places    map[string]document.Value // of its fields
	faulty    map[string]bool           // the fields that have a fault
	faults    []fault
}

func (r *record) wrong(at document.Value, remedy, format string, args ...any) {
	line, column := at.Position()
	r.faults = append(r.faults, fault{line, column, fmt.Sprintf(format, args...), remedy})
}

// readRecord reads the fields of a record. home is the namespace that it is for when it names none.
func readRecord(v document.Value, home string) *record {
	r := &record{places: map[string]document.Value{}, faulty: map[string]bool{}}
	if v.Kind() != document.Map {
		r.wrong(v, "Write rules, a scope, owner, reason and expires.", "an exception is of type %s, not a map", v.Kind())
		return r
	}
	for key, at := range v.Fields() {
		r.places[key] = at
		before := len(r.faults)
		r.field(key, at)
		r.faulty[key] = len(r.faults) > before
	}
	if _, named := r.places["namespace"]; !named {
		r.exception.Namespace = home
	}
	scope := false
	for _, key := range []string{"rules", "fingerprints", "selector", "namespace", "image", "atMost"} {
		scope = scope || r.faulty[key]
	}
	for _, p := range r.exception.Problems() {
		field, _, _ := strings.Cut(p.Field, ".")
		if r.faulty[field] || field == "scope" && scope {
			continue // what seems to be missing is only written wrongly
		}
		at, found := r.places[field]
		if !found {
			at = v
		}
		r.wrong(at, p.Remedy, "%s", p.Text)
	}
	return r
}

const fieldNames = "rules, fingerprints, selector, namespace, container, image, atMost, owner, reason, expires, ticket"

func (r *record) field(key string, at document.Value) {
	e := &r.exception
	switch key {
	case "rules":
		e.Rules = r.list(key, at)
	case "fingerprints":
		e.Fingerprints = r.list(key, at)
	case "selector":
		r.selector(at)
	case "namespace":
		e.Namespace = r.text(key, at)
	case "container":
		e.Container = r.text(key, at)
	case "image":
		e.Image = r.text(key, at)
	case "atMost":
		n, ok := at.Int()
		if !ok || n < 1 || n > 1<<30 {
			r.wrong(at, "Write a number of findings, 1 or more.", "atMost is no number from 1")
			return
		}
		e.AtMost = int(n)
	case "owner":
		e.Owner = r.text(key, at)
	case "reason":
		e.Reason = r.text(key, at)
	case "ticket":
		e.Ticket = r.text(key, at)
	case "expires":
		day, err := Day(r.text(key, at))
		if err != nil && at.Kind() == document.String {
			r.wrong(at, "Write a day: 2027-01-31.", "expires: %v", err)
		}
		e.Expires = day
	default:
		r.wrong(at, "Its fields are "+fieldNames+".", "unknown key %q", short(key))
	}
}

func (r *record) selector(v document.Value) {
	if v.Kind() != document.Map {
		r.wrong(v, "Write kind and name, or labels.", "selector is of type %s, not a map", v.Kind())
		return
	}
	if v.Len() == 0 {
		r.wrong(v, "Write kind and name, or labels; an empty selector would select everything.", "selector is empty")
	}
	s := &r.exception.Selector
	for key, at := range v.Fields() {
		switch key {
		case "kind":
			s.Kind = r.text("selector.kind", at)
		case "name":
			s.Name = r.text("selector.name", at)
		case "labels":
			if at.Kind() != document.Map || at.Len() == 0 {
				r.wrong(at, "Write at least one label with its value; an empty selector would select everything.", "selector.labels holds no label")
			}
			s.Labels = map[string]string{}
			for name, value := range at.Fields() {
				if value.Kind() != document.String {
					r.wrong(value, "Put the value in quotes.", "selector.labels.%s is of type %s, not a string", short(name), value.Kind())
				}
				s.Labels[name] = value.Str()
			}
		default:
			r.wrong(at, "Its fields are kind, name, labels.", "unknown key %q in selector", short(key))
		}
	}
}

// text is a field's text; an empty one would be no scope and no word.
func (r *record) text(key string, at document.Value) string {
	if at.Kind() != document.String {
		r.wrong(at, "Write "+key+" as a text; put it in quotes.", "%s is of type %s, not a string", key, at.Kind())
		return ""
	}
	text := strings.TrimSpace(at.Str())
	if text == "" {
		r.wrong(at, "Fill it in, or leave the key out.", "%s is empty", key)
	}
	return text
}

func (r *record) list(key string, at document.Value) []string {
	if at.Kind() != document.List || at.Len() == 0 {
		r.wrong(at, "Write a list: ["+key+" go here].", "%s is no list with something in it", key)
		return nil
	}
	list := make([]string, 0, at.Len())
	for _, item := range at.Items() {
		text := item.Str()
		if text == "" { // a fingerprint of digits alone reads as a number
			r.wrong(item, "Put it in quotes, as it stands in the report.", "an item of %s is of type %s, not a string", key, item.Kind())
			continue
		}
		list = append(list, text)
	}
	return list
}

// Day reads the moment on which an exception ends: a day ends it as it begins, in UTC.
func Day(text string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no day like 2027-01-31", short(text))
}

// short bounds what outside text puts into a message.
func short(s string) string {
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}

// refused is the record as the judge is to see it: with the faults as the reason why it counts for
// nothing.
func refused(e verdict.Exception, faults []fault) verdict.Exception {
	if len(faults) == 0 {
		return e
	}
	texts := make([]string, 0, len(faults))
	for _, f := range faults {
		texts = append(texts, f.text)
	}
	e.Fault, e.Remedy = strings.Join(texts, "; "), faults[0].remedy
	return e
}
