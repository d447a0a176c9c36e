package catalog

import "sync"

// ToolOf is the class of a program by the name of its file, "shell" or "compiler"; "" for all others.
func ToolOf(name string) string { return tools().classes[name] }

// DaemonOf is the server that a program is by the name of its file, "nginx"; "" for all others.
func DaemonOf(name string) string { return tools().daemons[name] }

type toolNames struct{ classes, daemons map[string]string }

var tools = sync.OnceValue(func() toolNames {
	t := toolNames{map[string]string{}, map[string]string{}}
	root, err := support("tools.yaml")
	if err != nil {
		return t // TestTools reads the same file and fails
	}
	for key, into := range map[string]map[string]string{"tools": t.classes, "daemons": t.daemons} {
		for class, names := range root.Get(key).Fields() {
			for _, name := range names.Items() {
				into[name.Str()] = class
			}
		}
	}
	return t
})
