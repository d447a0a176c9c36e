package source

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
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
	known map[string]*kustomization
	order []*kustomization
}

// load reads the kustomization of a directory and, through it, those that it refers to.
func (s *overlays) load(dir string, depth int) *kustomization {
	real := realPath(dir)
	if k := s.known[real]; k != nil {
		return k
	}
	k := &kustomization{dir: dir, real: real, file: join(dir, kustomizationNames[0])}
	s.known[real] = k
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
	content, err := readRegular(k.file, maxKustomization)
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
	for _, p := range f.PatchesStrategicMerge {
		if strings.ContainsAny(string(p), "\n{") {
			patches = append(patches, types.Patch{Patch: string(p)})
		} else {
			patches = append(patches, types.Patch{Path: string(p)})
		}
	}
	f.Patches = append(patches, f.Patches...)
	f.PatchesStrategicMerge = nil
	for _, l := range f.Labels {
		for name := range l.Pairs {
			if _, twice := f.CommonLabels[name]; twice {
				return
			}
		}
	}
	if len(f.CommonLabels) > 0 {
		f.Labels = append(f.Labels, types.Label{Pairs: f.CommonLabels, IncludeSelectors: true})
		f.CommonLabels = nil
	}
}

// refer lists everything that the kustomization reads.
func (k *kustomization) refer() {
	f := &k.fields
	k.list(f.Resources, asResource)
	k.list(f.Components, asComponent)
	k.list(f.Generators, asPlugin)
	k.list(f.Transformers, asPlugin)
	k.list(f.Validators, asPlugin)
	k.list(f.Configurations, asFile)
	k.list(f.Crds, asFile)
	for i := range f.Patches {
		k.one(&f.Patches[i].Path)
	}
	for i := range f.PatchesJson6902 {
		k.one(&f.PatchesJson6902[i].Path)
	}
	for i := range f.Replacements {
		k.one(&f.Replacements[i].Path)
	}
	for i := range f.ConfigMapGenerator {
		k.pairs(&f.ConfigMapGenerator[i].KvPairSources)
	}
	for i := range f.SecretGenerator {
		k.pairs(&f.SecretGenerator[i].KvPairSources)
	}
	if path := f.OpenAPI["path"]; path != "" {
		k.add(path, asFile, func(to string) { f.OpenAPI["path"] = to })
	}
	if len(f.HelmCharts) > 0 || f.HelmGlobals != nil {
		for _, c := range f.HelmCharts {
			if c.ValuesFile != "" && !remote(c.ValuesFile) {
				k.entries = append(k.entries, entry{text: c.ValuesFile, role: asFile, path: k.local(c.ValuesFile)})
			}
		}
		k.gap(k.root.Get("helmCharts"), verdict.GapRender, "it asks for Helm charts, which are not rendered in an overlay here",
			fmt.Sprintf("Scan its output as well: kustomize build --enable-helm %s | coaming scan -", k.dir))
		f.HelmCharts, f.HelmGlobals = nil, nil
	}
}

func (k *kustomization) list(list []string, as role) {
	for i := range list {
		k.add(list[i], as, func(to string) { list[i] = to })
	}
}

func (k *kustomization) one(path *string) {
	if *path != "" {
		k.add(*path, asFile, func(to string) { *path = to })
	}
}

func (k *kustomization) pairs(p *types.KvPairSources) {
	for i, source := range p.FileSources {
		key, path, found := strings.Cut(source, "=")
		if !found {
			key, path = "", source
		}
		k.add(path, asFile, func(to string) {
			if found {
				to = key + "=" + to
			}
			p.FileSources[i] = to
		})
	}
	k.list(p.EnvSources, asFile)
}

func (k *kustomization) add(text string, as role, at func(string)) {
	k.entries = append(k.entries, entry{text: text, role: as, at: at})
}

// userPart is how a git address over ssh begins, as kustomize sees it.
var userPart = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9-]*@`)

// remote says whether kustomize would fetch the entry: everything that it may take for an address
// of the web or of a git repository, whether or not there is a file of that name.
func remote(text string) bool {
	text = strings.ToLower(strings.TrimSpace(text))
	text = strings.TrimPrefix(text, "git::")
	return strings.Contains(text, "://") || strings.HasPrefix(text, "http:") || strings.HasPrefix(text, "https:") ||
		strings.HasPrefix(text, "github.com/") || strings.HasPrefix(text, "github.com:") || userPart.MatchString(text)
}

// local is the real path of what an entry names, "" when there is nothing.
func (k *kustomization) local(text string) string {
	path := filepath.FromSlash(text)
	if !filepath.IsAbs(path) {
		path = filepath.Join(k.real, path)
	}
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return realPath(path)
}

// resolve looks at what an entry names. What it names is written anew so that kustomize cannot take
// it for an address; what is not on this disk becomes a gap.
func (s *overlays) resolve(k *kustomization, e *entry, depth int) {
	if e.at == nil {
		return
	}
	at := k.written(e.text)
	if e.role == asPlugin && strings.Contains(e.text, "\n") {
		k.checkPlugin(at, e.text)
		return
	}
	if remote(e.text) {
		k.lack(e, at, verdict.GapRemote, fmt.Sprintf("%q stands elsewhere, and nothing is fetched", short(e.text)),
			"Vendor it: copy it beside the kustomization and name the copy; or scan the output of 'kustomize build'.")
		return
	}
	e.path = k.local(e.text)
	if e.path == "" {
		k.lack(e, at, verdict.GapMissing, fmt.Sprintf("%q is not there", short(e.text)), "Add the file or remove the entry; 'kustomize build' fails the same way.")
		return
	}
	if !filepath.IsAbs(e.text) {
		e.at("./" + e.text)
	}
	info, err := os.Stat(e.path)
	switch {
	case err == nil && info.IsDir():
		s.directory(k, e, at, depth)
	case err == nil && e.role == asPlugin:
		content, err := readRegular(e.path, maxKustomization)
		if err != nil {
			g := unreadable(e.text, err)
			k.fail(at, g.Code, g.Message, g.Remedy)
			return
		}
		k.checkPlugin(at, content)
	}
}

func (s *overlays) directory(k *kustomization, e *entry, at document.Value, depth int) {
	switch e.role {
	case asFile:
		return // kustomize says what it thinks of a directory there
	case asPlugin, asResource, asComponent:
	}
	// Shown from where the user stands, however the overlay walks there.
	shown := filepath.Join(k.dir, filepath.FromSlash(e.text))
	if filepath.IsAbs(e.text) {
		shown = e.path
	}
	e.sub = s.load(shown, depth+1)
	if e.role == asPlugin {
		bare := e.sub.fields
		bare.TypeMeta, bare.Resources = types.TypeMeta{}, nil
		if !reflect.DeepEqual(bare, types.Kustomization{}) {
			k.fail(at, verdict.GapRender, "it builds the configuration of its transformers by another overlay, which is not followed", "Write the configuration as plain files.")
			return
		}
		for _, below := range e.sub.entries {
			if content, err := readRegular(below.path, maxKustomization); err == nil {
				k.checkPlugin(at, content)
			} else {
				k.fail(at, verdict.GapRender, "it builds the configuration of its transformers by another overlay, which is not followed", "Write the configuration as plain files.")
			}
		}
	}
}

// lack tells an entry that is not there. Without a resource the rest can be built as it is meant;
// without anything else it would come out different from what is meant.
func (k *kustomization) lack(e *entry, at document.Value, code verdict.GapCode, message, remedy string) {
	if e.role != asResource {
		k.fail(at, code, message, remedy)
		return
	}
	k.gap(at, code, message, remedy)
	e.at("")
}

// loading are the plugins of kustomize that read files, or addresses, which their configuration names.
var loading = []string{
	"ConfigMapGenerator", "SecretGenerator", "HelmChartInflationGenerator", "PatchTransformer", "PatchJson6902Transformer",
	"PatchStrategicMergeTransformer", "ReplacementTransformer", "ValueAddTransformer",
}

// checkPlugin looks for addresses in a plugin's configuration.
func (k *kustomization) checkPlugin(at document.Value, content string) {
	text, failed := document.Decode(content)
	if failed != nil {
		k.fail(at, verdict.GapRender, "the configuration of a transformer is no text", "Mend the file.")
		return
	}
	docs, errs := document.Read(text, 1)
	if len(errs) > 0 {
		k.fail(at, verdict.GapRender, "the configuration of a transformer is no YAML: "+errs[0].Message, "Mend the file.")
		return
	}
	for _, d := range docs {
		if kind := d.Root().Get("kind").Text(); kind != "" && !slices.Contains(loading, kind) && d.Doubt() == nil {
			continue
		}
		if address := findAddress(d.Root()); address != "" {
			k.fail(at, verdict.GapRemote, fmt.Sprintf("%q stands elsewhere, and nothing is fetched", short(address)),
				"Vendor it: copy it beside the kustomization and name the copy; or scan the output of 'kustomize build'.")
			return
		}
	}
}

// findAddress is the first string that begins with an address, also behind a "key=".
func findAddress(v document.Value) string {
	for _, s := range [...]string{v.Str(), after(v.Str(), "=")} {
		if lower := strings.ToLower(strings.TrimSpace(s)); strings.HasPrefix(lower, "http:") || strings.HasPrefix(lower, "https:") {
			return s
		}
	}
	for _, entry := range v.Fields() {
		if found := findAddress(entry); found != "" {
			return found
		}
	}
	for _, item := range v.Items() {
		if found := findAddress(item); found != "" {
			return found
		}
	}
	return ""
}

func after(s, sep string) string {
	_, rest, _ := strings.Cut(s, sep)
	return rest
}

// written finds where an entry stands in the kustomization.
func (k *kustomization) written(text string) document.Value {
	var found document.Value
	var look func(v document.Value)
	look = func(v document.Value) {
		if found.Exists() {
			return
		}
		if s := v.Str(); s != "" && (s == text || strings.HasSuffix(s, "="+text)) {
			found = v
			return
		}
		for _, entry := range v.Fields() {
			look(entry)
		}
		for _, item := range v.Items() {
			look(item)
		}
	}
	look(k.root)
	return found
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
func oneLine(text, real, shown string) string {
	const longest = 400
	text = strings.Join(strings.Fields(strings.ReplaceAll(text, real, filepath.ToSlash(shown))), " ")
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return text
}
