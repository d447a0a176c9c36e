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
	"github.com/coaming/coaming/internal/verdict"
)

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
	for i := range f.PatchesJson6902 { //nolint:staticcheck // deprecated, and met
		k.one(&f.PatchesJson6902[i].Path) //nolint:staticcheck // the same
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
		content, err := k.disk.read(e.path, maxKustomization)
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
	e.sub = s.load(k.shown(*e), depth+1)
	if e.role == asPlugin {
		bare := e.sub.fields
		bare.TypeMeta, bare.Resources = types.TypeMeta{}, nil
		if !reflect.DeepEqual(bare, types.Kustomization{}) {
			k.fail(at, verdict.GapRender, "it builds the configuration of its transformers by another overlay, which is not followed", "Write the configuration as plain files.")
			return
		}
		for _, below := range e.sub.entries {
			if content, err := k.disk.read(below.path, maxKustomization); err == nil {
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
