package image

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fact"
)

// describe puts together what rules read of an image.
func describe(img *fact.Image, m *manifest, strata []*stratum) {
	c := &fact.Contents{Name: img.Name, Digest: img.Digest, Form: img.Form, Platform: img.Platform, Annotations: map[string]string{}}
	c.Repository, c.Tag = referenceOf(m.name)
	if c.Repository == "" {
		c.Repository = path.Base(img.Name)
	}
	if img.System != nil {
		c.System = *img.System
	}
	c.Config = configOf(m.config)
	c.History = historyOf(m.config, len(m.layers))
	maps.Copy(c.Annotations, c.Config.Labels)
	maps.Copy(c.Annotations, withoutValues(m.annotations))
	d := &describer{Contents: c, view: viewOf(strata...), owners: map[string]string{}, image: img}
	c.Packages = fact.PackagesInside(img.Packages)
	for i := range img.Packages {
		p := &img.Packages[i]
		d.apart = d.apart || strings.HasPrefix(p.Place, "var/lib/dpkg/status.d/")
		for _, f := range p.Files {
			d.owners[f] = p.Name
		}
		if p.Ecosystem == "Go" {
			d.owners["\x00go "+p.Place] = p.Name
		}
	}
	d.layers(m)
	for _, s := range strata {
		c.Unseen = cmp.Or(c.Unseen, s.notes.unseen)
	}
	d.users()
	d.view.records(d.record)
	d.tools()
	d.start()
	c.Base = d.base()
	d.fill()
	img.Contents = c
}

// referenceOf takes the reference of an image apart, without registry where none is written.
func referenceOf(name string) (repository, tag string) {
	name, _, _ = strings.Cut(name, "@")
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		return name[:colon], name[colon+1:]
	}
	return name, ""
}

type describer struct {
	*fact.Contents
	view

	image  *fact.Image
	owners map[string]string // package by file
	names  map[string]bool   // classes of programs that are there
	users_ map[string]*fact.Account
	apart  bool // the package database is that of an image without a package manager
}

// owner is the package that has a file, under any of the names that the file may have in its list.
func (d *describer) owner(at string) string {
	for _, name := range spellings(at) {
		if p := d.owners[name]; p != "" {
			return p
		}
	}
	return ""
}

// layers sums up the sizes, and what a higher layer hides.
func (d *describer) layers(m *manifest) {
	d.Layers = make([]fact.LayerContents, len(d.strata))
	var over above
	for i, s := range slices.Backward(d.strata) {
		l := &d.Layers[i]
		l.Layer = i
		if i < len(m.layers) {
			l.Digest = m.layers[i].digest
			l.Command, _ = masked(m.layers[i].createdBy)
		}
		w := &s.notes.weights
		l.Files, l.Size = len(s.paths), w.total
		kept := make([]fact.Cache, len(w.places))
		w.weigh(&over, func(f *weight, hidden bool) {
			switch {
			case hidden:
				l.Wasted += int64(f.size)
			case f.cache > 0:
				kept[f.cache-1].Size += int64(f.size)
				kept[f.cache-1].Files++
			}
		})
		for n, c := range kept {
			if c.Files > 0 {
				c.Path, c.Kind, c.Layer = w.places[n].path, w.places[n].kind, i
				d.Caches = append(d.Caches, c)
			}
		}
		d.Size += l.Size - l.Wasted
		d.Wasted += l.Wasted
		over.with(s)
	}
	slices.Reverse(d.Caches)
}

// users finds who the image runs as.
func (d *describer) users() {
	d.users_ = map[string]*fact.Account{}
	_, layer, passwd := d.at("etc/passwd")
	_, _, shadow := d.at("etc/shadow")
	if passwd != nil {
		for i := range passwd.accounts {
			a := passwd.accounts[i]
			a.Layer = layer
			if a.Password == "shadow" {
				a.Password = "locked"
				if shadow != nil {
					a.Password = cmp.Or(shadow.shadow[a.Name], "locked")
				}
			}
			d.Accounts = append(d.Accounts, a)
		}
	}
	for i := range d.Accounts {
		if a := &d.Accounts[i]; d.users_[a.Name] == nil {
			d.users_[a.Name] = a
		}
	}
	name, _, _ := strings.Cut(d.Config.User, ":")
	if n, err := strconv.Atoi(name); err == nil {
		d.Config.UID, d.Config.Known = n, true
		return
	}
	switch a := d.users_[name]; {
	case a != nil:
		d.Config.UID, d.Config.Known = a.UID, true
	case name == "" || name == "root":
		d.Config.UID, d.Config.Known = 0, true
	}
}

// record puts one record where rules find it.
func (d *describer) record(r *record, layer, by int) {
	for _, kind := range r.secrets {
		s := fact.SecretFile{Path: r.path, Layer: layer, Kind: kind, Package: d.owner(r.path), Hidden: by >= 0, By: by}
		d.Secrets = append(d.Secrets, s)
	}
	if by >= 0 {
		return // a container does not see it
	}
	if r.isLink() {
		d.program(r, layer)
		return
	}
	f := r.file(layer)
	f.Package = d.owner(r.path)
	if r.mode.IsDir() {
		f.InPath = slices.Contains(d.searchPath(), "/"+r.path)
		d.Directories = append(d.Directories, f)
		return
	}
	if f.Setuid || f.Setgid || len(f.Capabilities) > 0 || f.Writable {
		d.Files = append(d.Files, f)
	}
	if isService(r.path) {
		d.Services = append(d.Services, f)
	}
	if kind := repositoryOf(r.path); kind != "" {
		f.Kind, f.Path = kind, path.Dir(r.path)
		d.Repositories = append(d.Repositories, f)
	}
	for _, c := range r.certs {
		c.Layer, c.Package = layer, f.Package
		d.Certificates = append(d.Certificates, c)
	}
	if r.known != nil {
		k := *r.known
		k.Path, k.Layer = r.path, layer
		d.Matches = append(d.Matches, k)
	}
	d.program(r, layer)
	d.executable(r, &f)
}

func (d *describer) searchPath() []string {
	s := starter{view: &d.view, config: &d.Config}
	return s.searchPath()
}

// programDirs are directories in which the name of a file is that of a program.
var programDirs = []string{"bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin", "busybox", "root", "tmp", "opt/bin"}

// program notes a program that is known by its name. A link counts where something stands at its end.
func (d *describer) program(r *record, layer int) {
	name := path.Base(r.path)
	class, daemon := catalog.ToolOf(name), catalog.DaemonOf(name)
	if class == "" && daemon == "" {
		return
	}
	inPlace := slices.Contains(programDirs, path.Dir(r.path)) || strings.HasSuffix(path.Dir(r.path), "/bin") || strings.HasSuffix(path.Dir(r.path), "/sbin")
	if !inPlace && class != "offensive" {
		return
	}
	if r.isLink() {
		if _, what, _, to := d.find(r.path); what != file || to == nil || to.mode.Perm()&anybodyRuns == 0 {
			return
		}
	} else if r.mode.Perm()&anybodyRuns == 0 || r.program == nil && r.script == nil {
		return
	}
	d.Programs = append(d.Programs, fact.Program{Program: name, Class: class, Daemon: daemon, Path: r.path, Layer: layer, Package: d.owner(r.path)})
}

// tools sorts the programs by class, and names the servers.
func (d *describer) tools() {
	at := map[string]int{}
	for _, p := range d.Programs {
		if p.Daemon != "" && !slices.Contains(d.Daemons, p.Daemon) {
			d.Daemons = append(d.Daemons, p.Daemon)
		}
		if p.Class == "" {
			continue
		}
		n, known := at[p.Class]
		if !known {
			n = len(d.Tools)
			at[p.Class] = n
			d.Tools = append(d.Tools, fact.Tool{Name: p.Class, Path: p.Path, Layer: p.Layer})
		}
		if t := &d.Tools[n]; !slices.Contains(t.Programs, p.Program) {
			t.Programs = append(t.Programs, p.Program)
		}
	}
	slices.SortFunc(d.Tools, func(a, b fact.Tool) int { return cmp.Compare(a.Name, b.Name) })
	slices.Sort(d.Daemons)
}

// systemDirs are where nothing but the package manager writes programs.
var systemDirs = []string{"bin/", "sbin/", "usr/bin/", "usr/sbin/", "lib/", "lib64/", "usr/lib/", "usr/lib64/", "usr/libexec/"}

// tempDirs are where anybody writes.
var tempDirs = []string{"tmp/", "var/tmp/", "dev/shm/", "run/shm/"}

// executable notes a program with something odd about it.
func (d *describer) executable(r *record, f *fact.ImageFile) {
	e := fact.Executable{Path: r.path, Layer: f.Layer, Size: r.size, Format: "script", Package: f.Package}
	if r.program == nil && r.script == nil {
		return
	}
	if p := r.program; p != nil {
		e.Format, e.Packed, e.Symbols = "elf", p.packed, p.symbols
		e.Modules = d.owners["\x00go "+r.path] != ""
	}
	under := func(dirs []string) bool {
		return slices.ContainsFunc(dirs, func(dir string) bool { return strings.HasPrefix(r.path, dir) })
	}
	e.Temp = under(tempDirs)
	e.System = d.hasPackageFiles() && under(systemDirs) && !vendoredBelow(r.path)
	if e.Package == "" || e.Packed != "" || e.Temp || e.Symbols > 0 {
		d.Executables = append(d.Executables, e)
	}
}

// vendoredBelow says whether a file belongs to a package of a language, or to a kernel's or loader's own view.
func vendoredBelow(at string) bool {
	return slices.ContainsFunc([]string{"/node_modules/", "/site-packages/", "/dist-packages/", "/gems/", "/__pycache__/", "/jvm/"}, func(piece string) bool { return strings.Contains("/"+at, piece) })
}

// hasPackageFiles says whether a package manager told which files are its own.
func (d *describer) hasPackageFiles() bool { return len(d.owners) > 0 && !d.apart }

// start looks into what the image starts, and what its health check does.
func (d *describer) start() {
	s := &starter{view: &d.view, config: &d.Config, platform: d.Platform}
	d.Start = s.launched(slices.Concat(d.Config.Entrypoint, d.Config.Command))
	d.Health = s.launched(nil)
	switch h := d.Config.Health; {
	case len(h) > 1 && h[0] == "CMD":
		d.Health = s.launched(h[1:])
	case len(h) > 1 && h[0] == "CMD-SHELL":
		d.Health = s.launched([]string{"/bin/sh", "-c", h[1]})
		if words := strings.Fields(h[1]); d.Health.Found && len(words) > 0 && plainWord(words[0]) {
			d.Health = s.launched(words)
		}
	}
}

// plainWord says whether the first word of a shell's command is the program that it runs, and no construct or builtin.
func plainWord(w string) bool {
	return !strings.ContainsAny(w, "$`\"'[](){}=;&|<>!") && !slices.Contains([]string{"test", "exit", "if", "for", "while", "set", "cd", "echo", "true", "false", "exec", ":", "command", "type", "export", "trap", "wait", "kill", "eval", "."}, w)
}

// fullPackages is how many packages of a distribution a slim image has at most: those of Debian's, Ubuntu's and Red Hat's
// slim images are about 90 to 110, and what an application needs comes on top.
const fullPackages = 250

// base is the kind of image.
func (d *describer) base() string {
	classes := map[string]bool{}
	for _, p := range d.Programs {
		classes[p.Class] = true
	}
	count := 0
	for i := range d.image.Packages {
		if len(d.image.Packages[i].Files) > 0 || strings.HasPrefix(d.image.Packages[i].Place, "var/lib/dpkg/") {
			count++
		}
	}
	d.names = classes
	switch id := d.System.ID; {
	case id == "" && count == 0 && !classes["shell"] && !classes["package-manager"]:
		return "scratch"
	case !classes["shell"] && !classes["package-manager"]:
		return "distroless"
	case id == "alpine":
		return "alpine"
	case id == "":
		return "busybox"
	case classes["compiler"] || classes["version-control"] || count > fullPackages:
		return "full"
	}
	return "slim"
}

// fill makes lists of what is not there: rules count on them.
func (d *describer) fill() {
	c := d.Contents
	some(&c.Files)
	some(&c.Directories)
	some(&c.Programs)
	some(&c.Tools)
	some(&c.Daemons)
	some(&c.Executables)
	some(&c.Secrets)
	some(&c.Certificates)
	some(&c.Accounts)
	some(&c.Services)
	some(&c.Caches)
	some(&c.Repositories)
	some(&c.Matches)
	some(&c.Packages)
	some(&c.History)
}

func some[T any](list *[]T) {
	if *list == nil {
		*list = []T{}
	}
}
