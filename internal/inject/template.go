package inject

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/kubetype"
	"github.com/coaming/coaming/internal/rule"
)

// The file of a template.
const (
	templateVersion = "coaming.dev/v1alpha1"
	templateKind    = "SidecarTemplate"
	// LargestTemplate bounds a template's file, in bytes.
	LargestTemplate = 1 << 20
	// mostParts bounds each of a template's lists.
	mostParts = 64
)

// Template is a sidecar to be: what a pod gains, with places that a plan's values fill.
type Template struct {
	Name, Version string
	// About is one sentence for people.
	About string
	// From and Before bound the Kubernetes versions of the servers it is for: From <= server < Before; "" for no bound.
	From, Before string
	Parameters   []Parameter

	file string
	spec document.Value
	errs []error
}

// Parameter is one value that a plan gives a template.
type Parameter struct {
	Name, About string
	// Default is what it is where a plan does not say; Required says that a plan must.
	Default  string
	Required bool
}

var (
	wordName    = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)
	versionText = regexp.MustCompile(`^[0-9A-Za-z]([-+._0-9A-Za-z]{0,62}[0-9A-Za-z])?$`)
	placeholder = regexp.MustCompile(`\$\[([^\]\n]*)\]`)
)

// longestName bounds a template's name, so that annotations and policies may hold it.
const longestName = 40

// ReadTemplate reads a template's file. All that is wrong is told at once, each fault with its place.
func ReadTemplate(file, text string) (*Template, error) {
	if len(text) > LargestTemplate {
		return nil, &rule.Fault{File: file, Line: 1, Column: 1, Message: fmt.Sprintf("a template has at most %d bytes", LargestTemplate)}
	}
	docs, errs := document.Read(document.NewText(text), 1)
	if len(errs) > 0 {
		return nil, &rule.Fault{File: file, Line: errs[0].Line, Column: max(errs[0].Column, 1), Message: errs[0].Message}
	}
	if len(docs) != 1 || docs[0].Root().Kind() != document.Map {
		return nil, &rule.Fault{File: file, Line: 1, Column: 1, Message: "want one YAML map: a SidecarTemplate"}
	}
	t := &Template{file: file}
	if doubt := docs[0].Doubt(); doubt != nil {
		t.errs = append(t.errs, &rule.Fault{File: file, Line: doubt.Line, Column: max(doubt.Column, 1), Message: doubt.Message})
	}
	t.read(docs[0].Root())
	if err := rule.InOrder(errors.Join(t.errs...)); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Template) fault(v document.Value, format string, args ...any) {
	line, column := v.Position()
	t.errs = append(t.errs, &rule.Fault{File: t.file, Line: max(line, 1), Column: max(column, 1), Message: fmt.Sprintf(format, args...)})
}

// keys asks that a map has no keys but those, and has those that are needed.
func (t *Template) keys(v document.Value, what string, known []string, needed ...string) bool {
	if v.Kind() != document.Map {
		t.fault(v, "%s: want a map, this is a %s", what, v.Kind())
		return false
	}
	for key, entry := range v.Fields() {
		if !slices.Contains(known, key) {
			t.fault(entry, "%s: unknown key %q; there are %s", what, key, strings.Join(known, ", "))
		}
	}
	for _, key := range needed {
		if !v.Get(key).Exists() {
			t.fault(v, "%s: %s is missing", what, key)
		}
	}
	return true
}

func (t *Template) text(v document.Value, what string) string {
	if v.Exists() && strings.TrimSpace(v.Str()) == "" {
		t.fault(v, "%s: want a text", what)
	}
	return v.Str()
}

func (t *Template) read(root document.Value) {
	t.keys(root, "template", []string{"apiVersion", "kind", "metadata", "spec"}, "apiVersion", "kind", "metadata", "spec")
	if v := root.Get("apiVersion"); v.Exists() && v.Str() != templateVersion {
		t.fault(v, "apiVersion: want %s", templateVersion)
	}
	if v := root.Get("kind"); v.Exists() && v.Str() != templateKind {
		t.fault(v, "kind: want %s", templateKind)
	}
	if meta := root.Get("metadata"); meta.Exists() && t.keys(meta, "metadata", []string{"name"}, "name") {
		t.Name = t.text(meta.Get("name"), "metadata.name")
		if t.Name != "" && (!wordName.MatchString(t.Name) || len(t.Name) > longestName) {
			t.fault(meta.Get("name"), "metadata.name: want at most %d small letters, digits and hyphens, a letter first", longestName)
		}
	}
	t.spec = root.Get("spec")
	known := []string{"version", "about", "servers", "values", "sidecars", "containers", "volumes", "annotations", "programs"}
	if !t.spec.Exists() || !t.keys(t.spec, "spec", known, "version") {
		return
	}
	t.Version = t.text(t.spec.Get("version"), "spec.version")
	if t.Version != "" && !versionText.MatchString(t.Version) {
		t.fault(t.spec.Get("version"), "spec.version: want letters, digits, dots, hyphens and plus signs, 64 at most")
	}
	t.About = t.text(t.spec.Get("about"), "spec.about")
	t.servers(t.spec.Get("servers"))
	t.parameters(t.spec.Get("values"))
	t.content()
}

func (t *Template) servers(v document.Value) {
	if !v.Exists() || !t.keys(v, "spec.servers", []string{"from", "before"}) {
		return
	}
	for _, bound := range []struct {
		key string
		to  *string
	}{{"from", &t.From}, {"before", &t.Before}} {
		entry := v.Get(bound.key)
		*bound.to = t.text(entry, "spec.servers."+bound.key)
		if entry.Exists() && !catalog.Reached(*bound.to, "1.0") {
			t.fault(entry, `spec.servers.%s: want the text of a Kubernetes version like "1.29"`, bound.key)
		}
	}
	if t.From != "" && t.Before != "" && catalog.Reached(t.From, t.Before) {
		t.fault(v, "spec.servers: no version is from %s on and before %s", t.From, t.Before)
	}
}

func (t *Template) parameters(v document.Value) {
	if !v.Exists() {
		return
	}
	if v.Kind() != document.Map || v.Len() > mostParts {
		t.fault(v, "spec.values: want a map of at most %d values", mostParts)
		return
	}
	for name, entry := range v.Fields() {
		p := Parameter{Name: name}
		if !wordName.MatchString(name) {
			t.fault(entry, "spec.values: %q: want small letters, digits and hyphens, a letter first", name)
		}
		if t.keys(entry, "spec.values."+name, []string{"about", "default", "required"}, "about") {
			p.About = t.text(entry.Get("about"), "spec.values."+name+".about")
			if d := entry.Get("default"); d.Exists() {
				if d.Kind() != document.String && d.Kind() != document.Int {
					t.fault(d, "spec.values.%s.default: want a text or a number", name)
				}
				p.Default = d.Text()
			}
			if r := entry.Get("required"); r.Exists() && r.Kind() != document.Bool {
				t.fault(r, "spec.values.%s.required: want true or false", name)
			} else {
				p.Required = r.Bool()
			}
			if p.Required == entry.Get("default").Exists() {
				t.fault(entry, "spec.values.%s: want either a default or required: true", name)
			}
		}
		t.Parameters = append(t.Parameters, p)
	}
	slices.SortFunc(t.Parameters, func(a, b Parameter) int { return cmp.Compare(a.Name, b.Name) })
}

// takes says whether there is a parameter of that name.
func (t *Template) takes(name string) bool {
	_, found := slices.BinarySearchFunc(t.Parameters, name, func(p Parameter, name string) int { return cmp.Compare(p.Name, name) })
	return found
}

// content checks what the pod gains: the types of Kubernetes' API, names, and that every placeholder has a value.
func (t *Template) content() {
	names := map[string]bool{}
	lists := map[string]string{"sidecars": "Container", "containers": "Container", "volumes": "Volume"}
	for _, list := range []string{"sidecars", "containers", "volumes"} {
		t.parts(t.spec.Get(list), "spec."+list, lists[list], names)
	}
	if t.spec.Get("sidecars").Len()+t.spec.Get("containers").Len() == 0 {
		t.fault(t.spec, "spec: want at least one of sidecars, containers")
	}
	if v := t.spec.Get("annotations"); v.Exists() {
		if v.Kind() != document.Map {
			t.fault(v, "spec.annotations: want a map")
		}
		for key, entry := range v.Fields() {
			if entry.Kind() != document.String {
				t.fault(entry, "spec.annotations: %q: want a text", key)
			}
			if reserved(key) {
				t.fault(entry, "spec.annotations: %q is written by Coaming itself", key)
			}
		}
	}
	if v := t.spec.Get("programs"); v.Exists() && t.keys(v, "spec.programs", []string{"env", "volumeMounts"}) {
		t.parts(v.Get("env"), "spec.programs.env", "EnvVar", map[string]bool{})
		t.parts(v.Get("volumeMounts"), "spec.programs.volumeMounts", "VolumeMount", nil)
	}
	t.mounts()
	t.placeholders(t.spec)
}

// parts checks one list; names are those that are taken, nil where items need none of their own.
func (t *Template) parts(list document.Value, what, part string, names map[string]bool) {
	if !list.Exists() {
		return
	}
	if list.Kind() != document.List || list.Len() > mostParts {
		t.fault(list, "%s: want a list of at most %d items", what, mostParts)
		return
	}
	for i, item := range list.Items() {
		at := fmt.Sprintf("%s[%d]", what, i)
		for _, m := range kubetype.Misfits(item, part, placeholder.MatchString) {
			t.fault(m.At, "%s: %s", at, m.Message)
		}
		name := item.Get("name").Str()
		switch {
		case item.Kind() != document.Map:
			continue
		case name == "":
			t.fault(item, "%s: name is missing", at)
		case placeholder.MatchString(name):
			t.fault(item.Get("name"), "%s.name: a name is fixed: by it an injected part is known again", at)
		case names != nil && names[part+name]:
			t.fault(item.Get("name"), "%s.name: %s is there twice", at, name)
		case part != "EnvVar" && (!wordName.MatchString(name) || len(name) > 63):
			t.fault(item.Get("name"), "%s.name: want at most 63 small letters, digits and hyphens, a letter first", at)
		}
		if names != nil {
			names[part+name] = true
		}
		if part == "Container" {
			t.container(item, at)
		}
	}
}

// container checks what only a container of a template must be.
func (t *Template) container(c document.Value, at string) {
	if c.Get("image").Str() == "" {
		t.fault(c, "%s: image is missing", at)
	}
	if c.Get("restartPolicy").Exists() {
		t.fault(c.Get("restartPolicy"), "%s.restartPolicy: leave it out: a container under sidecars is given Always where the server has native sidecars", at)
	}
}

// mounts asks that what is mounted is a volume of the template.
func (t *Template) mounts() {
	volumes := map[string]bool{}
	for _, v := range t.spec.Get("volumes").Items() {
		volumes[v.Get("name").Str()] = true
	}
	check := func(list document.Value) {
		for _, m := range list.Items() {
			if name := m.Get("name").Str(); name != "" && !volumes[name] {
				t.fault(m, "volumeMounts: %s is no volume of the template", name)
			}
		}
	}
	for _, list := range []string{"sidecars", "containers"} {
		for _, c := range t.spec.Get(list).Items() {
			check(c.Get("volumeMounts"))
		}
	}
	check(t.spec.At("programs", "volumeMounts"))
}

// placeholders asks that each names a value, and that each value is used.
func (t *Template) placeholders(spec document.Value) {
	used := map[string]bool{}
	var walk func(v document.Value)
	walk = func(v document.Value) {
		for _, m := range placeholder.FindAllStringSubmatch(v.Str(), -1) {
			used[m[1]] = true
			if !t.takes(m[1]) {
				t.fault(v, "$[%s]: spec.values has no value %q", m[1], m[1])
			}
		}
		for key, entry := range v.Fields() {
			if placeholder.MatchString(key) {
				t.fault(entry, "a key is fixed: %q", key)
			}
			walk(entry)
		}
		for _, item := range v.Items() {
			walk(item)
		}
	}
	for key, v := range spec.Fields() {
		if key != "values" {
			walk(v)
		}
	}
	for _, p := range t.Parameters {
		if !used[p.Name] {
			t.fault(spec.At("values", p.Name), "spec.values.%s: nothing says $[%s]", p.Name, p.Name)
		}
	}
}

// Serves is an error where the template is not for a server of that version.
func (t *Template) Serves(server string) error {
	switch {
	case !catalog.Reached(server, "1.0"):
		return fmt.Errorf("sidecar %s: the server's version is not known (%q), and it decides what a sidecar is made of", t.Name, server)
	case t.From != "" && !catalog.Reached(server, t.From):
		return fmt.Errorf("sidecar %s is for servers from %s on, and this is %s", t.Name, t.From, server)
	case t.Before != "" && catalog.Reached(server, t.Before):
		return fmt.Errorf("sidecar %s is for servers before %s, and this is %s", t.Name, t.Before, server)
	}
	return nil
}
