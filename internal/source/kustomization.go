package source

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/api/types"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// The bounds of what kustomize is given: it takes about forty times the text in memory.
const (
	maxKustomization = 4 << 20
	maxResource      = 64 << 20
	maxNested        = 50
)

// kustomization is one directory's kustomization, with what it refers to.
type kustomization struct {
	disk    disk
	dir     string // as shown
	real    string // absolute, without symbolic links
	file    string // as shown
	root    document.Value
	fields  types.Kustomization
	entries []entry
	// gaps are why it cannot be built as it is.
	gaps []verdict.Gap
	// broken is set when it cannot be built at all.
	broken bool
	// foreign is set when the file is no Kustomization but an object of that name.
	foreign bool
}

// role is what a kustomization wants of an entry.
type role uint8

const (
	asResource  role = iota // a file of objects, or a directory with a kustomization
	asComponent             // a directory
	asPlugin                // the configuration of a generator or a transformer
	asFile                  // a file that is read
)

// entry is one reference of a kustomization.
type entry struct {
	text string // as written
	role role
	path string          // real path, "" when nothing is there
	sub  *kustomization  // of a directory
	at   func(to string) // writes the entry anew, nil to leave it
}

// overlays are the kustomizations of a plan and all that they lead to, by real directory.
type overlays struct {
	disk  disk
	known map[string]*kustomization
	order []*kustomization
}

// load reads the kustomization of a directory and, through it, those that it refers to.
func (s *overlays) load(dir string, depth int) *kustomization {
	resolved := realPath(dir)
	if k := s.known[resolved]; k != nil {
		return k
	}
	k := &kustomization{disk: s.disk, dir: dir, real: resolved, file: join(dir, kustomizationNames[0])}
	s.known[resolved] = k
	s.order = append(s.order, k)
	if depth > maxNested {
		k.fail(document.Value{}, verdict.GapTooLarge, fmt.Sprintf("kustomizations nested more than %d deep", maxNested), "Build the overlays nearer to the base.")
		return k
	}
	k.parse()
	if !k.broken && !k.foreign {
		k.refer()
		for i := range k.entries {
			s.resolve(k, &k.entries[i], depth)
		}
	}
	return k
}

// gap notes why the kustomization cannot be built as it is written.
func (k *kustomization) gap(at document.Value, code verdict.GapCode, message, remedy string) {
	in := intake{origin: k.origin(k.file)}
	k.gaps = append(k.gaps, in.gapAt(at, code, message, remedy))
}

// fail is a gap without which there is nothing to build.
func (k *kustomization) fail(at document.Value, code verdict.GapCode, message, remedy string) {
	k.gap(at, code, message, remedy)
	k.broken = true
}

func (k *kustomization) source() string { return "kustomize:" + filepath.ToSlash(k.dir) }

func (k *kustomization) origin(file string) *fact.Origin {
	return &fact.Origin{Source: k.source(), File: filepath.ToSlash(file)}
}

// parse reads the file by our own reader first, which is bounded, and then into kustomize's fields.
func (k *kustomization) parse() {
	for _, name := range kustomizationNames {
		if _, err := os.Stat(filepath.Join(k.dir, name)); err == nil {
			k.file = join(k.dir, name)
			break
		}
	}
	content, err := k.disk.read(k.file, maxKustomization)
	if err != nil {
		g := unreadable(k.file, err)
		k.fail(document.Value{}, g.Code, "the kustomization "+g.Message, g.Remedy)
		return
	}
	text, failed := document.Decode(content)
	var docs []*document.Doc
	if failed == nil {
		var errs []*document.Error
		if docs, errs = document.Read(text, 1); len(errs) > 0 {
			failed = errs[0]
		}
	}
	if failed != nil {
		g := documentGap(failed, k.origin(k.file))
		g.Kinds = nil
		k.gaps = append(k.gaps, g)
		k.broken = true
		return
	}
	if len(docs) > 0 {
		k.root = docs[0].Root()
		if doubt := docs[0].Doubt(); doubt != nil {
			g := documentGap(doubt, k.origin(k.file))
			k.gaps = append(k.gaps, g)
		}
	}
	group, _, grouped := strings.Cut(k.root.Get("apiVersion").Str(), "/")
	if grouped && group != "kustomize.config.k8s.io" {
		k.foreign = true
		return
	}
	if err := k.fields.Unmarshal(k.root.AppendJSON(nil)); err != nil {
		k.fail(k.root, verdict.GapRender, "kustomize refuses it: "+oneLine(err.Error(), k.real, k.dir), "Mend the kustomization; 'kustomize build' fails the same way.")
		return
	}
	k.modernise()
}

// modernise moves deprecated fields to those that took their place, which mean the same. kustomize
// would otherwise complain on the process's standard error, where nobody asked it to.
func (k *kustomization) modernise() {
	f := &k.fields
	f.FixKustomization()
	var patches []types.Patch
	for _, p := range f.PatchesStrategicMerge { //nolint:staticcheck // deprecated, and met
		if strings.ContainsAny(string(p), "\n{") {
			patches = append(patches, types.Patch{Patch: string(p)})
		} else {
			patches = append(patches, types.Patch{Path: string(p)})
		}
	}
	f.Patches = append(patches, f.Patches...)
	f.PatchesStrategicMerge = nil //nolint:staticcheck // deprecated, and met
	common := &f.CommonLabels     //nolint:staticcheck // deprecated, and met
	for _, l := range f.Labels {
		for name := range l.Pairs {
			if _, twice := (*common)[name]; twice {
				return
			}
		}
	}
	if len(*common) > 0 {
		f.Labels = append(f.Labels, types.Label{Pairs: *common, IncludeSelectors: true})
		*common = nil
	}
}

// short is a text as a message may quote it.
func short(text string) string {
	const longest = 120
	if len(text) > longest {
		return strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return text
}

// oneLine is a library's error for a message: one line, paths as the user knows them.
func oneLine(text, path, shown string) string {
	const longest = 400
	text = strings.Join(strings.Fields(strings.ReplaceAll(text, path, filepath.ToSlash(shown))), " ")
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return text
}
