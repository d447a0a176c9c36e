package judge

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// imageMatch is the kind of fact that an image is.
const imageMatch = "image"

// documented are the parts of an image that its own documents tell, and not its files. The others are known
// only where every layer was read.
var documented = []string{"name", "repository", "tag", "digest", "form", "platform", "config", "annotations", "history", "unseen", "unsearched", "trust"}

// judgeImage asks the rules on images. What stands in a file is a fault wherever it was seen; that there is
// nothing of a kind is known only when all was seen.
func (w *worker) judgeImage(img *fact.Image, scope rule.Scope) {
	o, err := img.Object()
	if err != nil {
		w.judgeOpaque(img, err.Error())
		return
	}
	root := o.Root
	scope.Nodes = root.Nodes()
	scope.Image = rule.Lazy(func(name string) (rule.Fact, error) {
		if name == "trust" {
			return trustFact(img.Contents.Trust, root.Get(name))
		}
		if unseen := img.Contents.Unseen; unseen != "" && !isDocumented(name) {
			return nil, &rule.NotSeen{Reason: unseen}
		}
		if v := root.Get(name); v.Exists() {
			return rule.Of(v), nil
		}
		return nil, nil
	})
	rules := &w.images
	if img.Form == "directory" {
		rules = w.roots()
	}
	w.ask(rules, matched{value: root, kind: imageMatch, object: o, image: img}, &scope)
}

// trustFact is who vouches for an image. Whether what is missing is really not there is known only where everything
// that stands beside the image was looked at.
func trustFact(t *fact.Vouching, v document.Value) (rule.Fact, error) {
	if t == nil {
		return nil, &rule.NotSeen{Reason: "nobody asked who vouches for the image: no policy of trust says anything of it"}
	}
	return rule.Lazy(func(name string) (rule.Fact, error) {
		if name == "whole" && !t.Whole {
			return nil, &rule.NotSeen{Reason: unseenTrust(t)}
		}
		if part := v.Get(name); part.Exists() {
			return rule.Of(part), nil
		}
		return nil, nil
	}), nil
}

func unseenTrust(t *fact.Vouching) string {
	return "not everything that vouches for the image could be looked at: " + t.Unseen[0]
}

// readsConfiguration says whether a rule is about how an image starts, and what its documents say: of a root directory, which
// has neither, it is not asked.
func readsConfiguration(r *rule.Compiled) bool {
	parts := []string{"config", "annotations", "history", "start", "health", "trust"}
	return r.EachName != "" && slices.Contains(parts, r.EachPath[0]) ||
		slices.ContainsFunc(parts, func(part string) bool { return r.ReadsFact(imageMatch + "." + part) })
}

func isDocumented(part string) bool { return slices.Contains(documented, part) }

// judgeOpaque answers for an image of which nothing can be told.
func (w *worker) judgeOpaque(img *fact.Image, why string) {
	o := &fact.Object{Kind: fact.ImageKind, Name: img.Name, Origin: &fact.Origin{Source: "image:" + img.Name, Served: true}}
	for _, r := range w.images.rules {
		w.note(r, matched{kind: imageMatch, object: o, image: img}, document.Value{}, nil, unknown(r, why))
	}
}

// unseenItems answers for the items of an image that were not seen: those that were are judged, and of the
// rest nothing is known.
func (w *worker) unseenItems(q *question, items document.Value, keys []document.Step) {
	if q.image == nil {
		return
	}
	why := q.image.Contents.Unseen
	switch {
	case isDocumented(q.eachPath[0]):
		why = ""
	case q.eachPath[0] == "secrets":
		why = cmp.Or(why, q.image.Contents.Unsearched)
	}
	if t := q.image.Contents.Trust; t != nil && !t.Whole && q.eachPath[0] == "trust" && q.eachPath[len(q.eachPath)-1] != "demands" {
		why = unseenTrust(t)
	}
	if why == "" {
		return
	}
	for _, r := range q.rules {
		w.note(r, *q.matched, items, keys, unknown(r, why))
	}
}

// locateImage says where in an image the fault stands. Neither the layer nor what else changes when the image is
// built again is part of the fingerprint: a file is known by its path.
func (w *worker) locateImage(f *verdict.Finding, r *rule.Compiled, m matched, steps []document.Step) {
	o := m.object
	f.Subject = verdict.Subject{Kind: o.Kind, Name: o.Name}
	f.Location = verdict.Location{Source: o.Origin.Source}
	var shown, stable []byte
	v := o.Root
	for _, s := range steps {
		v = w.walk.Follow(v, s)
		if s.Key != "" {
			shown, stable = document.AppendKey(shown, s.Key), document.AppendKey(stable, s.Key)
			continue
		}
		mark := strconv.Itoa(s.Index)
		for _, key := range []string{"name", "path"} {
			if text := v.Get(key).Str(); text != "" {
				mark = text
				break
			}
		}
		shown = append(append(append(shown, '['), mark...), ']')
		if command := v.Get("command").Str(); command != "" {
			sum := sha256.Sum256([]byte(command)) // a step has another number in another build
			mark = hex.EncodeToString(sum[:8])
		}
		stable = append(append(append(stable, '['), mark...), ']')
		for _, key := range []string{"kind", "subject"} { // several of them may stand in one file
			stable = append(append(stable, ' '), v.Get(key).Str()...)
		}
	}
	for _, key := range r.At {
		if next := v.Get(key); next.Exists() {
			v = next
			shown, stable = document.AppendKey(shown, key), document.AppendKey(stable, key)
		}
	}
	if at := placeOf(o.Root, steps); at.Exists() {
		f.Location.File = at.Get("path").Str()
		if n, ok := at.Get("layer").Int(); ok && n >= 0 && len(m.image.Layers) > 0 {
			f.Location.Source += ": layer " + strconv.FormatInt(n, 10)
		}
	}
	f.Path = string(shown)
	f.Fingerprint = fingerprint(r.ID, &f.Subject, m.kind+" "+string(stable))
}

// placeOf is the deepest map on the way that says in which layer it stands.
func placeOf(v document.Value, steps []document.Step) (at document.Value) {
	for _, s := range steps {
		if s.Key != "" {
			v = v.Get(s.Key)
		} else {
			v = v.Index(s.Index)
		}
		if v.Kind() == document.Map && v.Get("layer").Exists() {
			at = v
		}
	}
	return at
}
