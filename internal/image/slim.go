package image

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// Slimming is what an image could do without.
type Slimming struct {
	Name  string `json:"name"`
	Base  string `json:"base"`  // the kind of image that it is
	Start string `json:"start"` // the program that it starts, "" where there is none
	// Proposal is the smallest base on which the program starts, with the reason; "" where that is not known.
	Proposal string `json:"proposal"`
	Reason   string `json:"reason"`
	// Runtime is what the program is run by ("static", "glibc", "musl", "python", "node", "java", "shell"…).
	Runtime string `json:"runtime"`
	// Observed says whether it is known which files were opened while the image ran.
	Observed bool `json:"observed"`
	// Needed are the files that the start of the program needs, or those that were opened; links are among them.
	Needed []string `json:"needed"`
	// Packages are those that nothing which is needed depends on. Without an observation they are candidates.
	Packages []UnusedPackage `json:"packages"`
	// Files are the largest files that were not opened and belong to no package: only of an observation.
	Files []UnusedFile `json:"files"`
	// Unknown are the files that were opened and are not in the image: made while it ran, or mounted.
	Unknown []string `json:"unknown"`
	// Capabilities are those that the image asks for by its own documents, each with the reason; what it uses is not known
	// until it was seen running.
	Capabilities []NeededCapability `json:"capabilities"`
	Total        int64              `json:"total"`  // bytes of all files
	Unused       int64              `json:"unused"` // bytes of the packages and files above
}

// UnusedPackage is a package that could go.
type UnusedPackage struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Size    int64  `json:"size"` // bytes of its files that are in the image, or what its manager tells; 0 where neither is known
	Files   int    `json:"files"`
}

// UnusedFile is a file that was not opened.
type UnusedFile struct {
	Path  string `json:"path"`
	Size  int64  `json:"size"`
	Layer int    `json:"layer"`
}

// NeededCapability is one that an image seems to need.
type NeededCapability struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Slim reads an image and tells what it could do without. used are the paths that were opened while it ran; nil where
// nobody saw it run.
func Slim(ctx context.Context, at string, o Options, used []string) (*Slimming, *verdict.Coverage, error) {
	var whole *described
	o.described = func(d *described) { whole = d }
	img, coverage, err := Read(ctx, at, o)
	if err != nil {
		return nil, nil, err
	}
	if whole == nil {
		return nil, nil, &verdict.RemedyError{Err: fmt.Errorf("%s is a bill of materials, which says nothing of files", at), Remedy: "Name the image itself."}
	}
	s := &slimmer{described: whole, out: &Slimming{Name: img.Name, Base: img.Contents.Base, Total: img.Contents.Size}, owners: map[string]int{}}
	s.slim(used)
	return s.out, coverage, nil
}

// described is an image with all that was noted of its files.
type described struct {
	image *fact.Image
	view  view
}

type slimmer struct {
	*described

	out    *Slimming
	owners map[string]int  // package by file, as index
	need   map[string]bool // files
}

func (s *slimmer) slim(used []string) {
	for i := range s.image.Packages {
		for _, f := range s.image.Packages[i].Files {
			for _, name := range spellings(f) {
				s.owners[name] = i
			}
		}
	}
	s.need = map[string]bool{}
	start := &s.image.Contents.Start
	s.out.Start = start.Path
	s.start(start)
	s.propose(start)
	s.capabilities()
	if used != nil {
		s.out.Observed = true
		s.used(used)
	}
	s.packages()
	if used != nil {
		s.files()
	}
	s.out.Needed = sortedNames(s.need)
	for _, p := range s.out.Packages {
		s.out.Unused += p.Size
	}
	for _, f := range s.out.Files {
		s.out.Unused += f.Size
	}
}

func sortedNames(m map[string]bool) []string {
	list := make([]string, 0, len(m))
	for name := range m {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// require notes a file, and every link on the way to it.
func (s *slimmer) require(name string) {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	for hops := 0; hops < maxLinks && name != "" && !s.need[name]; hops++ {
		at := name
		for _, dir := range prefixes(name) {
			if _, _, r := s.view.at(dir); r != nil && r.isLink() {
				s.need[dir] = true
				target := r.link
				if !strings.HasPrefix(target, "/") {
					target = path.Join(path.Dir(dir), target)
				}
				at = strings.TrimPrefix(path.Clean("/"+path.Join(target, strings.TrimPrefix(name, dir))), "/")
				break
			}
		}
		if at == name {
			if what, _, _ := s.view.at(name); what != nothing {
				s.need[name] = true
			}
			return
		}
		name = at
	}
}

// prefixes are the directories that a path leads through, the path itself last.
func prefixes(name string) []string {
	var list []string
	for i := range len(name) {
		if name[i] == '/' {
			list = append(list, name[:i])
		}
	}
	return append(list, name)
}

// start requires what the program needs to begin: itself, its interpreter or loader, and their libraries.
func (s *slimmer) start(p *fact.StartProgram) {
	if !p.Found {
		return
	}
	c := &s.image.Contents.Config
	st := starter{view: &s.view, config: c, platform: s.image.Platform}
	s.program(&st, "/"+p.Path)
	words := slices.Concat(c.Entrypoint, c.Command)
	if strings.HasPrefix(words[0], "/") {
		s.require(words[0])
	}
	for _, w := range words[1:] { // scripts and programs that it is given
		if strings.HasPrefix(w, "-") {
			continue
		}
		name := w
		if !strings.HasPrefix(w, "/") {
			name = path.Join("/", c.Directory, w)
		}
		if _, what, _, _ := s.view.find(name); what == file {
			s.program(&st, name)
		}
	}
}

// program requires a program with all that starts it.
func (s *slimmer) program(st *starter, name string) {
	s.require(name)
	_, what, _, r := s.view.find(name)
	if what != file || r == nil {
		return
	}
	out := fact.StartProgram{Libraries: []string{}, Missing: []string{}}
	st.into(&out, r)
	for _, l := range out.Libraries {
		s.require(l)
	}
	if r.program != nil && r.program.interpreter != "" {
		s.require(r.program.interpreter)
	}
	if r.script != nil {
		if at, what, _, ir := st.lookUp(r.script.interpreter); what == file {
			s.require(at)
			if strings.HasPrefix(r.script.interpreter, "/") {
				s.require(r.script.interpreter)
			}
			if ir != nil && ir.program != nil && ir.program.interpreter != "" {
				s.require(ir.program.interpreter)
			}
		}
	}
}

// runtimes are interpreters by the beginning of their names, and the smallest bases that have them.
var runtimes = []struct{ begin, name, base, reason string }{
	{"python", "python", "gcr.io/distroless/python3, or the slim variant of the official image", "it is run by Python: where its version and its C extensions suit, the distroless one holds no shell and no package manager"},
	{"pypy", "python", "the slim variant of the official image", "it is run by PyPy"},
	{"node", "node", "gcr.io/distroless/nodejs, or the slim variant of the official image", "it is run by Node.js"},
	{"java", "java", "gcr.io/distroless/java, or a runtime made by jlink on distroless base", "it is run by Java: of the kit for developers only the runtime is needed"},
	{"ruby", "ruby", "the slim variant of the official image", "it is run by Ruby, which no distroless image holds"},
	{"php", "php", "the Alpine variant of the official image", "it is run by PHP, which no distroless image holds"},
	{"perl", "perl", "the slim variant of the official image", "it is run by Perl"},
	{"dotnet", "dotnet", "the chiseled variant of Microsoft's runtime image", "it is run by .NET"},
}

// propose names the smallest base on which the program starts.
func (s *slimmer) propose(p *fact.StartProgram) {
	propose := func(runtime, base, reason string) {
		s.out.Runtime, s.out.Proposal, s.out.Reason = runtime, base, reason
	}
	unseen := s.image.Contents.Unseen
	switch {
	case unseen != "":
		propose("", "", "unknown: "+unseen)
		return
	case !p.Found:
		propose("", "", "unknown: the image starts nothing that is in it")
		return
	case p.Doubt != "":
		propose("", "", "unknown: "+p.Doubt)
		return
	}
	name := path.Base(p.Path)
	if p.Format == "script" {
		name = path.Base(p.Interpreter)
	}
	for _, r := range runtimes {
		if strings.HasPrefix(name, r.begin) && (len(name) == len(r.begin) || strings.ContainsAny(name[len(r.begin):len(r.begin)+1], "0123456789.-")) {
			propose(r.name, r.base, r.reason)
			return
		}
	}
	switch {
	case isShell(name):
		propose("shell", "", "unknown: a shell starts it, and what its script runs is not known until it was seen; have the last program started directly, or give --used")
	case p.Format != "elf":
		propose("", "", "unknown: it is neither a program nor a script of a known interpreter")
	case len(p.Missing) > 0:
		propose("", "", "unknown: libraries that it needs are missing: "+strings.Join(p.Missing, ", "))
	case p.Interpreter == "":
		propose("static", "scratch, or gcr.io/distroless/static for certificates, time zones and a user",
			"it is linked statically and loads nothing")
	case strings.Contains(p.Interpreter, "ld-musl"):
		propose("musl", "alpine without its package manager, or a static build on scratch", "it is linked with musl, which distroless images do not hold")
	default:
		s.proposeGlibc(p, propose)
	}
}

// glibc is the libraries of distroless base, compilerLibraries those that distroless cc has beside them.
var glibc = []string{
	"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libresolv.so.2", "libutil.so.1", "libnsl.so.1", "libanl.so.1", "libBrokenLocale.so.1", "libcrypt.so.1",
	"libssl.so.3", "libcrypto.so.3",
}

var compilerLibraries = []string{"libgcc_s.so.1", "libstdc++.so.6", "libgomp.so.1"}

func (s *slimmer) proposeGlibc(p *fact.StartProgram, propose func(runtime, base, reason string)) {
	base, more := "gcr.io/distroless/base", []string{}
	for _, l := range p.Libraries {
		switch name := path.Base(l); {
		case slices.ContainsFunc(glibc, func(g string) bool { return isLibraryOf(name, g) }), strings.HasPrefix(name, "ld-"):
		case slices.ContainsFunc(compilerLibraries, func(g string) bool { return isLibraryOf(name, g) }):
			base = "gcr.io/distroless/cc"
		default:
			more = append(more, name)
		}
	}
	reason := "it is linked with glibc"
	if len(more) > 0 {
		reason += ", and needs these copied beside it: " + strings.Join(more, ", ")
	}
	propose("glibc", base, reason)
}

// isLibraryOf says whether a file is that library, in this or another release of it: links are followed to "libstdc++.so.6.0.30".
func isLibraryOf(name, library string) bool {
	return name == library || strings.HasPrefix(name, library+".") || strings.HasPrefix(name, strings.TrimSuffix(library, path.Ext(library))+"-")
}

// capabilities are those that the image's own documents speak for.
func (s *slimmer) capabilities() {
	c := s.image.Contents
	s.out.Capabilities = []NeededCapability{}
	for _, p := range c.Config.Ports {
		if p.Port > 0 && p.Port < 1024 {
			s.out.Capabilities = append(s.out.Capabilities, NeededCapability{"NET_BIND_SERVICE", "it exposes port " + p.Name + ", which is under 1024"})
		}
	}
	for _, f := range c.Files {
		if "/"+f.Path == "/"+c.Start.Path {
			for _, name := range f.Capabilities {
				s.out.Capabilities = append(s.out.Capabilities, NeededCapability{strings.TrimPrefix(name, "CAP_"), "the program that starts has it as a file capability"})
			}
		}
	}
	for _, p := range c.Programs {
		if p.Program == "gosu" || p.Program == "su-exec" || p.Program == "setpriv" && c.Config.UID == 0 {
			if c.Config.UID == 0 && catalog.ToolOf(p.Program) == "privilege" {
				s.out.Capabilities = append(s.out.Capabilities,
					NeededCapability{"SETUID", "it starts as root and holds " + p.Program + ", which changes to another user"}, NeededCapability{"SETGID", "the same"})
				break
			}
		}
	}
	slices.SortStableFunc(s.out.Capabilities, func(a, b NeededCapability) int { return cmp.Compare(a.Name, b.Name) })
	s.out.Capabilities = slices.CompactFunc(s.out.Capabilities, func(a, b NeededCapability) bool { return a.Name == b.Name })
}

// used requires the files that were opened.
func (s *slimmer) used(list []string) {
	for _, name := range list {
		if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name == "" || isVolatile(name) {
			continue
		}
		at, what, _, _ := s.view.find(name)
		if what == nothing {
			s.out.Unknown = append(s.out.Unknown, name)
			continue
		}
		s.require(name)
		s.require(at)
	}
	slices.Sort(s.out.Unknown)
	s.out.Unknown = slices.Compact(s.out.Unknown)
}

func isVolatile(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return slices.Contains(volatile, first)
}

// packages are those that nothing which is needed belongs to, or depends on. What was opened is all that was used, so that
// of an observation no dependencies are followed.
func (s *slimmer) packages() {
	list := s.image.Packages
	wanted := make([]bool, len(list))
	var queue []int
	for name := range s.need {
		if i, owned := s.owners[name]; owned && !wanted[i] {
			wanted[i] = true
			queue = append(queue, i)
		}
	}
	if !s.out.Observed {
		s.follow(wanted, queue)
	}
	for i := range list {
		p := &list[i]
		if wanted[i] || len(p.Files) == 0 && len(p.Needs) == 0 && p.Size == 0 || p.Ecosystem == "Go" {
			continue
		}
		s.out.Packages = append(s.out.Packages, UnusedPackage{Name: p.Name, Version: p.Version, Size: p.Size, Files: len(p.Files)})
	}
	slices.SortStableFunc(s.out.Packages, func(a, b UnusedPackage) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.Name, b.Name))
	})
}

// follow wants what packages need.
func (s *slimmer) follow(wanted []bool, queue []int) {
	list := s.image.Packages
	by := map[string][]int{}
	for i := range list {
		for _, name := range append([]string{list[i].Name}, list[i].Provides...) {
			by[name] = append(by[name], i)
		}
		for _, f := range list[i].Files { // apk depends on files by their path
			if strings.HasPrefix(f, "bin/") || strings.HasPrefix(f, "usr/bin/") {
				by["/"+f] = append(by["/"+f], i)
			}
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		for _, group := range list[queue[0]].Needs {
			for name := range strings.SplitSeq(group, "|") {
				for _, i := range by[name] {
					if !wanted[i] && managedPackage(&list[i]) {
						wanted[i] = true
						queue = append(queue, i)
					}
				}
			}
		}
	}
}

func managedPackage(p *fact.Package) bool { return p.Needs != nil || p.Files != nil || p.Size > 0 }

// maxUnusedFiles is how many files are told one by one.
const maxUnusedFiles = 1000

// files are those with something noted of them that were not opened and belong to no package.
func (s *slimmer) files() {
	s.view.records(func(r *record, layer, by int) {
		if by >= 0 || !r.mode.IsRegular() || s.need[r.path] {
			return
		}
		if _, owned := s.owners[r.path]; owned {
			return
		}
		s.out.Files = append(s.out.Files, UnusedFile{r.path, r.size, layer})
	})
	slices.SortStableFunc(s.out.Files, func(a, b UnusedFile) int { return cmp.Compare(b.Size, a.Size) })
	s.out.Files = s.out.Files[:min(len(s.out.Files), maxUnusedFiles)]
}
