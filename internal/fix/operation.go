package fix

import (
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/document"
)

// Operation is one step of a JSON patch (RFC 6902).
type Operation struct {
	Op    string
	Path  string
	Value document.Value // of add, replace and test
}

// Operations are what makes one object of another.
func Operations(before, after document.Value) []Operation { return operations(nil, before, after, "") }

// operations are what makes one value of another, list items from the last to the first, so that
// indices hold while the patch runs. Before an item of a list is touched, its name is tested: the
// object may have changed since it was read.
func operations(list []Operation, before, after document.Value, path string) []Operation {
	switch {
	case document.Equal(before, after):
		return list
	case before.Kind() == document.Map && after.Kind() == document.Map:
		for key, old := range before.Fields() {
			if now := after.Get(key); now.Exists() {
				list = operations(list, old, now, path+"/"+pointer(key))
			} else {
				list = append(list, Operation{Op: "remove", Path: path + "/" + pointer(key)})
			}
		}
		for key, now := range after.Fields() {
			if !before.Get(key).Exists() {
				list = append(list, Operation{Op: "add", Path: path + "/" + pointer(key), Value: now})
			}
		}
		return list
	case before.Kind() == document.List && after.Kind() == document.List && after.Len() >= before.Len():
		var old document.Value
		var near uint64
		for i, now := range after.Items() {
			at := path + "/" + strconv.Itoa(i)
			old, near = before.IndexNear(i, near)
			switch {
			case !old.Exists():
				list = append(list, Operation{Op: "add", Path: path + "/-", Value: now})
			case !document.Equal(old, now):
				if name := old.Get("name"); name.Exists() && document.Equal(name, now.Get("name")) {
					list = append(list, Operation{Op: "test", Path: at + "/name", Value: name})
				}
				list = operations(list, old, now, at)
			}
		}
		return list
	}
	return append(list, Operation{Op: "replace", Path: path, Value: after})
}

func pointer(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}

// JSON is the patch as kubectl patch --type=json takes it.
func (o *Object) JSON() string {
	var b strings.Builder
	b.WriteString("[\n")
	for i, op := range o.Operations {
		b.WriteString(`  {"op": "` + op.Op + `", "path": ` + string(document.AppendString(nil, op.Path)))
		if op.Op != "remove" {
			b.WriteString(`, "value": ` + string(op.Value.AppendJSON(nil)))
		}
		b.WriteString("}")
		if i+1 < len(o.Operations) {
			b.WriteString(",")
		}
		b.WriteString("\n")
	}
	b.WriteString("]\n")
	return b.String()
}
