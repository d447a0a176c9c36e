package image

import (
	"path"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

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
