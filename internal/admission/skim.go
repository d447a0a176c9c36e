package admission

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
)

// skimmer walks through JSON without building anything of it, to any depth in memory of one size. It believes that the
// text is JSON, which an API server wrote: what it does not understand, or the end of a text that was cut off, ends it.
type skimmer struct {
	s   string
	at  int
	bad bool
}

// peek is the next byte that is no space; 0 at the end.
func (k *skimmer) peek() byte {
	for ; k.at < len(k.s); k.at++ {
		switch k.s[k.at] {
		case ' ', '\t', '\n', '\r':
		default:
			return k.s[k.at]
		}
	}
	return 0
}

// quoted steps over a string.
func (k *skimmer) quoted() {
	for at := k.at + 1; ; {
		i := strings.IndexByte(k.s[at:], '"')
		if i < 0 {
			k.bad, k.at = true, len(k.s)
			return
		}
		slashes := at + i
		for slashes > at && k.s[slashes-1] == '\\' {
			slashes--
		}
		end := at + i
		at = end + 1
		if (end-slashes)%2 == 0 {
			k.at = at
			return
		}
	}
}

// text reads a string.
func (k *skimmer) text() string {
	from := k.at
	k.quoted()
	raw := k.s[from:k.at]
	if k.bad {
		return ""
	}
	if !strings.ContainsRune(raw, '\\') {
		return raw[1 : len(raw)-1]
	}
	var text string
	k.bad = json.Unmarshal([]byte(raw), &text) != nil
	return text
}

// skip steps over a value, however deep it is.
func (k *skimmer) skip() {
	for depth := 0; !k.bad; {
		switch k.peek() {
		case 0:
			k.bad = true
		case '{', '[':
			depth++
			k.at++
		case '}', ']':
			depth--
			k.at++
		case '"':
			k.quoted()
		case ',', ':':
			k.at++
			continue
		default:
			for k.at < len(k.s) && strings.IndexByte(",:]}\"{[ \t\r\n", k.s[k.at]) < 0 {
				k.at++
			}
		}
		if depth <= 0 {
			return
		}
	}
}

// fields walks through the entries of a map; each steps over the value that stands next. Any other value is stepped over.
func (k *skimmer) fields(each func(key string)) {
	if k.peek() != '{' {
		k.skip()
		return
	}
	k.at++
	for !k.bad {
		switch k.peek() {
		case '}':
			k.at++
			return
		case ',':
			k.at++
			continue
		case '"':
		default:
			k.bad = true
			return
		}
		key := k.text()
		if k.peek() != ':' {
			k.bad = true
			return
		}
		k.at++
		k.peek()
		each(key)
	}
}

// word reads a string, and steps over anything else.
func (k *skimmer) word() string {
	if k.peek() == '"' {
		return k.text()
	}
	k.skip()
	return ""
}

// span is a part of a text.
type span struct{ from, to int }

// entry is an entry of an object, or of its metadata, as it is written.
type entry struct{ key, text string }

// glance is what a review says of itself, and where the parts of its objects stand.
type glance struct {
	q             request // without its objects
	version, kind string  // of the review
	of            struct{ group, version, kind string }
	managed       []span // the managedFields of both objects
	object, old   []entry
	named         bool // all that names the request was read
	whole         bool // and the text to its end
	twice         bool // something that names the request is said twice
}

// glanceAt reads what names a request. Of a text that was cut off it is known what stands before the object: the API server
// writes the request's fields in the order of its type (k8s.io/api/admission/v1 AdmissionRequest).
func glanceAt(body string) *glance {
	g := &glance{}
	k := &skimmer{s: body}
	met := map[string]bool{}
	once := func(key string) {
		g.twice = g.twice || met[key]
		met[key] = true
	}
	k.fields(func(key string) {
		switch key {
		case "apiVersion":
			once(key)
			g.version = k.word()
		case "kind":
			once(key)
			g.kind = k.word()
		case "request":
			once(key)
			g.request(k, func(key string) { once("request." + key) })
		default:
			k.skip()
		}
	})
	g.whole = !k.bad && k.peek() == 0
	g.named = g.whole || met["request.object"]
	g.q.kind = g.of.kind
	if g.of.group != "" {
		g.q.kind += "." + g.of.group
	}
	return g
}

func (g *glance) request(k *skimmer, once func(string)) {
	words := map[string]*string{
		"uid": &g.q.uid, "operation": &g.q.operation, "subResource": &g.q.subResource, "namespace": &g.q.namespace, "name": &g.q.name,
	}
	k.fields(func(key string) {
		once(key)
		switch key {
		case "kind":
			k.fields(func(key string) {
				once("kind." + key)
				switch key {
				case "group":
					g.of.group = k.word()
				case "version":
					g.of.version = k.word()
				case "kind":
					g.of.kind = k.word()
				default:
					k.skip()
				}
			})
		case "object":
			g.object = g.entries(k)
		case "oldObject":
			g.old = g.entries(k)
		default:
			if to := words[key]; to != nil {
				*to = k.word()
				return
			}
			k.skip()
		}
	})
}

// entries are those of an object, and of its metadata each.
func (g *glance) entries(k *skimmer) []entry {
	var list []entry
	add := func(key string) span {
		from := k.at
		k.skip()
		if len(list) <= mostEntries {
			list = append(list, entry{key, k.s[from:k.at]})
		}
		return span{from, k.at}
	}
	k.fields(func(key string) {
		if key != "metadata" {
			add(key)
			return
		}
		k.fields(func(key string) {
			if at := add("metadata." + key); key == "managedFields" {
				g.managed = append(g.managed, at)
			}
		})
	})
	return list
}

// mostEntries is how many entries of an object are compared.
const mostEntries = 1000

// unmanaged is a body without its managedFields: who wrote which field nobody judges, it is the writer's own text, and
// the API server takes it to any depth.
func (g *glance) unmanaged(body string) string {
	var text strings.Builder
	text.Grow(len(body))
	from := 0
	for _, s := range g.managed {
		text.WriteString(body[from:s.from])
		text.WriteString("null")
		from = s.to
	}
	text.WriteString(body[from:])
	return text.String()
}

// bookkept are the entries that API servers and controllers write while an object stays as it is.
var bookkept = map[string]bool{
	"status": true, "metadata.managedFields": true, "metadata.resourceVersion": true, "metadata.generation": true, "metadata.finalizers": true,
	"metadata.deletionTimestamp": true, "metadata.deletionGracePeriodSeconds": true,
}

// changes says the same as request.changes, and not of what leaves all as it was that may be judged.
func (g *glance) changes() bool {
	if g.q.operation != "UPDATE" || g.q.subResource != "status" {
		return g.q.changes() && !g.unchanged()
	}
	written := func(list []entry) []entry {
		return slices.DeleteFunc(slices.Clone(list), func(e entry) bool { return e.key != "metadata.labels" && e.key != "metadata.annotations" })
	}
	return !g.whole || !slices.Equal(written(g.object), written(g.old))
}

// unchanged says whether an update leaves all as it was that may be judged.
func (g *glance) unchanged() bool {
	if !g.whole || g.q.operation != "UPDATE" {
		return false
	}
	own := func(list []entry) []entry {
		return slices.DeleteFunc(slices.Clone(list), func(e entry) bool { return bookkept[e.key] })
	}
	return len(g.object) > 0 && len(g.object) <= mostEntries && slices.Equal(own(g.object), own(g.old))
}

// Bounds of the values of a review: what is built of each takes twenty bytes and more, and text is at most
// eight megabytes for as many as this in what etcd takes.
const (
	manyBytes  = 1 << 20
	mostValues = 1 << 19
)

// overfull says whether a text holds more values than are read. It counts a few too many, never too few.
func overfull(body string) bool {
	if len(body) < manyBytes {
		return false
	}
	values := 1
	k := &skimmer{s: body}
	for k.at < len(k.s) && values <= mostValues {
		switch k.s[k.at] {
		case '"':
			k.quoted()
			continue
		case ',', '{', '[':
			values++
		}
		k.at++
	}
	return values > mostValues
}

// asTold reads a document of a body that was told to be a review.
func asTold(body string) (*document.Doc, *document.Error) {
	if overfull(body) {
		return nil, &document.Error{Line: 1, Code: document.CodeTooLarge, Message: "there are more values than are read"}
	}
	doc, bad := document.ParseJSON(body)
	if bad == nil {
		bad = doc.Doubt()
	}
	return doc, bad
}
