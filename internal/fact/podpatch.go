package fact

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/document"
)

// mergeKeys are the lists of a pod spec that a strategic merge patch merges by a key of their items, by
// path; all others it replaces (the patchMergeKey tags of PodSpec and Container in k8s.io/api core/v1).
var mergeKeys = func() map[string]string {
	keys := map[string]string{
		"volumes": "name", "imagePullSecrets": "name", "hostAliases": "ip", "topologySpreadConstraints": "topologyKey",
		"resourceClaims": "name", "schedulingGates": "name", "evictionResponders": "name",
	}
	for _, field := range ContainerFields {
		keys[field] = "name"
		for list, key := range map[string]string{"env": "name", "ports": "containerPort", "volumeMounts": "mountPath", "volumeDevices": "devicePath"} {
			keys[field+"."+list] = key
		}
	}
	return keys
}()

// longestPatch bounds the text of a patch, in bytes.
const longestPatch = 256 << 10

// Errors of patches that cannot be told to mean anything.
var (
	errFilledIn  = errors.New("is filled in when it runs, and may change any field of the pod")
	errNoPatch   = errors.New("is no strategic merge patch of a pod spec")
	errDirective = errors.New("holds a directive of a strategic merge that is not followed here")
	errAdded     = errors.New("changes a container that Argo adds to the pod")
	errPatchSize = errors.New("is larger than what is judged")
)

// patched is the workload with texts of strategic merge patches laid over its pod spec, one after the
// other, as Argo lays them (workflow/util, ApplyPodSpecPatch). What cannot be told is a doubt.
func (w *Workload) patched(texts []document.Value, budget *int) *Workload {
	for _, text := range texts {
		if k := text.Kind(); k <= document.Null || k == document.String && strings.TrimSpace(text.Str()) == "" || w.doubt != "" {
			continue
		}
		next, err := w.patch(text, budget)
		if err != nil {
			w.doubt = "its podSpecPatch " + err.Error()
			return w
		}
		w = next
	}
	return w
}

// patch lays one patch over the pod spec.
func (w *Workload) patch(text document.Value, budget *int) (*Workload, error) {
	root, err := readPatch(text)
	if err != nil {
		return nil, err
	}
	if *budget -= w.Spec.Nodes() + root.Nodes(); *budget < 0 {
		return nil, errPatchSize
	}
	m := &podMerge{text: text, moved: map[string][]int{}}
	spec, err := m.maps(nil, w.Spec, root, w.Path)
	if err != nil {
		return nil, err
	}
	raw := []byte("{")
	if meta := w.Template.Get("metadata"); meta.Exists() {
		raw = append(meta.AppendJSON(append(raw, `"metadata":`...)), ',')
	}
	raw = append(append(append(raw, `"spec":`...), spec...), '}')
	doc, fault := document.ParseJSON(string(raw))
	if fault != nil {
		return nil, errNoPatch
	}
	next := newWorkload(w.Object, doc.Root(), nil)
	next.Leaves, next.grafts = w.Leaves, m.grafted(w.grafts)
	return next, nil
}

// readPatch reads the text of a patch, which is JSON or YAML.
func readPatch(text document.Value) (document.Value, error) {
	s := text.Str()
	switch {
	case text.Kind() != document.String:
		return document.Value{}, errNoPatch
	case strings.Contains(s, "{{"):
		return document.Value{}, errFilledIn
	case len(s) > longestPatch:
		return document.Value{}, errPatchSize
	}
	docs, faults := document.Read(document.NewText(s), 1)
	if len(faults) > 0 || len(docs) != 1 || docs[0].Doubt() != nil || docs[0].Root().Kind() != document.Map {
		return document.Value{}, errNoPatch
	}
	return docs[0].Root(), nil
}

// podMerge is one strategic merge, with a note of what came from where.
type podMerge struct {
	text   document.Value // the patch, as it stands in the object
	grafts []graft        // what the patch put there
	moved  map[string][]int
}

// from notes that what stands at a path of the result comes from the patch.
func (m *podMerge) from(at []document.Step) {
	m.grafts = append(m.grafts, graft{slices.Clone(at), m.text.Steps()})
}

// maps merges a patch into a map. at is the path of the result, which is that of the base but for list indices.
func (m *podMerge) maps(raw []byte, base, patch document.Value, at []document.Step) ([]byte, error) {
	switch directive := patch.Get("$patch"); {
	case directive.Str() == "replace":
		m.from(at)
		return replaced(raw, patch)
	case directive.Exists():
		return nil, errDirective
	}
	raw = append(raw, '{')
	key := func(name string) { raw = appendKey(raw, name) }
	for name, old := range base.Fields() {
		now := patch.Get(name)
		if now.Exists() && now.Kind() == document.Null {
			m.from(append(slices.Clip(at), document.Step{Key: name}))
			continue
		}
		key(name)
		var err error
		if raw, err = m.value(raw, old, now, append(slices.Clip(at), document.Step{Key: name})); err != nil {
			return nil, err
		}
	}
	for name, now := range patch.Fields() {
		switch {
		case strings.HasPrefix(name, "$"):
			return nil, errDirective
		case base.Get(name).Exists() || now.Kind() == document.Null:
			continue
		}
		key(name)
		var err error
		if raw, err = m.value(raw, document.Value{}, now, append(slices.Clip(at), document.Step{Key: name})); err != nil {
			return nil, err
		}
	}
	return append(raw, '}'), nil
}

// value merges one value; now does not exist where the patch says nothing of it.
func (m *podMerge) value(raw []byte, old, now document.Value, at []document.Step) ([]byte, error) {
	merged := mergeKeys[pathOf(at)]
	switch {
	case !now.Exists():
		return old.AppendJSON(raw), nil
	case now.Kind() == document.Map && old.Kind() == document.Map:
		return m.maps(raw, old, now, at)
	case now.Kind() == document.List && merged != "" && (old.Kind() == document.List || !old.Exists() || old.Kind() == document.Null):
		return m.lists(raw, old, now, merged, at)
	}
	m.from(at)
	return taken(raw, now)
}

// lists merges lists whose items are told apart by a key.
func (m *podMerge) lists(raw []byte, old, now document.Value, by string, at []document.Step) ([]byte, error) {
	changes := map[string]document.Value{}
	var order []string
	for _, item := range now.Items() {
		id, known := idOf(item, by)
		directive := item.Get("$patch").Str()
		switch {
		case directive == "replace" && item.Len() == 1, !known:
			return nil, errDirective
		case changes[id].Exists():
			return nil, errNoPatch
		}
		changes[id] = item
		order = append(order, id)
	}
	raw = append(raw, '[')
	n := 0
	begin := func() []document.Step {
		if n > 0 {
			raw = append(raw, ',')
		}
		n++
		return append(slices.Clip(at), document.Step{Index: n - 1})
	}
	var moved []int
	for _, item := range old.Items() {
		id, known := idOf(item, by)
		change := changes[id]
		if !known {
			change = document.Value{}
		} else {
			delete(changes, id)
		}
		if change.Get("$patch").Str() == "delete" {
			moved = append(moved, -1)
			continue
		}
		moved = append(moved, n)
		var err error
		if raw, err = m.value(raw, item, change, begin()); err != nil {
			return nil, err
		}
	}
	m.moved[stepsKey(at)] = moved
	for _, id := range order {
		item := changes[id]
		if !item.Exists() || item.Get("$patch").Str() == "delete" {
			continue
		}
		if added, err := addedByArgo(item, at); added || err != nil {
			if err != nil {
				return nil, err
			}
			continue
		}
		here := begin()
		m.from(here)
		var err error
		if raw, err = taken(raw, item); err != nil {
			return nil, err
		}
	}
	return append(raw, ']'), nil
}

// addedByArgo says whether an item of a patch is about a container that Argo adds (init, wait): one that
// bounds what that takes changes nothing that is judged here.
func addedByArgo(item document.Value, at []document.Step) (bool, error) {
	if !slices.Contains(ContainerFields, pathOf(at)) || item.Get("image").Exists() {
		return false, nil
	}
	for key := range item.Fields() {
		if !slices.Contains([]string{"name", "resources", "imagePullPolicy", "terminationMessagePolicy"}, key) {
			return false, errAdded
		}
	}
	return true, nil
}

// idOf is an item's value of the merge key, a text told apart from a number.
func idOf(item document.Value, by string) (id string, known bool) {
	v := item.Get(by)
	if k := v.Kind(); item.Kind() != document.Map || k <= document.Null || k == document.Map || k == document.List {
		return "", false
	}
	return v.Kind().String() + " " + v.Text(), true
}

// taken is a value of the patch alone: nulls take away what is not there. What directives mean there Kubernetes'
// own merge does not decide well.
func taken(raw []byte, v document.Value) ([]byte, error) {
	if directs(v) {
		return nil, errDirective
	}
	return v.AppendJSONWithout(raw, func(_ int, _ string, entry document.Value) bool { return entry.Kind() == document.Null }), nil
}

// replaced is what a map that is to replace another one holds.
func replaced(raw []byte, patch document.Value) ([]byte, error) {
	for key, entry := range patch.Fields() {
		if key != "$patch" && (key[:min(1, len(key))] == "$" || directs(entry)) {
			return nil, errDirective
		}
	}
	return patch.AppendJSONWithout(raw, func(depth int, key string, entry document.Value) bool {
		return depth == 1 && key == "$patch" || entry.Kind() == document.Null
	}), nil
}

// directs says whether a value holds a directive.
func directs(v document.Value) bool {
	for key, entry := range v.Fields() {
		if strings.HasPrefix(key, "$") || directs(entry) {
			return true
		}
	}
	for _, item := range v.Items() {
		if directs(item) {
			return true
		}
	}
	return false
}

// grafted are the grafts of the base where its parts now stand, and those of the patch.
func (m *podMerge) grafted(old []graft) []graft {
	var list []graft
	for _, g := range old {
		at, kept := m.now(g.at)
		if !kept || slices.ContainsFunc(m.grafts, func(p graft) bool { return len(p.at) <= len(at) && begins(at, p.at) }) {
			continue
		}
		list = append(list, graft{at, g.from})
	}
	return append(list, m.grafts...)
}

// now is where a path of the base stands in the result; false where it is gone.
func (m *podMerge) now(at []document.Step) ([]document.Step, bool) {
	out := slices.Clone(at)
	for i, s := range at {
		if s.Key != "" {
			continue
		}
		// The lists around it are at their new places already, which is how they were noted.
		if moved, merged := m.moved[stepsKey(out[:i])]; merged && s.Index < len(moved) {
			if moved[s.Index] < 0 {
				return nil, false
			}
			out[i].Index = moved[s.Index]
		}
	}
	return out, true
}

// pathOf is the keys of a path below the pod spec, without list indices.
func pathOf(at []document.Step) string {
	var keys []string
	for _, s := range at[1:] {
		if s.Key != "" {
			keys = append(keys, s.Key)
		}
	}
	return strings.Join(keys, ".")
}

func stepsKey(at []document.Step) string {
	var b strings.Builder
	for _, s := range at {
		if s.Key == "" {
			b.WriteString("\x00" + strconv.Itoa(s.Index))
		} else {
			b.WriteString("\x01" + s.Key)
		}
	}
	return b.String()
}
