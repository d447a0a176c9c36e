package document

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Splice is one change of a text: what stands between two of its offsets, and what takes its place.
type Splice struct {
	Start, End int
	Text       string
}

// Splices are the changes of the source's text that make the draft of it, in order. They are tried:
// the changed text is read, and where it does not mean what the draft is, there are none.
func (w *Draft) Splices() ([]Splice, error) {
	if !w.root.changed {
		return nil, nil
	}
	e := &editor{Draft: w, hand: handOf(w.text, w.root.spot, w.isJSON)}
	e.share()
	if err := e.value(w.root); err != nil {
		return nil, err
	}
	slices.SortStableFunc(e.splices, func(a, b Splice) int { return a.Start - b.Start })
	text, err := Apply(w.text, e.splices)
	if err != nil {
		return nil, err
	}
	docs, errs := Read(NewText(text), 1)
	if len(errs) > 0 || len(docs) != 1 || string(docs[0].Root().AppendSorted(nil)) != string(w.root.appendSorted(nil)) {
		return nil, unplaced("the change would not mean there what it should")
	}
	for i := range e.splices {
		e.splices[i].Start += int(w.doc.start)
		e.splices[i].End += int(w.doc.start)
	}
	return e.splices, nil
}

// Apply is a text with its changes, which are in order and do not overlap.
func Apply(text string, splices []Splice) (string, error) {
	var b strings.Builder
	at := 0
	for _, s := range splices {
		if s.Start < at || s.End < s.Start || s.End > len(text) {
			return "", errOverlap
		}
		b.WriteString(text[at:s.Start])
		b.WriteString(s.Text)
		at = s.End
	}
	b.WriteString(text[at:])
	return b.String(), nil
}

var errOverlap = errors.New("two changes of one text overlap")

// editor turns a draft into splices.
type editor struct {
	*Draft
	hand
	splices []Splice
}

func (e *editor) splice(start, end int, text string) {
	e.splices = append(e.splices, Splice{start, end, strings.ReplaceAll(text, "\n", e.newline)})
}

// share finds out which aliases no longer stand for what they should: those are written out.
func (e *editor) share() {
	for _, n := range e.alias {
		if n.gone {
			continue
		}
		stale := false
		if n.spot.form == isAlias {
			def := e.defs[n.spot.target]
			stale = (n.changed || def == nil || def.changed || def.gone) &&
				(def == nil || def.gone || def.fresh || string(n.appendSorted(nil)) != string(def.appendSorted(nil)))
			n.fresh = n.fresh || stale
			n.changed = stale // what is written through an alias that holds is written elsewhere
		} else {
			stale = e.unmerged(n)
		}
		if stale {
			for up := n; up != nil && !up.visit; up = up.parent {
				up.visit = true
			}
		}
	}
}

// unmerged says whether a map with merge keys must spell out what came through them.
func (e *editor) unmerged(n *draft) bool {
	stale := slices.ContainsFunc(n.children, func(c *draft) bool { return c.merged && c.gone })
	for _, c := range n.spot.children {
		if !c.merge {
			continue
		}
		for _, from := range append([]*spot{c}, c.children...) {
			if def := e.defs[from.target]; from.form == isAlias && (def == nil || def.changed || def.gone) {
				stale = true
			}
		}
	}
	if n.unmerge = stale; stale {
		for c := range n.live() {
			c.fresh = c.fresh || c.merged
		}
	}
	return stale
}

// value edits what is written at one place.
func (e *editor) value(n *draft) error {
	switch {
	case !n.changed && !n.visit:
		return nil
	case n.fresh:
		return e.rewrite(n)
	}
	switch n.spot.form { //nolint:exhaustive // of the others there is nothing to do
	case isBlockMap, isBlockList:
		return e.lines(n)
	case isFlowMap, isFlowList:
		return e.row(n)
	}
	return unplaced(fmt.Sprintf("%s is written in a way that is not edited", n.key))
}

// news are the entries of a collection that are to be written, beside those that stand there.
func (n *draft) news() []*draft {
	var news []*draft
	for c := range n.live() {
		if c.spot == nil && (c.fresh || c.changed || !c.merged) {
			news = append(news, c)
		}
	}
	return news
}

// olds are the entries as they are written, and which of them go.
func (e *editor) olds(n *draft) (spots []*spot, goes []bool, left int) {
	for _, s := range n.spot.children {
		d := e.defs[s]
		out := d != nil && d.gone || s.merge && n.unmerge
		spots, goes = append(spots, s), append(goes, out)
		if !out {
			left++
		}
	}
	return spots, goes, left
}

// lines edits a collection whose entries stand on lines of their own.
func (e *editor) lines(n *draft) error {
	spots, goes, left := e.olds(n)
	news := n.news()
	first, end := spots[0].begin, n.spot.end
	if left == 0 {
		if len(news) == 0 {
			return e.rewrite(n)
		}
		text := strings.Repeat(" ", n.spot.column)
		e.splice(first, end, strings.TrimSpace(e.entries(n, text)))
		return nil
	}
	for i := 0; i < len(spots); i++ {
		if !goes[i] {
			if err := e.child(spots[i]); err != nil {
				return err
			}
			continue
		}
		start, last := lineStart(e.text, spots[i].begin), i
		if strings.Trim(e.text[start:spots[i].begin], " ") != "" { // behind a dash
			for last+1 < len(spots) && goes[last+1] {
				last++
			}
			e.splice(spots[i].begin, e.content(spots[last].end), "")
			i = last
			continue
		}
		e.splice(start, lineEnd(e.text, spots[i].end), "")
	}
	var b strings.Builder
	for _, c := range news {
		b.WriteString(e.entry(c, n.kind == Map, strings.Repeat(" ", n.spot.column)))
	}
	e.insertLines(end, b.String())
	return nil
}

// content is where the next line with content begins, comments included.
func (e *editor) content(i int) int {
	i = lineEnd(e.text, i)
	for i < len(e.text) && strings.IndexByte(" \t\r\n", e.text[i]) >= 0 {
		i++
	}
	return i
}

// insertLines writes whole lines below the line of an offset.
func (e *editor) insertLines(at int, text string) {
	if text == "" {
		return
	}
	end := lineEnd(e.text, at)
	if end > 0 && e.text[end-1] == '\n' && end > at {
		e.splice(end, end, text)
		return
	}
	e.splice(end, end, "\n"+strings.TrimSuffix(text, "\n"))
}

func (e *editor) child(s *spot) error {
	if n := e.defs[s]; n != nil {
		return e.value(n)
	}
	return nil // a merge key that stays
}

// row edits a collection in flow style.
func (e *editor) row(n *draft) error {
	spots, goes, left := e.olds(n)
	var entries []string
	lead := ""
	if len(spots) > 0 {
		lead = leading(e.text, spots[0].begin)
	}
	many := lead != "" && lineStart(e.text, spots[0].begin) > n.spot.start
	depth := lead
	if !many {
		depth = indentOf(e.text, n.spot.start) // what is added begins on a line that holds more
	}
	for _, c := range n.news() {
		entries = append(entries, e.flowEntry(c, n.kind == Map, depth))
	}
	if left == 0 {
		text := e.flow(n, leading(e.text, lineStart(e.text, n.spot.start)+len(indentOf(e.text, n.spot.start))))
		e.splice(n.spot.start, n.spot.end, text)
		return nil
	}
	lastKept := 0
	for i := range spots {
		if !goes[i] {
			lastKept = i
		}
	}
	for i, s := range spots {
		switch {
		case !goes[i]:
			if err := e.child(s); err != nil {
				return err
			}
		case i < lastKept:
			e.splice(s.begin, spots[i+1].begin, "")
		}
	}
	end := spots[len(spots)-1].end
	if len(entries) > 0 {
		between := e.comma
		if many {
			between = ",\n" + lead
		}
		e.splice(spots[lastKept].end, end, between+strings.Join(entries, between))
	} else if lastKept < len(spots)-1 {
		e.splice(spots[lastKept].end, end, "")
	}
	return nil
}

// indentOf is the blanks that the line of an offset begins with.
func indentOf(text string, i int) string {
	line := text[lineStart(text, i):i]
	return line[:len(line)-len(strings.TrimLeft(line, " \t"))]
}

// rewrite writes a value anew where one stands.
func (e *editor) rewrite(n *draft) error {
	s := n.spot
	inFlow := e.isJSON || n.parent != nil && n.parent.spot.form.flow()
	switch {
	case n.parent == nil:
		return unplaced("all of it would change")
	case inFlow:
		return e.rewriteFlow(n)
	case n.size() > 0 && s.form.flow() && n.kind == s.kind() && len(s.children) > 0:
		e.splice(s.props, s.end, e.flow(n, ""))
		return nil
	case n.size() == 0 && (n.kind != String || !isProse(n.value.Text()) || !e.alone(s.end)):
		return e.rewriteScalar(n)
	}
	indent, dash := strings.Repeat(" ", n.parent.spot.column), e.dash
	if n.parent.kind == List {
		dash = e.unit
	}
	text := e.behind(n, indent, dash)
	if n.parent.kind == List && n.size() > 0 {
		text = strings.TrimPrefix(e.entry(n, false, indent), indent+"-")
	}
	if !e.alone(s.end) && text[0] == '\n' && oneLine(e.text, s.behind, s.end) {
		e.splice(s.behind, s.end, "") // the comment stays behind the key
		e.insertLines(s.end, text[1:])
		return nil
	}
	end := s.end + len(e.text[s.end:]) - len(strings.TrimLeft(e.text[s.end:], " \t"))
	e.splice(s.behind, end, strings.TrimSuffix(text, "\n"))
	return nil
}

// alone says whether nothing but blanks stands between an offset and the end of its line.
func (e *editor) alone(i int) bool {
	return i < len(e.text) && strings.TrimSpace(e.text[i:lineEnd(e.text, i)]) == "" && lineEnd(e.text, i) < len(e.text)
}

func oneLine(text string, from, to int) bool { return !strings.Contains(text[from:to], "\n") }

// kind is the kind of collection that the spot holds.
func (s *spot) kind() Kind {
	switch s.form { //nolint:exhaustive // of the others there is nothing to do
	case isFlowMap, isPair, isBlockMap:
		return Map
	case isFlowList, isBlockList:
		return List
	}
	return Missing
}

func (e *editor) rewriteFlow(n *draft) error {
	s := n.spot
	if s.form == isPair {
		return unplaced("a pair in a list has no brackets")
	}
	text := e.requoted(n, e.flow(n, indentOf(e.text, s.begin)))
	if s.form != isEmpty {
		e.splice(s.props, s.end, text)
		return nil
	}
	if s.behind < 1 || e.text[s.behind-1] != ':' {
		text = ":" + " " + text
	} else {
		text = " " + text
	}
	e.splice(s.behind, s.end, text)
	return nil
}

// rewriteScalar writes a scalar, or an empty collection, in place of a value.
func (e *editor) rewriteScalar(n *draft) error {
	s := n.spot
	text := e.requoted(n, e.flow(n, ""))
	if s.form == isEmpty || s.form == isBlockMap || s.form == isBlockList || !oneLine(e.text, s.behind, s.start) {
		e.splice(s.behind, s.end, " "+text)
		return nil
	}
	e.splice(s.props, s.end, text)
	return nil
}

// requoted is a string in the quotes that the one before it stood in.
func (e *editor) requoted(n *draft, text string) string {
	if n.kind != String || e.json || strings.HasPrefix(text, `"`) {
		return text
	}
	switch v := n.value.Text(); {
	case n.spot.form == isDouble && tame(v):
		return string(appendString(nil, v))
	case n.spot.form == isSingle && tame(v) && !strings.ContainsAny(v, "'\n"):
		return "'" + v + "'"
	}
	return text
}
