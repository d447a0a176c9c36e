package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
)

// What people and Coaming say of mutations on an object.
const (
	optOut        = "coaming.dev/mutate" // "off", or a list of what not: "pin,sidecars"
	pinAnnotation = "coaming.dev/pinned" // what was pinned, and why
	pinWord       = "pin"
)

// Patch answers a review with what is to be changed. It refuses nothing. An error is Refused, and there is no answer.
func (d *Desk) Patch(ctx context.Context, body string) ([]byte, *Outcome, error) {
	q, err := readReview(body)
	if err != nil {
		return nil, nil, err
	}
	out := &Outcome{Allowed: true}
	r := response{UID: q.uid, Allowed: true}
	if q.changes() && q.subResource != "status" { // which touches nothing that could be changed for the better
		if at := d.place(q); !d.Plan.Excludes(at.Namespace) && !q.leaving() && !q.settled() {
			if operations := d.patch(q.about(ctx), q, at, out); len(operations) > 0 {
				if r.Patch, err = json.Marshal(operations); err != nil {
					return nil, nil, fmt.Errorf("write the patch: %w", err)
				}
				r.PatchType = "JSONPatch"
			}
		}
	}
	r.Warnings, r.AuditAnnotations = out.Warnings, out.Notes
	return r.bytes(), out, nil
}

// patch pins images first, and then lets the others change what that leaves.
func (d *Desk) patch(ctx context.Context, q *request, at enforcement.Place, out *Outcome) []Operation {
	o := q.subject(q.object)
	if q.operation == "UPDATE" && d.Drift != nil {
		for _, line := range d.Drift(o, at) {
			out.Drifted++
			out.note("drift", line)
			out.warn(line, "Have its controller make it anew.")
		}
	}
	operations := d.pin(ctx, q, o, at)
	if d.Mutate == nil {
		return operations
	}
	if len(operations) > 0 {
		out.note("pinned", operations[len(operations)-1].text())
		pinned, err := patched(o, operations)
		if err != nil {
			out.note("unpinned", err.Error())
			operations = nil
		} else {
			o = pinned
		}
	}
	more, err := d.Mutate(ctx, o, at)
	if err != nil {
		out.note("not-mutated", err.Error())
		out.warn("not everything was changed that the plan wants: "+err.Error(), "")
	}
	return append(operations, more...)
}

func (op *Operation) text() string { return fmt.Sprint(op.Value) }

// pin gives images the digest that their tag names now, where it is known.
func (d *Desk) pin(ctx context.Context, q *request, o *fact.Object, at enforcement.Place) []Operation {
	if d.Clearance == nil || !d.Plan.ImagesAt(at).Pin || optedOut(o, pinWord) {
		return nil
	}
	// What a controller made is held to what it was made of: changed, it would be made anew without end. Its pods are pinned instead.
	if owner, _ := fact.Controller(o); owner != "" && o.GroupKind() != "Pod" {
		return nil
	}
	var before []string
	if q.operation == "UPDATE" {
		before = imagesOf(q.subject(q.old))
	}
	var wanted []string
	for _, image := range imagesOf(o) {
		if !strings.Contains(image, "@") && !slices.Contains(before, image) {
			wanted = append(wanted, image)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	digests := map[string]string{}
	for i, c := range d.Clearance.Clear(ctx, wanted, at) {
		if i < len(wanted) && isDigest(c.Digest) {
			digests[wanted[i]] = c.Digest
		}
	}
	return pinning(o, digests)
}

// isDigest says whether a text is a digest as references to images name it.
func isDigest(text string) bool {
	algorithm, hex, found := strings.Cut(text, ":")
	return found && algorithm != "" && len(hex) >= 32 && strings.Trim(hex, "0123456789abcdef") == ""
}

// pinning is the patch for images with known digests, its last operation the annotation that tells why.
func pinning(o *fact.Object, digests map[string]string) []Operation {
	var list []Operation
	var reasons []string
	for _, w := range fact.NewInventory([]*fact.Object{o}, "", true).Workloads {
		for i := range w.Containers {
			c := &w.Containers[i]
			image := c.Value.Get("image").Str()
			digest := digests[image]
			if digest == "" {
				continue
			}
			steps := append(slices.Clip(w.Path), document.Step{Key: c.Field}, document.Step{Index: c.Index}, document.Step{Key: "image"})
			list = append(list, Operation{Op: "replace", Path: pointer(w.Place(steps)), Value: image + "@" + digest})
			reasons = append(reasons, c.Name+": "+image+" named "+digest)
		}
	}
	if len(list) == 0 {
		return nil
	}
	note := Operation{Op: "add", Path: "/metadata/annotations/" + strings.ReplaceAll(pinAnnotation, "/", "~1"), Value: strings.Join(reasons, "; ")}
	if o.Root.At("metadata", "annotations").Kind() != document.Map {
		list = append(list, Operation{Op: "add", Path: "/metadata/annotations", Value: map[string]string{}})
	}
	return append(list, note)
}

// pointer is a path as a JSON pointer (RFC 6901).
func pointer(steps []document.Step) string {
	var text strings.Builder
	for _, s := range steps {
		text.WriteByte('/')
		if s.Key == "" {
			text.WriteString(strconv.Itoa(s.Index))
			continue
		}
		text.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(s.Key))
	}
	return text.String()
}

// optedOut says whether an object's annotation, or that of its pods, asks for no change of that kind.
func optedOut(o *fact.Object, word string) bool {
	off := func(annotations document.Value) bool {
		for part := range strings.SplitSeq(annotations.Get(optOut).Str(), ",") {
			if part = strings.TrimSpace(part); part == "off" || part == word {
				return true
			}
		}
		return false
	}
	if off(o.Root.At("metadata", "annotations")) {
		return true
	}
	for _, w := range fact.NewInventory([]*fact.Object{o}, "", true).Workloads {
		if off(w.Annotations()) {
			return true
		}
	}
	return false
}

// patched is the object as the operations leave it: images and an annotation, as pin makes them.
func patched(o *fact.Object, operations []Operation) (*fact.Object, error) {
	doc, bad := document.ParseJSON(string(o.Root.AppendJSON(nil)))
	if bad != nil {
		return nil, fmt.Errorf("read the object again: %w", bad)
	}
	draft, err := doc.Edit()
	if err != nil {
		return nil, fmt.Errorf("change a copy: %w", err)
	}
	for _, op := range operations {
		text, isText := op.Value.(string)
		if !isText {
			continue // the map that the annotation is put into
		}
		value, bad := document.ParseJSON(string(document.AppendString(nil, text)))
		if bad != nil {
			return nil, fmt.Errorf("write %s: %w", op.Path, bad)
		}
		if err := draft.Set(stepsOf(op.Path, doc.Root()), value.Root()); err != nil {
			return nil, fmt.Errorf("change %s: %w", op.Path, err)
		}
	}
	after, bad := document.ParseJSON(draft.JSON(nil))
	if bad != nil {
		return nil, fmt.Errorf("read the changed object: %w", bad)
	}
	own := *fact.NewObject(after.Root(), origin)
	own.Namespace, own.Name = o.Namespace, o.Name
	return &own, nil
}

// stepsOf is a JSON pointer as a path in a document.
func stepsOf(path string, in document.Value) []document.Step {
	var steps []document.Step
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		step := document.Step{Key: part}
		if in.Kind() == document.List {
			index, _ := strconv.Atoi(part)
			step = document.Step{Index: index}
			in = in.Index(index)
		} else {
			in = in.Get(part)
		}
		steps = append(steps, step)
	}
	return steps
}
