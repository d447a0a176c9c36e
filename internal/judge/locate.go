package judge

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// locate says which object a finding is about and where in it and in the input the fault stands. It gives the path as the fingerprint
// keeps it.
func (w *worker) locate(f *verdict.Finding, r *rule.Compiled, m matched, item document.Value, steps []document.Step) string {
	o := m.object
	f.Subject = verdict.Subject{APIVersion: o.APIVersion, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, Container: m.container}
	begin := append(slices.Clip(m.path), steps...)
	ofOwner := m.kind == "workload" && len(steps) == 0 && len(m.path) > 0 && !exists(item, r.At) && exists(o.Root, r.At)
	if ofOwner {
		begin = nil // what the template lacks is meant of its owner: metadata.name
	}
	for _, key := range r.At {
		begin = append(begin, document.Step{Key: key})
	}
	if m.workload != nil && !ofOwner {
		begin = m.workload.Place(begin)
	}
	shown, stable := w.pathOf(o.Root, begin)
	item = o.Root
	for n, step := range begin {
		next := w.walk.Follow(item, step)
		if !next.Exists() {
			begin = begin[:n]
			break
		}
		item = next
	}
	f.Path = shown
	f.Fingerprint = fingerprint(r.ID, &f.Subject, m.kind+" "+stable)
	f.Location, f.Excerpt = w.evidence(o, item, begin)
	for _, twin := range o.Twins {
		f.Also = append(f.Also, location(twin, w.walk.Follow(twin.Root, begin...)))
	}
	return stable
}

// evidence is where a value of an object stands, and the lines around it. What a server sent has
// no lines: there the value itself is shown.
func (w *worker) evidence(o *fact.Object, at document.Value, steps []document.Step) (verdict.Location, *verdict.Excerpt) {
	l := location(o, at)
	switch {
	case w.Terse:
		return l, nil
	case o.Origin.Served:
		return l, w.masker.fragment(o, at, steps)
	case l.Line == 0:
		return l, nil
	}
	return l, w.excerpt(o, at, l.Line, l.Column)
}

func location(o *fact.Object, at document.Value) verdict.Location {
	l := verdict.Location{Source: o.Origin.Source, File: o.Origin.File, Rendered: o.Origin.Rendered}
	if !o.Origin.Served {
		l.Line, l.Column = at.Position()
	}
	return l
}

func exists(v document.Value, path []string) bool { return v.At(path...).Exists() }

// pathOf is the path of steps from an object's root: as people read it, list items by name, and
// as fingerprints keep it, items without a name by their content.
func (w *worker) pathOf(root document.Value, steps []document.Step) (shown, stable string) {
	var people, prints [256]byte
	a, b := people[:0], prints[:0]
	v := root
	for _, s := range steps {
		if v.Kind() != document.List || s.Key != "" {
			a, b = document.AppendKey(a, s.Key), document.AppendKey(b, s.Key)
			v = w.walk.Follow(v, s)
			continue
		}
		v = w.walk.Follow(v, s)
		a = append(append(append(a, '['), document.ItemName(v, s.Index)...), ']')
		b = append(append(append(b, '['), itemMark(v, s.Index)...), ']')
	}
	return string(a), string(b)
}

// itemMark keeps a fingerprint when items change places. Scalars are marked by their place: they
// may be secrets, of which not even a hash is shown.
func itemMark(v document.Value, index int) string {
	switch name := v.Get("name").Str(); {
	case name != "":
		return name
	case v.Kind() == document.Map:
		sum := sha256.Sum256(v.AppendSorted(nil))
		return "#" + hex.EncodeToString(sum[:8])
	default:
		return strconv.Itoa(index)
	}
}

// fingerprint names the fault of an object: 16 hex digits of a SHA-256 over the rule, the
// object's identity without its API version, and the fault's path.
func fingerprint(ruleID string, s *verdict.Subject, path string) string {
	group, _, found := strings.Cut(s.APIVersion, "/")
	if !found {
		group = ""
	}
	var room [256]byte
	text := append(room[:0], ruleID...)
	for _, part := range [...]string{group, s.Kind, s.Namespace, s.Name, path} {
		text = append(append(text, 0), part...)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}
