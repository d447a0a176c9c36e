package document

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	yamlv2 "go.yaml.in/yaml/v2"
)

// maxForeign bounds, in bytes, a document that needs the YAML library, which takes forty times the
// text in memory, and up to 150 times where a stranger chose it. The API server accepts no request
// over 3 MiB.
const maxForeign = 8 << 20

// largeForeign is the size from which documents that need the library wait for each other, so that
// their memory does not add up.
const largeForeign = 256 << 10

var oneLarge sync.Mutex

// readForeign reads a document by the YAML library and the conversion rules of sigs.k8s.io/yaml,
// which is what kubectl does with every document. Its maps have their keys in sorted order.
func readForeign(t *Text, start, end int) (*Doc, *Error) {
	text := t.content[start:end]
	if len(text) > maxForeign {
		return nil, t.errorAt(start, CodeTooLarge, fmt.Sprintf("a document of %d MiB in more than plain YAML", len(text)>>20),
			"Split the document; the API server takes 3 MiB at most.")
	}
	if len(text) > largeForeign {
		oneLarge.Lock()
		defer oneLarge.Unlock()
	}
	if expandsTooFar(text) {
		return nil, t.errorAt(start, CodeTooLarge, fmt.Sprintf("aliases expand the document to more than %d times its size", expandFactor),
			"Write out what the aliases stand for, in documents of their own.")
	}
	var root any
	var doubt *Error
	err := readOne(text, true, &root)
	if _, twice := errors.AsType[*yamlv2.TypeError](err); twice {
		doubt, root = t.findDuplicate(start, end, err), nil
		err = readOne(text, false, &root)
	}
	if err != nil {
		return nil, t.syntaxError(start, end, err)
	}
	b := builder{limit: 2 * maxExpansion(text)}
	if err := b.add(root, "", 0); err != nil {
		return nil, t.conversionError(start, end, err)
	}
	d := &Doc{source: t, start: uint32(start), end: uint32(end), foreign: new(places), duplicate: doubt}
	if root != nil {
		d.nodes, d.side = slices.Clone(b.nodes), string(b.side)
	}
	return d, nil
}

// readOne reads the only document of a text. The library by itself passes over whatever stands
// behind a document's end, and so does kubectl: that would be text which nobody judged.
func readOne(text string, strict bool, out *any) error {
	decoder := yamlv2.NewDecoder(strings.NewReader(text))
	decoder.SetStrict(strict)
	err := decode(decoder, out)
	if errors.Is(err, io.EOF) {
		return nil // nothing but comments
	}
	if err != nil {
		return err
	}
	var more any
	if err = decode(decoder, &more); errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		err = errors.New("text behind the document's end")
	}
	return err
}

// decode turns the library's panics into errors.
func decode(decoder *yamlv2.Decoder, out *any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: %v", r)
		}
	}()
	return decoder.Decode(out)
}

var (
	complaintLine   = regexp.MustCompile(`line (\d+): `)
	complaintAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced`)
)

// lineOf is the line of the whole text that the library's complaint about a document is about,
// and the complaint without it.
func (t *Text) lineOf(start, end int, complaint string) (line int, message string) {
	message = strings.TrimPrefix(complaint, "yaml: ")
	message = strings.TrimSpace(strings.TrimPrefix(message, "unmarshal errors:"))
	message, _, _ = strings.Cut(message, "\n")
	first, _ := t.Position(start)
	last, _ := t.Position(max(start, end-1))
	line = first
	if m := complaintLine.FindStringSubmatch(message); m != nil {
		n, _ := strconv.Atoi(m[1])
		message = strings.Replace(message, m[0], "", 1)
		if !fromParser(message) {
			n-- // the library's parser counts lines from 0, its scanner from 1
		}
		line += max(n, 0)
	}
	if strings.HasPrefix(message, "could not find expected ':'") {
		line = t.contentBefore(line, first)
	}
	return min(line, last), message
}

// fromParser says whether the library's parser, not its scanner, complains in these words.
func fromParser(message string) bool {
	return strings.HasPrefix(message, "did not find expected ") && !strings.Contains(message, "hexdecimal") && !strings.Contains(message, "whitespace") &&
		!strings.Contains(message, "digit") && !strings.Contains(message, "alphabetic") && !strings.Contains(message, "comment") && !strings.Contains(message, "'!'") ||
		strings.HasPrefix(message, "found duplicate %") || strings.HasPrefix(message, "found incompatible") || strings.HasPrefix(message, "found undefined tag handle")
}

// contentBefore is the last line before line n that is neither blank nor a comment, from the first
// of the document: the scanner misses a key's colon only when it comes to what follows.
func (t *Text) contentBefore(n, first int) int {
	for at := n - 1; at >= first; at-- {
		if text := strings.TrimSpace(t.Line(at)); text != "" && text[0] != '#' {
			return at
		}
	}
	return n
}

// syntaxError places the library's complaint in the whole text.
func (t *Text) syntaxError(start, end int, err error) *Error {
	text := t.content[start:end]
	line, message := t.lineOf(start, end, err.Error())
	anchor := complaintOffset(text, message)
	message = inOurWords(message)
	e := &Error{Line: line, Code: CodeSyntax, Message: "YAML: " + message, Remedy: remedySyntax}
	if anchor >= 0 {
		e.Line, e.Column = t.Position(start + anchor)
	}
	if strings.Contains(text, "{{") || strings.Contains(text, "{%") || strings.Contains(text, "<%") {
		e.Code = CodeTemplate
		e.Message = "a template, not YAML: " + message
		e.Remedy = "Scan what the template renders to: give the directory of its chart or overlay, or pipe the output in."
	}
	if message == tooDeep {
		e.Code, e.Remedy = CodeTooLarge, remedyDeep
	}
	e.Kind, e.APIVersion = headline(text, "kind"), headline(text, "apiVersion")
	return e
}

const tooDeep = "nested too deep"

// ourWords are what is said for the complaints of the library that quote the text, which may be a
// secret, or that speak of its own insides.
var ourWords = []struct{ theirs, ours string }{
	{"invalid map key", "a map or a list stands where a key must"},
	{"cannot decode", "a value does not fit the tag before it"},
	{"unknown anchor", "an alias names no anchor"},
	{"anchor ", "an anchor contains itself"},
	{"map merge requires", "a merge key merges what is no map"},
	{"found character that cannot start any token", "a character that cannot begin a value: a tab, @, ` or % (YAML indents with spaces)"},
	{"exceeded max depth", tooDeep},
}

// inOurWords is a complaint without anything of the text that it is about.
func inOurWords(message string) string {
	for _, w := range ourWords {
		if strings.HasPrefix(message, w.theirs) {
			return w.ours
		}
	}
	if strings.ContainsAny(message, "`\"{[") && !strings.HasPrefix(message, "did not find expected") {
		return "this is no valid YAML"
	}
	return message
}

// complaintOffset finds what the library complains of without a line; -1 when it has one.
func complaintOffset(text, message string) int {
	if m := complaintAnchor.FindStringSubmatch(message); m != nil {
		return strings.Index(text, "*"+m[1])
	}
	if strings.HasPrefix(message, "control characters are not allowed") {
		return strings.IndexFunc(text, forbidden)
	}
	return -1
}

// forbidden says whether a YAML stream may not hold the character (YAML 1.1, section 5.1, as
// go-yaml has it).
func forbidden(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r >= 0x7f && r < 0xa0 && r != 0x85 || r == 0xfffe || r == 0xffff
}

// conversionError places what YAML can say and JSON cannot, or no bound allows.
func (t *Text) conversionError(start, end int, err error) *Error {
	text := t.content[start:end]
	e := t.errorAt(start, CodeSyntax, err.Error(), remedySyntax)
	switch {
	case errors.Is(err, errDeep):
		e.Code, e.Remedy = CodeTooLarge, remedyDeep
	case errors.Is(err, errExpansion):
		e.Code = CodeTooLarge
	case errors.Is(err, errNotations):
		e.Code = CodeDuplicate
		if root := parseNodes(text); root != nil {
			if key := duplicateBelow(root); key != nil {
				e.Line, e.Column = t.Position(start + newMarks(text).offset(key))
			}
		}
	}
	e.Kind, e.APIVersion = headline(text, "kind"), headline(text, "apiVersion")
	return e
}

var plainWord = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9./-]*$`)

// headline is the value of a key at the left margin, when it is one plain word.
func headline(text, key string) string {
	for line := range strings.Lines(text) {
		rest, found := strings.CutPrefix(line, key+":")
		if !found {
			continue
		}
		if word := strings.Trim(strings.TrimSpace(rest), `"'`); plainWord.MatchString(word) {
			return word
		}
	}
	return ""
}

var (
	errDeep      = fmt.Errorf("nested more than %d levels deep", maxDepth)
	errExpansion = errors.New("the document expands too far")
	errNotations = errors.New("stands twice in one map, in different notations")
)

// builder makes nodes of what the library returned, within a limit of bytes.
type builder struct {
	limit int
	nodes []node
	side  []byte
}

func (b *builder) str(s string) (off, size int) {
	off = len(b.side)
	b.side = append(b.side, s...)
	return off, len(s)
}

func (b *builder) add(v any, key string, depth int) error {
	switch {
	case depth > maxDepth:
		return errDeep
	case len(b.side)+len(b.nodes)*nodeSize > b.limit:
		return errExpansion
	case len(key) > maxKey:
		return fmt.Errorf("a key of %d MiB", len(key)>>20)
	}
	pos, _ := b.str(key)
	meta := uint32(len(key))<<8 | flagKeySide | flagSide
	self := len(b.nodes)
	b.nodes = append(b.nodes, node{pos: uint32(pos)})
	kind, off, size := Null, 0, 0
	switch v := v.(type) {
	case nil:
	case bool:
		kind = Bool
		if v {
			size = 1
		}
	case string:
		kind = String
		off, size = b.str(jsonText(v))
	case map[any]any:
		kind, size = Map, len(v)
		if err := b.addMap(v, depth); err != nil {
			return err
		}
	case []any:
		kind, size = List, len(v)
		for _, item := range v {
			if err := b.add(item, "", depth+1); err != nil {
				return err
			}
		}
	default:
		number, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("the number %v has no JSON form", v)
		}
		kind = Int
		if _, isFloat := v.(float64); isFloat {
			kind = Float
		}
		off, size = b.str(string(number))
	}
	b.nodes[self].meta = meta | uint32(kind)
	b.nodes[self].off, b.nodes[self].size = uint32(off), uint32(size)
	b.nodes[self].next = uint32(len(b.nodes))
	return nil
}

// jsonText is a string as it survives JSON: invalid UTF-8 (from "\xff" escapes) is replaced.
func jsonText(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

func (b *builder) addMap(m map[any]any, depth int) error {
	keys := make([]string, 0, len(m))
	values := make(map[string]any, len(m))
	for k, v := range m {
		name, err := keyText(k)
		if err != nil {
			return err
		}
		if _, twice := values[name]; twice {
			return fmt.Errorf("key %q %w", name, errNotations)
		}
		values[name] = v
		keys = append(keys, name)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if err := b.add(values[k], k, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// keyText is the key that sigs.k8s.io/yaml makes of a YAML key that is no string.
func keyText(k any) (string, error) {
	switch k := k.(type) {
	case string:
		return jsonText(k), nil
	case int:
		return strconv.Itoa(k), nil
	case bool:
		return strconv.FormatBool(k), nil
	case float64:
		switch s := strconv.FormatFloat(k, 'g', -1, 32); s {
		case "+Inf":
			return ".inf", nil
		case "-Inf":
			return "-.inf", nil
		case "NaN":
			return ".nan", nil
		default:
			return s, nil
		}
	default:
		return "", fmt.Errorf("a key of type %T has no JSON form", k)
	}
}
