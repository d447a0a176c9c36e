package image

import (
	"path"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// libraryPaths are where loaders look when nothing else is told: glibc's and musl's own, Debian's directories by architecture.
var libraryPaths = []string{"lib", "usr/lib", "lib64", "usr/lib64", "usr/local/lib", "usr/local/lib64", "usr/glibc-compat/lib"}

// triplets are Debian's names of architectures in paths (wiki.debian.org/Multiarch/Tuples).
var triplets = map[string]string{
	"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu", "386": "i386-linux-gnu", "arm": "arm-linux-gnueabihf", "ppc64le": "powerpc64le-linux-gnu",
	"s390x": "s390x-linux-gnu", "riscv64": "riscv64-linux-gnu", "mips": "mips64el-linux-gnuabi64", "loong64": "loongarch64-linux-gnu",
}

// link finds the libraries that a program needs, those that these need included, as a dynamic loader would.
func (s *starter) link(out *fact.StartProgram, r *record) {
	p := r.program
	if p.interpreter == "" {
		out.Interpreted = true // it needs none
		return
	}
	_, what, _, _ := s.find(p.interpreter)
	out.Interpreted = what == file
	seen := map[string]bool{}
	for queue := []*record{r}; len(queue) > 0 && len(seen) < maxNeeds; queue = queue[1:] {
		from := queue[0]
		if from.program.doubt != "" {
			out.Doubt = from.path + ": " + from.program.doubt
		}
		for _, name := range from.program.needs {
			if seen[name] {
				continue
			}
			seen[name] = true
			at, lib := s.library(name, from, r)
			switch {
			case at == "" && s.isLoader(name, p.interpreter):
			case at == "":
				out.Missing = append(out.Missing, name)
			default:
				out.Libraries = append(out.Libraries, at)
				if lib != nil && lib.program != nil {
					queue = append(queue, lib)
				}
			}
		}
	}
	slices.Sort(out.Libraries)
	slices.Sort(out.Missing)
}

// isLoader says whether a library is the loader itself under another name, as musl's is.
func (s *starter) isLoader(name, interpreter string) bool {
	return path.Base(interpreter) == name || strings.HasPrefix(name, "libc.musl-") && strings.HasPrefix(path.Base(interpreter), "ld-musl-")
}

// library finds a library by its name.
func (s *starter) library(name string, from, program *record) (string, *record) {
	if strings.Contains(name, "/") {
		return s.libraryAt(name, program)
	}
	var dirs []string
	for _, owner := range []*record{from, program} {
		for _, dir := range owner.program.runpath {
			dirs = append(dirs, strings.NewReplacer("$ORIGIN", "/"+path.Dir(owner.path), "${ORIGIN}", "/"+path.Dir(owner.path)).Replace(dir))
		}
	}
	for _, v := range s.config.Environment {
		if v.Name == "LD_LIBRARY_PATH" {
			dirs = append(dirs, strings.Split(v.Value, ":")...)
		}
	}
	if t := triplets[architectureOf(program.program)]; t != "" {
		dirs = append(dirs, "lib/"+t, "usr/lib/"+t, "usr/local/lib/"+t)
	}
	dirs = append(dirs, libraryPaths...)
	for _, dir := range append(dirs, s.loaderDirs...) {
		if at, r := s.libraryAt(path.Join(dir, name), program); at != "" {
			return at, r
		}
	}
	return "", nil
}

func (s *starter) libraryAt(name string, program *record) (string, *record) {
	_, what, _, r := s.find(name)
	if what != file {
		return "", nil
	}
	if r != nil && r.program != nil && (r.program.machine != program.program.machine || r.program.class != program.program.class) {
		return "", nil // the loader passes over those of other machines
	}
	return strings.TrimPrefix(path.Clean("/"+name), "/"), r
}
