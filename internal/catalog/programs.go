package catalog

import (
	"strings"
	"sync"

	"github.com/coaming/coaming/internal/rule"
)

// StoreOf is the data store that an image runs, "PostgreSQL", by the last parts of its repository; ""
// for all other images.
func StoreOf(image string) string { return programOf(programs().stores, image) }

// ConsoleOf is the console that an image runs, "Argo CD"; "" for all other images.
func ConsoleOf(image string) string { return programOf(programs().consoles, image) }

func programOf(known map[string]string, image string) string {
	name, _ := rule.SplitImage(image)
	name = strings.ToLower(name)
	slash := strings.LastIndexByte(name, '/')
	if slash > 0 {
		if program := known[name[strings.LastIndexByte(name[:slash], '/')+1:]]; program != "" {
			return program
		}
	}
	return known[name[slash+1:]]
}

// programNames are the programs by the last part of their images' repositories.
type programNames struct{ stores, consoles map[string]string }

var programs = sync.OnceValue(func() programNames {
	p := programNames{map[string]string{}, map[string]string{}}
	root, err := support("programs.yaml")
	if err != nil {
		return p // TestSupport reads the same file and fails
	}
	for key, into := range map[string]map[string]string{"stores": p.stores, "consoles": p.consoles} {
		for program, names := range root.Get(key).Fields() {
			for _, name := range names.Items() {
				into[name.Str()] = program
			}
		}
	}
	return p
})
