package enforcement

import (
	"regexp"

	"github.com/coaming/coaming/internal/document"
)

func (r *reader) quota(v document.Value) QuotaEntry {
	e := QuotaEntry{At: spot(v)}
	r.fields(v, "an entry of quotas", "namespaces, namespaceSelector, hard, limitRange", func(key string, at document.Value) bool {
		switch key {
		case "hard":
			e.Hard = r.amounts(key, at)
		case "limitRange":
			r.limitRange(&e, at)
		default:
			return r.selected(&e.Where, key, at)
		}
		return true
	})
	if v.Kind() == document.Map && !v.Get("hard").Exists() && !v.Get("limitRange").Exists() {
		r.wrong(v, "Write hard, limitRange or both.", "the entry limits nothing")
	}
	return e
}

// limitRange reads a LimitRange's spec, a map with the list limits, or one item of it.
func (r *reader) limitRange(e *QuotaEntry, v document.Value) {
	if !v.Get("limits").Exists() {
		e.Limits = append(e.Limits, r.limitItem(v))
		return
	}
	r.fields(v, "limitRange", "limits", func(key string, at document.Value) bool {
		if key != "limits" {
			return false
		}
		r.entries("limits", at, func(item document.Value) { e.Limits = append(e.Limits, r.limitItem(item)) })
		return true
	})
}

// limitTypes are what a LimitRange bounds.
var limitTypes = []string{"Container", "Pod", "PersistentVolumeClaim"}

func (r *reader) limitItem(v document.Value) LimitItem {
	item := LimitItem{Type: limitTypes[0]}
	r.fields(v, "limitRange", "type, max, min, default, defaultRequest, maxLimitRequestRatio", func(key string, at document.Value) bool {
		switch key {
		case "type":
			item.Type = limitTypes[r.word(key, at, limitTypes)]
		case "max":
			item.Max = r.amounts(key, at)
		case "min":
			item.Min = r.amounts(key, at)
		case "default":
			item.Default = r.amounts(key, at)
		case "defaultRequest":
			item.DefaultRequest = r.amounts(key, at)
		case "maxLimitRequestRatio":
			item.MaxRequestRatio = r.amounts(key, at)
		default:
			return false
		}
		return true
	})
	if item.Type != limitTypes[0] && (item.Default != nil || item.DefaultRequest != nil) {
		r.wrong(v, "Leave default and defaultRequest out, or write type: Container.", "the API server gives defaults to containers alone, not to a %s", item.Type)
	}
	return item
}

// Levels are those of the Pod Security Standards, the strictest last.
var Levels = []string{"privileged", "baseline", "restricted"}

var versionForm = regexp.MustCompile(`^(latest|v1\.[0-9]{1,3})$`)

func (r *reader) podSecurity(v document.Value) PodSecurityEntry {
	e := PodSecurityEntry{At: spot(v)}
	r.fields(v, "an entry of podSecurity", "namespaces, namespaceSelector, enforce, warn, audit, version", func(key string, at document.Value) bool {
		switch key {
		case "enforce":
			e.Enforce = Levels[r.word(key, at, Levels)]
		case "warn":
			e.Warn = Levels[r.word(key, at, Levels)]
		case "audit":
			e.Audit = Levels[r.word(key, at, Levels)]
		case "version":
			if e.Version = at.Str(); !versionForm.MatchString(e.Version) {
				r.wrong(at, "Write latest, or a version like v1.34.", "version is %q", short(at.Text()))
			}
		default:
			return r.selected(&e.Where, key, at)
		}
		return true
	})
	if v.Kind() == document.Map && e.Enforce == "" && e.Warn == "" && e.Audit == "" {
		r.wrong(v, "Write enforce, warn or audit: "+Levels[0]+", "+Levels[1]+" or "+Levels[2]+".", "the entry asks for no level")
	}
	return e
}
