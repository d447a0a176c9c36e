package enforcement

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/rule"
)

// What a plan's file says of itself.
const (
	Kind       = "Enforcement"
	apiVersion = "coaming.dev/v1alpha1"
)

// maxPlan bounds a plan's file, in bytes: a ConfigMap holds 1 MiB.
const maxPlan = 1 << 20

// defaultTimeout and maxTimeout are how long the API server waits for the webhook, in seconds.
const (
	defaultTimeout = 2
	maxTimeout     = 3
)

// Read reads a plan's file. Every fault is reported at once, with its place and what to do; a file with
// a fault is no plan. Whether there are the rules that it speaks of it does not ask: ReadFor does.
func Read(name, text string) (*Plan, error) { return read(name, text, nil) }

// ReadFor reads a plan's file as Read does, and refuses as well what speaks of rules that are none of these, and entries that are for
// none: a plan of which a part holds nowhere would look like one that holds.
func ReadFor(name, text string, rules []*rule.Rule) (*Plan, error) {
	return read(name, text, func(r *reader) { r.check(rules) })
}

func read(name, text string, also func(*reader)) (*Plan, error) {
	r := &reader{plan: &Plan{file: name, fits: &sync.Map{}}}
	if len(text) > maxPlan {
		return nil, fmt.Errorf("%s: the plan has %d bytes, over %d. Use globs and selectors in the place of long lists", name, len(text), maxPlan)
	}
	t, bad := document.Decode(text)
	if bad != nil {
		return nil, r.told(fault{bad.Line, bad.Column, bad.Message, bad.Remedy})
	}
	docs, errs := document.Read(t, 1)
	for _, e := range errs {
		r.faults = append(r.faults, fault{e.Line, e.Column, e.Message, e.Remedy})
	}
	for _, d := range docs {
		if doubt := d.Doubt(); doubt != nil {
			r.faults = append(r.faults, fault{doubt.Line, doubt.Column, doubt.Message, doubt.Remedy})
		}
	}
	switch {
	case len(errs) > 0:
	case len(docs) == 0:
		r.faults = append(r.faults, fault{1, 1, "there is no plan", "Write apiVersion: " + apiVersion + ", kind: " + Kind + " and a spec."})
	default:
		r.document(docs[0].Root())
		for _, d := range docs[1:] {
			r.wrong(d.Root(), "Write one plan; its entries say what holds where.", "a second document")
		}
		if also != nil {
			also(r)
		}
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return r.plan, nil
}

// fault is something wrong in a plan, with its place.
type fault struct {
	line, column int
	text, remedy string
}

// reader reads one file, and faults what is wrong with it.
type reader struct {
	plan   *Plan
	faults []fault
}

func (r *reader) wrong(at document.Value, remedy, format string, args ...any) {
	line, column := at.Position()
	r.faults = append(r.faults, fault{line, column, fmt.Sprintf(format, args...), remedy})
}

func (r *reader) told(f fault) error {
	return fmt.Errorf("%s:%d:%d: %s. %s", r.plan.file, max(f.line, 1), max(f.column, 1), f.text, f.remedy)
}

// err is all faults in the order of the text.
func (r *reader) err() error {
	slices.SortStableFunc(r.faults, func(a, b fault) int { return cmp.Or(a.line-b.line, a.column-b.column) })
	errs := make([]error, 0, len(r.faults))
	for _, f := range r.faults {
		errs = append(errs, r.told(f))
	}
	return errors.Join(errs...)
}

// fields reads a map: known says which keys it may have, and read takes each.
func (r *reader) fields(v document.Value, what, known string, read func(key string, at document.Value) bool) {
	if v.Kind() != document.Map {
		r.wrong(v, "Its fields are "+known+".", "%s is of type %s, not a map", what, v.Kind())
		return
	}
	for key, at := range v.Fields() {
		if !read(key, at) {
			r.wrong(at, "Its fields are "+known+".", "unknown key %q in %s", short(key), what)
		}
	}
}

func (r *reader) document(root document.Value) {
	missing := map[string]bool{"apiVersion": true, "kind": true, "spec": true}
	r.fields(root, "the plan", "apiVersion, kind, metadata, spec", func(key string, at document.Value) bool {
		delete(missing, key)
		switch key {
		case "apiVersion":
			if at.Str() != apiVersion {
				r.wrong(at, "Write "+apiVersion+".", "apiVersion is %q", short(at.Text()))
			}
		case "kind":
			if at.Str() != Kind {
				r.wrong(at, "Write "+Kind+".", "kind is %q", short(at.Text()))
			}
		case "metadata":
			r.plan.Name = at.Get("name").Str() // the rest is the API server's, where the plan is an object
		case "spec":
			r.spec(at)
		default:
			return false
		}
		return true
	})
	if root.Kind() != document.Map {
		return
	}
	for _, key := range []string{"apiVersion", "kind", "spec"} {
		if missing[key] {
			r.wrong(root, "Write apiVersion: "+apiVersion+", kind: "+Kind+" and a spec.", "%s is missing", key)
		}
	}
}

const specFields = "mode, onError, timeoutSeconds, webhook, excludeNamespaces, rules, images, mutations, quotas, podSecurity"

func (r *reader) spec(v document.Value) {
	p := r.plan
	p.Default = Setting{Mode: Audit, Timeout: defaultTimeout * time.Second}
	p.Excluded = slices.Clone(SystemNamespaces)
	var images document.Value
	r.fields(v, "spec", specFields, func(key string, at document.Value) bool {
		switch key {
		case "mode":
			p.Default.Mode = r.mode(at)
		case "onError":
			p.Default.Fail = r.onError(at)
		case "timeoutSeconds":
			p.Default.Timeout = r.seconds(key, at, 1, maxTimeout)
		case "webhook":
			p.Rest = r.word(key, at, []string{"all", "rest"}) == 1
		case "excludeNamespaces":
			p.Excluded = append(p.Excluded, r.namespaces(key, at)...)
		case "rules":
			r.entries(key, at, func(item document.Value) { p.Entries = append(p.Entries, r.entry(item)) })
		case "images":
			images = at // its waits are held to the timeout, which may stand below
		case "mutations":
			r.mutations(at)
		case "quotas":
			r.entries(key, at, func(item document.Value) { p.Quotas = append(p.Quotas, r.quota(item)) })
		case "podSecurity":
			r.entries(key, at, func(item document.Value) { p.PodSecurity = append(p.PodSecurity, r.podSecurity(item)) })
		default:
			return false
		}
		return true
	})
	slices.Sort(p.Excluded)
	p.Excluded = slices.Compact(p.Excluded)
	switch images.Kind() {
	case document.Missing:
	case document.Map: // one entry
		p.Images = append(p.Images, r.image(images))
	default:
		r.entries("images", images, func(item document.Value) { p.Images = append(p.Images, r.image(item)) })
	}
}

// maxEntries bounds each list of entries: every one is asked about every namespace.
const maxEntries = 1000

func (r *reader) entries(key string, v document.Value, read func(item document.Value)) {
	switch k := v.Kind(); {
	case k == document.Null:
	case k != document.List:
		r.wrong(v, "Write each entry as an item: - …", "%s is of type %s, not a list", key, k)
	case v.Len() > maxEntries:
		r.wrong(v, "Use globs and selectors.", "%s has %d entries, over %d", key, v.Len(), maxEntries)
	default:
		for _, item := range v.Items() {
			read(item)
		}
	}
}

// short bounds what outside text puts into a message.
func short(s string) string {
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}

func spot(v document.Value) Spot {
	line, column := v.Position()
	return Spot{line, column}
}
