package fix

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
)

// sheets makes changed texts of fixes, and remembers what it made of each document.
type sheets struct {
	made map[spanKey]*made
}

func newSheets() *sheets { return &sheets{map[spanKey]*made{}} }

// spanKey is a document of a file.
type spanKey struct {
	file  string
	start int
}

// made is what some fixes make of a document.
type made struct {
	doc     *document.Doc
	served  *fact.Object
	recipe  string // the fixes, by name
	splices []document.Splice
	after   string // of a served object, its JSON
	added   []document.Value
	touched bool // the object itself is changed, not only one added beside it
	err     error
}

// wish is what the fixes of a round want of one document.
type wish struct {
	place Place
	items []*item
	edits []*Edit
}

// compose makes the copy in which all the fixes are made. failed are those whose text cannot be
// edited as they want; of their documents nothing is changed.
func (s *sheets) compose(items []*item) (c Copy, failed map[*item]string) {
	wishes, order := collect(items)
	c = Copy{Files: map[string]string{}, Objects: map[*fact.Object]document.Value{}, Patches: map[string][]string{}}
	failed = map[*item]string{}
	files := map[string][]*made{}
	for _, key := range order {
		w := wishes[key]
		m := s.make(key, w)
		if m.err != nil {
			for _, it := range w.items {
				failed[it] = m.err.Error()
			}
			continue
		}
		if m.served == nil {
			files[key.file] = append(files[key.file], m)
		} else if doc, err := document.ParseJSON(m.after); err == nil {
			if m.touched {
				c.Objects[m.served] = doc.Root()
			}
			c.Added = m.beside(c.Added)
		}
	}
	for file, list := range files {
		text, _, err := join(list)
		if err == nil {
			c.Files[file] = text
			continue
		}
		for key, w := range wishes {
			for _, it := range w.items {
				if key.file == file {
					failed[it] = err.Error()
				}
			}
		}
	}
	for _, it := range items {
		if source, patch := it.patch(); patch != "" {
			c.Patches[source] = append(c.Patches[source], patch)
		}
	}
	return c, failed
}

// beside adds the new objects to those there are, each once.
func (m *made) beside(list []Addition) []Addition {
	for _, v := range m.added {
		if !slices.ContainsFunc(list, func(a Addition) bool { return equal(a.Value, v) }) {
			list = append(list, Addition{m.served, v})
		}
	}
	return list
}

// collect sorts the edits of fixes by document.
func collect(items []*item) (wishes map[spanKey]*wish, order []spanKey) {
	wishes = map[spanKey]*wish{}
	for _, it := range items {
		edits := it.edits()
		for i := range edits {
			e := &edits[i]
			start, _ := e.Place.Doc.Span()
			key := spanKey{e.Place.File, start}
			w := wishes[key]
			if w == nil {
				w = &wish{place: e.Place}
				wishes[key] = w
				order = append(order, key)
			}
			w.items, w.edits = append(w.items, it), append(w.edits, e)
		}
	}
	slices.SortFunc(order, func(a, b spanKey) int { return cmp.Or(strings.Compare(a.file, b.file), cmp.Compare(a.start, b.start)) })
	return wishes, order
}

// make edits one document, unless it did the same before.
func (s *sheets) make(key spanKey, w *wish) *made {
	recipe := recipeOf(w.items)
	if m := s.made[key]; m != nil && m.recipe == recipe {
		return m
	}
	m := &made{doc: w.place.Doc, served: w.place.Served, recipe: recipe}
	s.made[key] = m
	m.err = m.edit(w)
	return m
}

// recipeOf names fixes as they are made now: the same recipe makes the same text.
func recipeOf(items []*item) string {
	var recipe strings.Builder
	for _, it := range items {
		recipe.WriteString(it.Finding.Fingerprint)
		for _, n := range []int{it.at, it.choice, len(it.more[it.choice].edits)} {
			recipe.WriteString(" " + strconv.Itoa(n))
		}
		recipe.WriteByte('\n')
	}
	return recipe.String()
}

func (m *made) edit(w *wish) error {
	draft, err := m.doc.Edit()
	if err != nil {
		return err
	}
	for i, e := range w.edits {
		for j := range e.Changes {
			c := &e.Changes[j]
			if err := m.change(draft, w.items[i], e, c); err != nil {
				return err
			}
		}
	}
	for _, e := range w.edits {
		for j := range e.Changes {
			if err := valid(draft, append(slices.Clip(e.Place.Begin), e.Changes[j].Steps...)); err != nil {
				return err
			}
		}
	}
	if m.served != nil {
		m.after = draft.JSON(nil)
		return nil
	}
	m.splices, err = draft.Splices()
	return err
}

func (m *made) change(draft *document.Draft, it *item, e *Edit, c *rule.Change) error {
	steps := append(slices.Clip(e.Place.Begin), c.Steps...)
	values := it.values(c)
	m.touched = m.touched || c.Op != rule.FixAdd
	switch c.Op {
	case rule.FixRemove:
		if draft.Remove(steps) {
			prune(draft, steps)
		}
	case rule.FixSet, rule.FixChoose:
		if err := fits(draft, steps, values[0]); err != nil {
			return err
		}
		return draft.Set(steps, values[0])
	case rule.FixAppend:
		if strings.Contains(draft.JSON(steps), sorted(values[0])) && listHolds(draft.JSON(steps), values[0]) {
			return nil
		}
		return draft.Append(steps, values[min(max(it.choice, 0), len(values)-1)])
	case rule.FixTake:
		if !strings.HasPrefix(draft.JSON(steps), "[") {
			return nil
		}
		gone := map[string]bool{}
		for _, v := range values {
			gone[sorted(v)] = true
		}
		if draft.TakeOut(steps, func(s string) bool { return gone[s] }) == 0 {
			draft.Remove(steps)
			prune(draft, steps)
		}
	case rule.FixAdd:
		if m.served != nil {
			m.added = append(m.added, values...)
			return nil
		}
		return m.add(draft, e, values)
	}
	return nil
}

// add puts new objects into the list that the judged one stands in, else behind it as documents.
func (m *made) add(draft *document.Draft, e *Edit, values []document.Value) error {
	list := e.Place.Begin
	for _, v := range values {
		if slices.ContainsFunc(m.added, func(o document.Value) bool { return equal(o, v) }) {
			continue
		}
		m.added = append(m.added, v)
		if len(list) > 0 {
			if err := draft.Append(list[:len(list)-1], v); err != nil {
				return err
			}
		}
	}
	if len(list) > 0 {
		m.added = nil
		return nil
	}
	if strings.HasPrefix(strings.TrimSpace(m.doc.Source().Content()), "{") {
		return errors.New("the file is JSON of one object, and holds no second one")
	}
	return nil
}

func listHolds(list string, v document.Value) bool {
	doc, err := document.ParseJSON(list)
	if err != nil {
		return false
	}
	for _, item := range doc.Root().Items() {
		if equal(item, v) {
			return true
		}
	}
	return false
}

// hollow are the maps and lists that mean nothing when they are empty; one whose last entry goes, goes too.
var hollow = map[string]bool{
	"securityContext": true, "annotations": true, "capabilities": true, "seccompProfile": true, "appArmorProfile": true,
	"add": true, "env": true, "envFrom": true, "volumes": true, "volumeMounts": true, "sysctls": true,
}

func prune(draft *document.Draft, steps []document.Step) {
	for n := len(steps) - 1; n > 0 && hollow[steps[n-1].Key] && draft.Len(steps[:n]) == 0; n-- {
		draft.Remove(steps[:n])
	}
}

// join makes the text of a file from its documents, and the splices that do.
func join(list []*made) (text string, splices []document.Splice, err error) {
	source := list[0].doc.Source().Content()
	var added []document.Value
	for _, m := range list {
		splices = append(splices, m.splices...)
		for _, v := range m.added {
			if !slices.ContainsFunc(added, func(o document.Value) bool { return equal(o, v) }) {
				added = append(added, v)
			}
		}
	}
	if len(added) > 0 {
		splices = append(splices, document.Splice{Start: len(source), End: len(source), Text: behind(source, added)})
	}
	text, err = document.Apply(source, splices)
	return text, splices, err
}

// behind are new documents at the end of a text.
func behind(source string, added []document.Value) string {
	var b strings.Builder
	ended := source == "" || strings.HasSuffix(source, "\n")
	if !ended {
		b.WriteByte('\n')
	}
	for _, v := range added {
		b.WriteString("---\n" + document.YAML(v))
	}
	text := b.String()
	if !ended {
		text = strings.TrimSuffix(text, "\n")
	}
	if strings.Contains(source, "\r\n") {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return text
}

// finished are the changed files and objects of the fixes that were proved.
func (s *sheets) finished(items []*item) (files []File, objects []Object, added []Addition, err error) {
	wishes, order := collect(items)
	parts := map[string][]*made{}
	for _, key := range order {
		m := s.make(key, wishes[key])
		switch {
		case m.err != nil:
			return nil, nil, nil, m.err
		case m.served == nil:
			parts[key.file] = append(parts[key.file], m)
		default:
			added = m.beside(added)
			if !m.touched {
				continue
			}
			after, err := document.ParseJSON(m.after)
			if err != nil {
				return nil, nil, nil, err
			}
			o := Object{Object: m.served, Before: m.served.Root, After: after.Root()}
			o.Operations = Operations(o.Before, o.After)
			objects = append(objects, o)
		}
	}
	for _, file := range slices.Sorted(maps.Keys(parts)) {
		list := parts[file]
		text, splices, err := join(list)
		if err != nil {
			return nil, nil, nil, err
		}
		f := File{Path: file, Before: list[0].doc.Source().Content(), After: text, Splices: splices}
		if len(splices) > 0 {
			files = append(files, f)
		}
	}
	return files, objects, added, nil
}

// valueText is a candidate as it is shown and chosen.
func valueText(v document.Value) string {
	if v.Kind() == document.Map || v.Kind() == document.List {
		return string(v.AppendJSON(nil))
	}
	return strings.TrimSuffix(document.YAML(v), "\n")
}

func countText(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
