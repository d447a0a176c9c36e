package source

import (
	"strings"

	"sigs.k8s.io/kustomize/api/types"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// provenance says from which file an object of a build came. kustomize could annotate every object
// with it, but keeps a record of all transformations too when asked to, which takes most of the
// build's time; what becomes of names and namespaces can be told from the kustomizations.
type provenance struct {
	disk   disk
	files  map[identity]string
	parsed map[string][]*fact.Object // by real path
	visits int
}

// identity is what an object is called in a build; without a namespace it stands for any.
type identity struct{ kind, namespace, name string }

// maxVisits bounds the ways by which one overlay may lead to its bases.
const maxVisits = 10_000

// naming is what the overlays above do to names.
type naming struct{ prefix, suffix, namespace string }

func provenanceOf(root *kustomization) *provenance {
	p := &provenance{disk: root.disk, files: map[identity]string{}, parsed: map[string][]*fact.Object{}}
	p.visit(root, naming{})
	return p
}

func (p *provenance) visit(k *kustomization, outer naming) {
	if p.visits++; p.visits > maxVisits {
		return
	}
	n := naming{outer.prefix + k.fields.NamePrefix, k.fields.NameSuffix + outer.suffix, outer.namespace}
	if n.namespace == "" {
		n.namespace = k.fields.Namespace
	}
	for _, e := range k.entries {
		switch {
		case e.sub != nil && e.role != asPlugin:
			p.visit(e.sub, n)
		case e.role == asResource && e.sub == nil && e.path != "":
			for _, o := range p.objects(e.path) {
				p.add(o.GroupKind(), o.Name, o.Namespace, n, k.shown(e))
			}
		}
	}
	for i := range k.fields.ConfigMapGenerator {
		p.generated("ConfigMap", &k.fields.ConfigMapGenerator[i].GeneratorArgs, n, k.file)
	}
	for i := range k.fields.SecretGenerator {
		p.generated("Secret", &k.fields.SecretGenerator[i].GeneratorArgs, n, k.file)
	}
}

func (p *provenance) generated(kind string, args *types.GeneratorArgs, n naming, file string) {
	if args.Behavior == "" || args.Behavior == "create" {
		p.add(kind, args.Name, args.Namespace, n, file)
	}
}

// add notes what an object is called after all overlays. Some kinds keep their names; hence the
// name as written too. Of two the first is kept.
func (p *provenance) add(kind, name, namespace string, n naming, file string) {
	if n.namespace != "" {
		namespace = n.namespace
	}
	for _, name := range [...]string{n.prefix + name + n.suffix, name} {
		for _, id := range [...]identity{{kind, namespace, name}, {kind, "", name}} {
			if _, known := p.files[id]; !known {
				p.files[id] = file
			}
		}
	}
}

// objects are those that a file holds.
func (p *provenance) objects(path string) []*fact.Object {
	if list, known := p.parsed[path]; known {
		return list
	}
	var r Reading
	if content, err := p.disk.read(path, maxResource); err == nil {
		if text, failed := document.Decode(content); failed == nil {
			docs, _ := document.Read(text, 1)
			r.take(docs, nil, &fact.Origin{})
		}
	}
	p.parsed[path] = r.Objects
	return r.Objects
}

// hashLength is the length of what a generator puts behind a name: a dash and ten characters.
const hashLength = 11

// file is where the object came from, "" when that cannot be told.
func (p *provenance) file(o *fact.Object) string {
	name := o.Name
	for {
		for _, namespace := range [...]string{o.Namespace, ""} {
			if file := p.files[identity{o.GroupKind(), namespace, name}]; file != "" {
				return file
			}
		}
		at := len(name) - hashLength
		if at <= 0 || name[at] != '-' || len(name) != len(o.Name) || strings.Contains(name[at+1:], "-") {
			return ""
		}
		name = name[:at]
	}
}
