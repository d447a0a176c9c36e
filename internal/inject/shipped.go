package inject

import (
	"embed"
	"fmt"
	"io/fs"
	"sync"
)

//go:embed templates/*.yaml
var shippedFiles embed.FS

// shipped are the templates that come with the program, read once.
var shipped = sync.OnceValues(func() (map[string]*Template, error) {
	files, err := fs.Glob(shippedFiles, "templates/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list templates: %w", err)
	}
	all := map[string]*Template{}
	for _, file := range files {
		text, err := shippedFiles.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read template: %w", err)
		}
		t, err := ReadTemplate(file, string(text))
		if err != nil {
			return nil, fmt.Errorf("read template: %w", err)
		}
		all[t.Name] = t
	}
	return all, nil
})

// Shipped are the templates that come with the program, by name; the map is the caller's own.
func Shipped() (map[string]*Template, error) {
	all, err := shipped()
	own := make(map[string]*Template, len(all))
	for name, t := range all {
		own[name] = t
	}
	return own, err
}

// ShippedText is the file of a shipped template, for people who want to begin with it.
func ShippedText(name string) (string, bool) {
	text, err := shippedFiles.ReadFile("templates/" + name + ".yaml")
	return string(text), err == nil
}
