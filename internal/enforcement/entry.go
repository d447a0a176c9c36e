package enforcement

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/threshold"
)

func (r *reader) entry(v document.Value) Entry {
	e := Entry{At: spot(v)}
	r.fields(v, "an entry of rules", "rules, practices, severity, frameworks, namespaces, namespaceSelector, mode, onError", func(key string, at document.Value) bool {
		switch key {
		case "rules":
			e.Rules = r.list(key, at, nil)
		case "practices":
			e.Practices = r.list(key, at, func(item document.Value) bool { return r.known("practice", item, rule.Practices) })
		case "frameworks":
			e.Frameworks = r.list(key, at, func(item document.Value) bool { return r.known("framework", item, frameworkIDs()) })
		case "severity":
			if e.Severity.UnmarshalText([]byte(at.Str())) != nil {
				r.wrong(at, "Write low, medium, high or critical.", "severity is %q", short(at.Text()))
			}
		case "mode":
			e.Mode = new(r.mode(at))
		case "onError":
			e.Fail = new(r.onError(at))
		default:
			return r.selected(&e.Where, key, at)
		}
		return true
	})
	if v.Kind() == document.Map && e.Mode == nil && e.Fail == nil && !v.Get("mode").Exists() && !v.Get("onError").Exists() {
		r.wrong(v, "Write mode, or onError.", "the entry says nothing of the rules that it chooses")
	}
	return e
}

// known refuses a word that is none of those that there are.
func (r *reader) known(what string, item document.Value, all []string) bool {
	if slices.Contains(all, item.Str()) {
		return true
	}
	remedy := "They are " + strings.Join(all, ", ") + "."
	if near := rule.Nearest(item.Str(), all); near != "" {
		remedy = "Did you mean " + near + "?"
	}
	r.wrong(item, remedy, "there is no %s %q", what, short(item.Str()))
	return false
}

func frameworkIDs() []string {
	all, err := catalog.Frameworks()
	if err != nil { // a fault of the catalogue itself, which its tests find
		return nil
	}
	ids := make([]string, 0, len(all))
	for _, f := range all {
		ids = append(ids, f.ID)
	}
	return ids
}

func (r *reader) image(v document.Value) ImageEntry {
	e := ImageEntry{At: spot(v)}
	r.fields(v, "an entry of images", "namespaces, namespaceSelector, mode, onError, failOn, unseen, waitSeconds, pin", func(key string, at document.Value) bool {
		switch key {
		case "mode":
			e.Mode = new(r.mode(at))
		case "onError":
			e.Fail = new(r.onError(at))
		case "failOn":
			text := r.text(key, at)
			if text == "" {
				break
			}
			gate, err := threshold.Parse(text)
			if err != nil {
				r.wrong(at, "Write a severity, or an expression: severity >= critical && fixed.", "failOn: %v", err)
			}
			e.FailOn = gate
		case "unseen":
			e.Unseen = new(Unseen(r.word(key, at, unseenNames)))
		case "waitSeconds":
			e.Wait = r.seconds(key, at, 1, int64(r.plan.Default.Timeout/time.Second))
		case "pin":
			if at.Kind() != document.Bool {
				r.wrong(at, "Write true or false.", "pin is of type %s", at.Kind())
			}
			e.Pin = new(at.Bool())
		default:
			return r.selected(&e.Where, key, at)
		}
		return true
	})
	return e
}

func (r *reader) mutations(v document.Value) {
	p := r.plan
	r.fields(v, "mutations", "defaults, resources, sidecars", func(key string, at document.Value) bool {
		switch key {
		case "defaults":
			r.entries(key, at, func(item document.Value) { p.Defaults = append(p.Defaults, r.defaults(item)) })
		case "resources":
			r.entries(key, at, func(item document.Value) { p.Resources = append(p.Resources, r.resources(item)) })
		case "sidecars":
			r.entries(key, at, func(item document.Value) { p.Sidecars = append(p.Sidecars, r.sidecar(item)) })
		default:
			return false
		}
		return true
	})
}

func (r *reader) defaults(v document.Value) DefaultEntry {
	e := DefaultEntry{At: spot(v)}
	r.fields(v, "an entry of defaults", "rules, namespaces, namespaceSelector", func(key string, at document.Value) bool {
		if key == "rules" {
			e.Rules = r.list(key, at, nil)
			return true
		}
		return r.selected(&e.Where, key, at)
	})
	if v.Kind() == document.Map && !v.Get("rules").Exists() {
		r.wrong(v, "Write rules: the ids of those whose fixes are wanted.", "rules is missing")
	}
	return e
}

func (r *reader) resources(v document.Value) ResourceEntry {
	e := ResourceEntry{At: spot(v)}
	r.fields(v, "an entry of resources", "namespaces, namespaceSelector, requests, limits", func(key string, at document.Value) bool {
		switch key {
		case "requests":
			e.Requests = r.amounts(key, at)
		case "limits":
			e.Limits = r.amounts(key, at)
		default:
			return r.selected(&e.Where, key, at)
		}
		return true
	})
	if v.Kind() == document.Map && !v.Get("requests").Exists() && !v.Get("limits").Exists() {
		r.wrong(v, "Write requests, limits or both.", "the entry gives no resources")
	}
	return e
}

var templateForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func (r *reader) sidecar(v document.Value) SidecarEntry {
	e := SidecarEntry{At: spot(v)}
	r.fields(v, "an entry of sidecars", "template, values, namespaces, namespaceSelector, workloadSelector", func(key string, at document.Value) bool {
		switch key {
		case "template":
			e.Template = r.text(key, at)
			if e.Template != "" && !templateForm.MatchString(e.Template) {
				r.wrong(at, "Write a name like audit-forwarder.", "template: %q is no name", short(e.Template))
			}
		case "values":
			e.Values = r.values(key, at)
		case "workloadSelector":
			e.Workload = r.selector(key, at)
		default:
			return r.selected(&e.Where, key, at)
		}
		return true
	})
	if v.Kind() == document.Map && !v.Get("template").Exists() {
		r.wrong(v, "Write template: the name of a sidecar's template.", "template is missing")
	}
	return e
}
