package image

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// describe puts together what rules read of an image.
func describe(img *fact.Image, m *manifest, strata []*stratum) {
	c := &fact.Contents{Name: img.Name, Digest: img.Digest, Form: img.Form, Platform: img.Platform, Annotations: map[string]string{}}
	c.Repository, c.Tag = referenceOf(cmp.Or(m.name, m.reference))
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
		c.Unseen, c.Unsearched = cmp.Or(c.Unseen, s.notes.unseen), cmp.Or(c.Unsearched, s.notes.unsearched)
	}
	d.users()
	d.records(d.record)
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

	image    *fact.Image
	owners   map[string]string // package by file
	names    map[string]bool   // classes of programs that are there
	accounts map[string]*fact.Account
	apart    bool // the package database is that of an image without a package manager
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
	for _, s := range r.sudo {
		s.Layer, s.Package = layer, f.Package
		d.Passwordless = append(d.Passwordless, s)
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
	some(&c.Passwordless)
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
