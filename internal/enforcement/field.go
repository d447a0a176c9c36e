package enforcement

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coaming/coaming/internal/document"
)

// word reads one of several words; 0 where it is none of them.
func (r *reader) word(key string, v document.Value, words []string) int {
	text := v.Text()
	if v.Kind() == document.Bool && !v.Bool() {
		text = "off" // without quotes YAML reads the word as false
	}
	if i := slices.Index(words, text); i >= 0 {
		return i
	}
	r.wrong(v, "Write "+strings.Join(words, ", ")+".", "%s is %q", key, short(text))
	return 0
}

func (r *reader) mode(v document.Value) Mode { return Mode(r.word("mode", v, modeNames)) }

func (r *reader) onError(v document.Value) bool {
	return r.word("onError", v, []string{"ignore", "fail"}) == 1
}

func (r *reader) seconds(key string, v document.Value, least, most int64) time.Duration {
	n, ok := v.Int()
	if !ok || n < least || n > most {
		r.wrong(v, "Write a whole number of seconds.", "%s is %q, not %d to %d", key, short(v.Text()), least, most)
		return time.Duration(least) * time.Second
	}
	return time.Duration(n) * time.Second
}

func (r *reader) text(key string, v document.Value) string {
	text := strings.TrimSpace(v.Str())
	if text == "" {
		r.wrong(v, "Write "+key+" as a text; put it in quotes, or leave the key out.", "%s is of type %s and empty", key, v.Kind())
	}
	return text
}

// list reads a list of texts that is not empty: one that is would choose everything, or nothing.
func (r *reader) list(key string, v document.Value, check func(item document.Value) bool) []string {
	if v.Kind() != document.List || v.Len() == 0 {
		r.wrong(v, "Write a list, "+key+": [...], or leave the key out.", "%s is no list with something in it", key)
		return nil
	}
	if v.Len() > maxEntries {
		r.wrong(v, "Use globs and selectors.", "%s has %d items, over %d", key, v.Len(), maxEntries)
		return nil
	}
	list := make([]string, 0, v.Len())
	for _, item := range v.Items() {
		if item.Str() == "" {
			r.wrong(item, "Put it in quotes.", "an item of %s is of type %s and empty", key, item.Kind())
			continue
		}
		if check == nil || check(item) {
			list = append(list, item.Str())
		}
	}
	return list
}

var namespaceForm = regexp.MustCompile(`^[a-z0-9*]([a-z0-9*-]{0,61}[a-z0-9*])?$`)

func (r *reader) namespaces(key string, v document.Value) []string {
	return r.list(key, v, func(item document.Value) bool {
		ok := namespaceForm.MatchString(item.Str())
		if !ok {
			r.wrong(item, "Write a name like shop, or one with * for any text, as in team-*.", "%s: %q is no name of a namespace", key, short(item.Str()))
		}
		return ok
	})
}

// selected reads the two keys of a selection; false for every other key.
func (r *reader) selected(s *Selection, key string, v document.Value) bool {
	switch key {
	case "namespaces":
		s.Names = r.namespaces(key, v)
	case "namespaceSelector":
		s.Selector = r.selector(key, v)
		if compiled, err := metav1.LabelSelectorAsSelector(s.Selector); err == nil && s.Selector != nil {
			s.requirements, _ = compiled.Requirements()
		}
	default:
		return false
	}
	return true
}

// selector reads a label selector; nil with a fault where it is none, or selects everything.
func (r *reader) selector(key string, v document.Value) *metav1.LabelSelector {
	const remedy = "Write matchLabels: {KEY: VALUE}, or matchExpressions: [{key: KEY, operator: In, values: [VALUE]}]."
	before := len(r.faults)
	r.fields(v, key, "matchLabels, matchExpressions", func(part string, at document.Value) bool {
		switch part {
		case "matchLabels":
			for name, value := range at.Fields() {
				if value.Kind() != document.String {
					r.wrong(value, "Put the value in quotes.", "%s: the value of %s is of type %s, not a string", key, short(name), value.Kind())
				}
			}
		case "matchExpressions":
			for _, item := range at.Items() {
				r.fields(item, "an item of matchExpressions", "key, operator, values", func(field string, _ document.Value) bool {
					return field == "key" || field == "operator" || field == "values"
				})
			}
		default:
			return false
		}
		return true
	})
	if len(r.faults) > before {
		return nil
	}
	selector := &metav1.LabelSelector{}
	if err := json.Unmarshal(v.AppendJSON(nil), selector); err != nil {
		r.wrong(v, remedy, "%s is no label selector", key)
		return nil
	}
	compiled, err := metav1.LabelSelectorAsSelector(selector)
	switch {
	case err != nil:
		r.wrong(v, remedy, "%s: %s", key, short(strings.ReplaceAll(err.Error(), "\n", " ")))
		return nil
	case compiled.Empty():
		r.wrong(v, remedy, "%s is empty and selects everything: leave it out to mean that", key)
		return nil
	}
	return selector
}

var resourceForm = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9._/-]{0,250}[a-zA-Z0-9])?$`)

// amounts reads Kubernetes quantities by resource.
func (r *reader) amounts(key string, v document.Value) map[string]string {
	if v.Kind() != document.Map || v.Len() == 0 {
		r.wrong(v, "Write resources with their amounts: {cpu: 50m, memory: 64Mi}.", "%s is no map with something in it", key)
		return nil
	}
	list := map[string]string{}
	for name, at := range v.Fields() {
		if !resourceForm.MatchString(name) {
			r.wrong(at, "Write one like cpu, memory, ephemeral-storage or count/pods.", "%s: %q is no name of a resource", key, short(name))
			continue
		}
		text := at.Text()
		quantity, err := resource.ParseQuantity(text)
		if k := at.Kind(); err != nil || len(text) > 64 || k != document.String && k != document.Int && k != document.Float {
			r.wrong(at, "Write one like 50m, 2 or 64Mi.", "%s: %s is %q, which is no amount", key, short(name), short(text))
			continue
		}
		if quantity.Sign() < 0 {
			r.wrong(at, "Write 0 or more.", "%s: %s is below 0", key, short(name))
			continue
		}
		list[name] = text
	}
	return list
}

// values reads texts and numbers by name; what they mean knows the template that they are for.
func (r *reader) values(key string, v document.Value) map[string]string {
	if v.Kind() != document.Map || v.Len() == 0 {
		r.wrong(v, "Write values by their names: {image: registry.example.com/forwarder:1}.", "%s is no map with something in it", key)
		return nil
	}
	list := map[string]string{}
	for name, at := range v.Fields() {
		switch at.Kind() {
		case document.String, document.Int, document.Float:
			list[name] = at.Text()
		case document.Bool:
			list[name] = strconv.FormatBool(at.Bool())
		default:
			r.wrong(at, "Write a text; put it in quotes.", "%s: %s is of type %s", key, short(name), at.Kind())
		}
	}
	return list
}
