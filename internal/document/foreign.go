package document

import (
	"encoding/json"
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"

	yamlv2 "go.yaml.in/yaml/v2"
)

// maxForeign bounds, in bytes, a document that needs the YAML library: the library takes about
// forty times the text in memory. The API server accepts no request over 3 MiB.
const maxForeign = 8 << 20

// maxExpansion bounds what aliases may blow a document up to, in bytes and in values.
const maxExpansion = 64 << 20

// readForeign reads a document by the YAML library and the conversion rules of sigs.k8s.io/yaml,
// which is what kubectl does with every document.
func readForeign(t *Text, start, end int) (*Doc, *Error) {
	text := t.content[start:end]
	if len(text) > maxForeign {
		return nil, t.errorAt(start, CodeTooLarge, fmt.Sprintf("a document of %d MiB in more than plain YAML", len(text)>>20),
			"Split the document; the API server takes 3 MiB at most.")
	}
	var root any
	strict := unmarshal(yamlv2.UnmarshalStrict, text, &root)
	doubt := (*Error)(nil)
	if strict != nil {
		root = nil
		if err := unmarshal(yamlv2.Unmarshal, text, &root); err != nil {
			return nil, t.syntaxError(start, end, err)
		}
		doubt = t.findDuplicate(start, end)
	}
	b := builder{}
	if err := b.add(root, "", 0); err != nil {
		return nil, t.errorAt(start, CodeSyntax, err.Error(), remedySyntax)
	}
	d := &Doc{source: t, start: uint32(start), end: uint32(end), foreign: true, duplicate: doubt}
	if root != nil {
		d.nodes, d.side = b.nodes, string(b.side)
	}
	return d, nil
}

// unmarshal turns the library's panics into errors.
func unmarshal(read func([]byte, any) error, text string, out *any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: %v", r)
		}
	}()
	return read([]byte(text), out)
}

var lineOf = regexp.MustCompile(`line (\d+): `)

// syntaxError places the library's complaint in the whole text.
func (t *Text) syntaxError(start, end int, err error) *Error {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	line := strings.Count(t.content[:start], "\n") + 1
	if m := lineOf.FindStringSubmatch(message); m != nil {
		n, _ := strconv.Atoi(m[1])
		line += max(n, 1) - 1
		message = strings.Replace(message, m[0], "", 1)
	}
	text := t.content[start:end]
	e := &Error{Line: line, Code: CodeSyntax, Message: "YAML: " + message, Remedy: remedySyntax}
	if strings.Contains(text, "{{") || strings.Contains(text, "{%") || strings.Contains(text, "<%") {
		e.Code = CodeTemplate
		e.Message = "a template, not YAML: " + message
		e.Remedy = "Scan what the template renders to: give the directory of its chart or overlay, or pipe the output in."
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

// builder makes nodes of what the library returned, within maxExpansion.
type builder struct {
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
		return fmt.Errorf("nested more than %d levels deep", maxDepth)
	case len(b.side)+len(b.nodes)*20 > maxExpansion:
		return fmt.Errorf("aliases expand the document to more than %d MiB", maxExpansion>>20)
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
			return fmt.Errorf("key %q stands twice in one map, in different notations", name)
		}
		values[name] = v
		keys = append(keys, name)
	}
	sort.Strings(keys)
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
