package source

import "github.com/coaming/coaming/internal/document"

// unread are the parts of objects that no rule reads and that weigh: the schemas in custom resource
// definitions are three quarters of what many repositories hold.
var unread = map[string]bool{"openAPIV3Schema": true}

// prune drops what no rule reads. It was parsed with the rest, so a fault in it has been told.
func prune(d *document.Doc) *document.Doc {
	if root := d.Root(); root.Get("kind").Str() != "CustomResourceDefinition" {
		return d
	}
	return d.Prune(func(key string, entry document.Value) bool {
		return unread[key] && entry.Kind() == document.Map
	})
}
