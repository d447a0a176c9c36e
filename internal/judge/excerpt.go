package judge

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/coaming/coaming/internal/credential"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

const (
	before   = 2   // lines shown before the faulty one
	after    = 2   // lines shown behind it
	widest   = 300 // bytes of a line that are shown
	margin   = 60  // of them before the fault, where the line is longer
	masked   = "[masked]"
	ellipsis = "…"
)

// excerpt is the lines around the fault, with every credential masked; nil where it cannot be
// told which part of the text is one.
func (w *worker) excerpt(o *fact.Object, at document.Value, line, column int) *verdict.Excerpt {
	d := at.Doc()
	if d == nil || d.Source() == nil {
		return nil
	}
	text := d.Source()
	if _, _, known := d.Root().Extent(); !known && w.holdsSecret(d) {
		return nil
	}
	if w.hider.doc != d {
		w.hider.turn(d, &w.masker)
	}
	where := place{o, line, column}
	if w.hider.latest == where {
		return w.hider.excerpt // what a container lacks is told where it begins, several times
	}
	first, last := objectLines(o, text)
	e := &verdict.Excerpt{First: max(first, line-before), Marked: line}
	for n := e.First; n <= min(last, line+after); n++ {
		begin := text.Offset(n)
		end := begin + len(text.Line(n))
		from := begin
		if n == line && end-begin > widest {
			from = max(begin, begin+column-1-margin)
		}
		e.Lines = append(e.Lines, w.hider.line(begin, end, from))
	}
	for n := len(e.Lines); n > 1 && strings.TrimSpace(e.Lines[n-1]) == "" && e.First+n-1 > line; n-- {
		e.Lines = e.Lines[:n-1]
	}
	w.hider.latest, w.hider.excerpt = where, e
	return e
}

// objectLines are the first and last line of an object in its text.
func objectLines(o *fact.Object, text *document.Text) (first, last int) {
	start, end, ok := o.Root.Extent()
	if !ok {
		start, end = o.Root.Doc().Span()
	}
	first, _ = text.Position(start)
	last, _ = text.Position(max(start, end-1))
	return first, last
}

// hider finds what of a document's text is not to be shown. A document's findings come one after
// the other and share most of their lines.
type hider struct {
	doc    *document.Doc
	text   string
	leaves map[int][]credential.Span // by their beginning: what is hidden of each
	lines  map[int]string            // by their beginning: those that were shown from there
	masker *masker
	// latest is where the last excerpt stands.
	latest  place
	excerpt *verdict.Excerpt
}

// place is what an excerpt is of; one excerpt serves all findings there.
type place struct {
	object       *fact.Object
	line, column int
}

// turn forgets what was found of another document.
func (h *hider) turn(d *document.Doc, m *masker) {
	if h.leaves == nil {
		h.leaves, h.lines, h.masker = map[int][]credential.Span{}, map[int]string{}, m
	}
	clear(h.leaves)
	clear(h.lines)
	h.doc, h.text, h.latest = d, d.Source().Content(), place{}
}

// line is show, remembered for a line that is shown from its beginning.
func (h *hider) line(begin, end, from int) string {
	if from > begin {
		return h.show(begin, end, from)
	}
	shown, known := h.lines[begin]
	if !known {
		shown = h.show(begin, end, from)
		h.lines[begin] = shown
	}
	return shown
}

// show is the part of a line that is shown, from the given offset on.
func (h *hider) show(begin, end, from int) string {
	to := min(end, from+widest)
	for from > begin && !utf8.RuneStart(h.text[from]) {
		from--
	}
	for to < end && !utf8.RuneStart(h.text[to]) {
		to--
	}
	var b strings.Builder
	if from > begin {
		b.WriteString(ellipsis)
	}
	at := from
	for _, s := range h.spans(from, to) {
		start, stop := max(s.Start, at), min(s.End, to)
		if start >= stop || strings.TrimSpace(h.text[start:stop]) == "" {
			continue
		}
		if indent := start - begin + len(h.text[start:stop]) - len(strings.TrimLeft(h.text[start:stop], " ")); strings.TrimSpace(h.text[begin:start]) == "" {
			start = begin + indent // a line that is hidden whole keeps its indentation
		}
		b.WriteString(h.text[at:max(at, start)])
		if kept := b.String(); kept != "" && !strings.HasSuffix(kept, " ") {
			b.WriteByte(' ')
		}
		b.WriteString(masked)
		at = stop
	}
	b.WriteString(h.text[at:to])
	if to < end {
		b.WriteString(ellipsis)
	}
	return b.String()
}

// spans are the hidden parts of the text that reach into a range, in order.
func (h *hider) spans(from, to int) []credential.Span {
	var spans []credential.Span
	if start, end := h.doc.Span(); from < start || to > end { // another document on the same line
		spans = append(spans, credential.Span{Start: from, End: start}, credential.Span{Start: end, End: to})
	}
	for _, s := range h.masker.spans(h.text[from:to]) {
		spans = append(spans, credential.Span{Start: s.Start + from, End: s.End + from})
	}
	for _, leaf := range h.doc.Root().Leaves(from, to) {
		parts, known := h.leaves[leaf.Start]
		if !known {
			parts = h.ofLeaf(leaf)
			h.leaves[leaf.Start] = parts
		}
		spans = append(spans, parts...)
	}
	slices.SortFunc(spans, func(a, b credential.Span) int { return cmp.Compare(a.Start, b.Start) })
	return spans
}

// ofLeaf is what is hidden of a scalar: all of it, or the parts of a longer text that are credentials.
func (h *hider) ofLeaf(leaf document.Leaf) []credential.Span {
	whole := credential.Span{Start: leaf.Start, End: leaf.Start + len(withoutNext(h.text[leaf.Start:leaf.End]))}
	if leaf.Key != "" {
		if colon := strings.IndexByte(h.text[whole.Start:whole.End], ':'); colon >= 0 && !strings.Contains(leaf.Key, ":") {
			whole.Start += colon + 1
		}
	}
	switch {
	case h.masker.isSecret(leaf.Value):
		return []credential.Span{whole}
	case leaf.Value.Kind() != document.String || len(h.masker.spans(leaf.Value.Text())) == 0:
		return nil
	}
	source := h.text[whole.Start:whole.End]
	if strings.Contains(source, `\`) || !strings.HasPrefix(strings.TrimSpace(source), "|") && strings.Contains(strings.TrimSpace(source), "\n") {
		return []credential.Span{whole} // written otherwise than it is read
	}
	var spans []credential.Span
	for _, s := range credential.Spans(source) {
		spans = append(spans, credential.Span{Start: whole.Start + s.Start, End: whole.Start + s.End})
	}
	if len(spans) == 0 {
		return []credential.Span{whole}
	}
	return spans
}

// withoutNext is the text of a scalar without the blank lines and the hyphens that lead to the next.
func withoutNext(source string) string {
	for {
		end := strings.LastIndexByte(source, '\n')
		if end < 0 || strings.Trim(source[end:], " \t\r\n-") != "" {
			return source
		}
		source = source[:end]
	}
}

// masker asks package credential, and remembers short answers: the lines of manifests are much the
// same. One goroutine's.
type masker struct {
	bySpans map[string][]credential.Span
	byMasks map[[2]string]bool
	said    map[string]string
	lineage document.Lineage
	kinds   map[document.Value]document.Value // of long maps
}

const (
	longMap         = 64
	rememberedLines = 1 << 14
	rememberedBytes = 200 // of a text; longer ones are seldom met twice
)

func (m *masker) spans(text string) []credential.Span {
	if len(text) > rememberedBytes {
		return credential.Spans(text)
	}
	spans, known := m.bySpans[text]
	if !known {
		if m.bySpans == nil || len(m.bySpans) >= rememberedLines {
			m.bySpans = map[string][]credential.Span{}
		}
		spans = credential.Spans(text)
		m.bySpans[text] = spans
	}
	return spans
}

func (m *masker) masks(key, value string) bool {
	if len(key)+len(value) > rememberedBytes {
		return credential.Masks(key, value)
	}
	pair := [2]string{key, value}
	masks, known := m.byMasks[pair]
	if !known {
		if m.byMasks == nil || len(m.byMasks) >= rememberedLines {
			m.byMasks = map[[2]string]bool{}
		}
		masks = credential.Masks(key, value)
		m.byMasks[pair] = masks
	}
	return masks
}

// saying is the function of that name, remembered: most messages name a container, and those have the same few names.
func (m *masker) saying(message string) string {
	if len(message) > rememberedBytes {
		return saying(message)
	}
	shown, known := m.said[message]
	if !known {
		if m.said == nil || len(m.said) >= rememberedLines {
			m.said = map[string]string{}
		}
		shown = saying(message)
		m.said[message] = shown
	}
	return shown
}

// Hides says whether a value of an object must not be shown.
func Hides(v document.Value) bool { return new(masker).isSecret(v) }

// isSecret says whether a scalar is a credential by its form, by the name it stands under, or
// because everything in its place is one.
func (m *masker) isSecret(v document.Value) bool {
	if k := v.Kind(); k == document.Null || k == document.Bool {
		return false
	}
	m.lineage.To(v)
	key, value, parent := v.Key(), v.Text(), m.lineage.Up(1)
	if isObject(value) && parent.Key() == "annotations" || m.inSecretData() {
		return true // last-applied-configuration and its like
	}
	switch {
	case key == "value":
		key = parent.Get("name").Str()
	case key == "" && parent.Kind() == document.List:
		key = flagIn(m.lineage.Before().Str())
	}
	return m.masks(key, value)
}

// isObject says whether the text is an object in JSON.
func isObject(text string) bool {
	return strings.HasPrefix(strings.TrimSpace(text), "{") && strings.Contains(text, `"kind"`)
}

// inSecretData says whether the value of the lineage stands anywhere below the data of a Secret.
func (m *masker) inSecretData() bool {
	data := false
	for n := range m.lineage.Len() {
		key, parent := m.lineage.Up(n).Key(), m.lineage.Up(n+1)
		data = data || key == "data" || key == "stringData"
		switch kind := m.kindOf(parent); {
		case kind.Str() == "Secret" || kind.Str() == "SecretList":
			return data
		case kind.Exists() && parent.Key() != "data" && parent.Key() != "stringData":
			return false
		}
	}
	return false
}

// kindOf is a map's entry of that name, remembered where looking for it takes long.
func (m *masker) kindOf(v document.Value) document.Value {
	if v.Len() < longMap {
		return v.Get("kind")
	}
	kind, known := m.kinds[v]
	if !known {
		if m.kinds == nil || len(m.kinds) >= longMap {
			m.kinds = map[document.Value]document.Value{}
		}
		kind = v.Get("kind")
		m.kinds[v] = kind
	}
	return kind
}

// flagIn is the flag that what stands before an item of an argument list is: --password, then hunter2.
func flagIn(previous string) string {
	if !strings.HasPrefix(previous, "-") || strings.Contains(previous, "=") {
		return ""
	}
	return strings.TrimLeft(previous, "-")
}

// holdsSecret says whether there is anything to hide in a document of which it is not known what
// stands where.
func (w *worker) holdsSecret(d *document.Doc) bool {
	if known, found := w.secretive.Load(d); found {
		return known.(bool)
	}
	start, end := d.Span()
	found := len(credential.Spans(d.Source().Content()[start:end])) > 0 || w.masker.secretBelow(d.Root())
	w.secretive.Store(d, found)
	return found
}

func (m *masker) secretBelow(v document.Value) bool {
	for _, entry := range v.Fields() {
		if m.secretBelow(entry) {
			return true
		}
	}
	for _, item := range v.Items() {
		if m.secretBelow(item) {
			return true
		}
	}
	return !isBranch(v) && (m.isSecret(v) || len(m.spans(v.Text())) > 0)
}

// most is how many lines of a served object's value are shown.
const most = 6

// fragment is the value itself as YAML, under the last keys of its path, with every credential masked.
func (m *masker) fragment(o *fact.Object, at document.Value, steps []document.Step) *verdict.Excerpt {
	from := max(0, len(steps)-2)
	e := &verdict.Excerpt{First: 1}
	indent := ""
	v := o.Root.Follow(steps[:from])
	for _, s := range steps[from:] {
		line := indent + "- "
		if v.Kind() == document.Map {
			line = indent + s.Key + ":"
		}
		e.Lines = append(e.Lines, cut(line))
		v, indent = v.Follow([]document.Step{s}), indent+"  "
	}
	if len(e.Lines) == 0 {
		return nil
	}
	e.Marked = len(e.Lines)
	if !isBranch(at) {
		e.Lines[e.Marked-1] += " " + m.shownScalar(at)
		return e
	}
	n := 0
	for key, entry := range at.Fields() {
		if n++; n > most {
			e.Lines = append(e.Lines, indent+ellipsis)
			break
		}
		text := ellipsis
		if !isBranch(entry) {
			text = m.shownScalar(entry)
		}
		e.Lines = append(e.Lines, cut(indent+key+": "+text))
	}
	return e
}

func isBranch(v document.Value) bool { return v.Kind() == document.Map || v.Kind() == document.List }

func (m *masker) shownScalar(v document.Value) string {
	if m.isSecret(v) || len(m.spans(v.Text())) > 0 {
		return masked
	}
	return cut(strings.TrimSuffix(document.YAML(v), "\n"))
}

// saying is a rule's message as it is shown: bounded, and without what is a credential by its form.
func saying(message string) string {
	if credential.ByForm(message) != credential.None {
		words := strings.Split(message, " ")
		for i, word := range words {
			if credential.ByForm(word) != credential.None {
				words[i] = masked
			}
		}
		if message = strings.Join(words, " "); credential.ByForm(message) != credential.None {
			message = masked
		}
	}
	return cut(message)
}

// cut bounds a text.
func cut(text string) string {
	if len(text) <= widest {
		return text
	}
	end := widest
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}
