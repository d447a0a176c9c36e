package image

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fact"
)

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
