package image

import (
	"debug/elf"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fact"
)

// starter looks into what a container starts.
type starter struct {
	*view
	config   *fact.ImageConfig
	platform string
	// loaderDirs are those that ld.so.conf names.
	loaderDirs []string
}

// defaultPath is where programs are looked for when the configuration names no PATH (moby's default for Linux).
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func (s *starter) searchPath() []string {
	for _, v := range s.config.Environment {
		if v.Name == "PATH" {
			return strings.Split(v.Value, ":")
		}
	}
	return strings.Split(defaultPath, ":")
}

// launched looks into the program that a command line starts with.
func (s *starter) launched(words []string) fact.StartProgram {
	out := fact.StartProgram{Layer: -1, Libraries: []string{}, Missing: []string{}}
	if len(words) == 0 || words[0] == "" {
		return out
	}
	out.Program = words[0]
	at, what, layer, r := s.lookUp(words[0])
	out.Shell = isShell(words[0])
	if what != file {
		if what == directory {
			out.Doubt = "it is a directory"
		}
		return out
	}
	out.Found, out.Path, out.Layer = true, at, layer
	out.Shell = out.Shell || isShell(at) && path.Base(at) != "busybox"
	if r == nil {
		return out // a file of which nothing was noted: nobody may run it
	}
	out.Executable = r.mode.Perm()&anybodyRuns != 0
	s.into(&out, r)
	s.delegates(&out, words, r)
	return out
}

// lookUp finds a program as execvp(3) does.
func (s *starter) lookUp(program string) (at string, what standing, layer int, r *record) {
	if strings.Contains(program, "/") {
		if !strings.HasPrefix(program, "/") {
			program = path.Join("/", s.config.Directory, program)
		}
		return s.find(program)
	}
	for _, dir := range s.searchPath() {
		if at, what, layer, r = s.find(path.Join(dir, program)); what == file {
			return at, what, layer, r
		}
	}
	return "", nothing, -1, nil
}

// into tells of the program what its content does.
func (s *starter) into(out *fact.StartProgram, r *record) {
	switch {
	case r.program != nil:
		p := r.program
		out.Format, out.Architecture, out.Interpreter = "elf", architectureOf(p), p.interpreter
		out.Fits = s.fits(p)
		out.Doubt = p.doubt
		s.link(out, r)
	case r.script != nil:
		out.Format, out.Interpreter, out.Fits, out.Background = "script", r.script.interpreter, true, r.script.background
		_, what, _, ir := s.lookUp(r.script.interpreter)
		out.Interpreted = what == file
		if ir != nil && ir.program != nil && ir.program.interpreter != "" {
			inner := fact.StartProgram{Libraries: []string{}, Missing: []string{}}
			s.link(&inner, ir)
			out.Libraries, out.Missing = inner.Libraries, inner.Missing
		}
	}
}

// architectures are the names that platforms have for machines (opencontainers/image-spec, GOARCH).
var architectures = map[elf.Machine]string{
	elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64", elf.EM_386: "386", elf.EM_ARM: "arm", elf.EM_PPC64: "ppc64le", elf.EM_S390: "s390x",
	elf.EM_RISCV: "riscv64", elf.EM_LOONGARCH: "loong64", elf.EM_MIPS: "mips",
}

func architectureOf(p *elfFile) string {
	if name, known := architectures[p.machine]; known {
		return name
	}
	return p.machine.String()
}

// fits says whether the image's platform runs the program. What the image does not tell is not held against it.
func (s *starter) fits(p *elfFile) bool {
	parts := strings.Split(s.platform, "/")
	if len(parts) < 2 || parts[1] == "" {
		return true
	}
	is, want := architectureOf(p), parts[1]
	return is == want || want == "amd64" && is == "386" || want == "arm64" && is == "arm" || strings.HasPrefix(want, "mips") && is == "mips" || want == "ppc64" && is == "ppc64le"
}

// passOn are programs that only start the one that their arguments name.
var passOn = []string{"tini", "tini-static", "dumb-init", "docker-init", "catatonit", "env", "nice", "gosu", "su-exec", "exec", "stdbuf", "chpst", "setpriv"}

// delegates looks for a supervisor in what starts, and in the arguments of those that only pass on.
func (s *starter) delegates(out *fact.StartProgram, words []string, r *record) {
	name := path.Base(words[0])
	if catalog.ToolOf(name) == "supervisor" && (name != "init" || r.link != "" || strings.Contains(out.Path, "systemd") || strings.Contains(out.Path, "busybox") || out.Path == "init" || out.Path == "sbin/init") {
		out.Supervisor = name
	}
	if target := path.Base(out.Path); out.Supervisor == "" && catalog.ToolOf(target) == "supervisor" && target != "init" {
		out.Supervisor = target
	}
	rest := words[1:]
	if out.Supervisor != "" || len(rest) == 0 || !slices.Contains(passOn, name) && !strings.Contains(name, "entrypoint") {
		if out.Shell && len(rest) > 1 && rest[0] == "-c" {
			s.commandLine(out, rest[1])
		}
		return
	}
	for i, w := range rest {
		if strings.HasPrefix(w, "-") || strings.Contains(w, "=") {
			continue
		}
		inner := s.launched(rest[i:])
		out.Supervisor, out.Background, out.Shell = inner.Supervisor, out.Background || inner.Background, out.Shell || inner.Shell
		return
	}
}

// commandLine looks into what a shell is told to run.
func (s *starter) commandLine(out *fact.StartProgram, line string) {
	words := strings.Fields(line)
	for _, w := range words {
		if w == "exec" || strings.Contains(w, "=") {
			continue
		}
		if catalog.ToolOf(path.Base(w)) == "supervisor" && path.Base(w) != "init" {
			out.Supervisor = path.Base(w)
		}
		if _, _, _, r := s.lookUp(w); r != nil && r.script != nil {
			out.Background = out.Background || r.script.background
		}
		break
	}
	for i, w := range words {
		if w == "&" && i+1 < len(words) || len(w) > 1 && strings.HasSuffix(w, "&") && !strings.HasSuffix(w, "&&") && i+1 < len(words) {
			out.Background = true
		}
	}
}

// isLink says whether the record is a symbolic link.
func (r *record) isLink() bool { return r.mode&fs.ModeSymlink != 0 }
