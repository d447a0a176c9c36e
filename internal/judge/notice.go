package judge

import (
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// Notice is a finding with what it rests on.
type Notice struct {
	Finding *verdict.Finding
	// Seen is the same for two findings of one fingerprint where the rule saw the same of the object both times: what was
	// changed between them, the rule does not judge. What comes from other objects is no part of it, and it is no format.
	Seen []byte
}

// notice tells who asks what the finding rests on; item is the fact, or the item of a rule with an each.
func (w *worker) notice(f *verdict.Finding, r *rule.Compiled, m *matched, item document.Value) {
	if w.Noticed == nil || m.object == nil {
		return
	}
	var seen []byte
	for _, path := range r.Reads() {
		keys := rule.Keys(path)
		seen = append(m.appendRead(seen, r.EachName, item, keys), 0)
	}
	w.Noticed(Notice{f, seen})
}

// appendRead appends what a rule reads at a path, where that is the object's own.
func (m *matched) appendRead(b []byte, each string, item document.Value, keys []string) []byte {
	root, keys := keys[0], keys[1:]
	switch root {
	case each:
		if item.Key() != "" {
			return document.AppendExact(append(append(b, item.Key()...), 0), item) // an entry of a map
		}
		return appendAt(b, item, keys)
	case "container":
		return appendAt(b, m.value, keys)
	case "role", "object", "api":
		return m.encode(b, &part{root: root, keys: keys})
	case "ns":
		return document.AppendExact(b, m.object.Root.Get("metadata"))
	case "binding":
		return document.AppendExact(document.AppendExact(b, m.object.Root.Get("roleRef")), m.object.Root.Get("subjects"))
	case "workload":
		switch {
		case m.workload == nil:
		case len(keys) == 0:
			return document.AppendExact(b, m.workload.Template)
		case keys[0] == "spec" || workloadParts[keys[0]] != nil:
			return m.encode(b, &part{root: root, keys: keys})
		default: // it follows from containers and images
			return document.AppendExact(b, m.workload.Spec)
		}
	}
	return b
}
