package image

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// The form of a Go program's build information is that of debug/buildinfo, which reads it from files alone: behind a magic on
// 16 bytes the size of a pointer and flags. Since Go 1.18 the two strings follow, each behind its length; before, the
// addresses of two strings elsewhere.
const (
	goMagic     = "\xff Go buildinf:"
	goHeader    = 32
	goPointer   = 14
	goFlags     = 15
	goBig       = 1
	goInline    = 2
	goAlign     = 16
	goSentinels = 16 // bytes before and behind the module's text
	maxModules  = 16 << 20
	maxVersion  = 256
)

// readGo reads the build information that begins here.
func (p *program) readGo() error {
	p.isGo = true // or the mark at the end of a file would be found for ever
	head, err := p.r.Peek(goHeader)
	if err != nil {
		p.note(short(err))
		return streamError(err)
	}
	read := p.inline
	if head[goFlags]&goInline == 0 {
		read = p.pointed
	}
	version, modules, err := read()
	if err == nil {
		var list []fact.Package
		list, err = goPackages(version, modules)
		p.found = append(p.found, list...)
	}
	p.note(err)
	return nil
}

// goPackages are the modules of a program, and Go's own library.
func goPackages(version, modules string) ([]fact.Package, error) {
	info, err := debug.ParseBuildInfo(modules)
	if err != nil {
		return nil, fmt.Errorf("the build information of the Go program does not parse: %w", err)
	}
	list := []fact.Package{{Ecosystem: "Go", Name: "stdlib", Version: strings.TrimPrefix(version, "go")}}
	if v := linkedVersion(info); v != "" && (info.Main.Version == "" || info.Main.Version == "(devel)") {
		info.Main.Version = v
	}
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if m.Replace != nil {
			m = m.Replace
		}
		if m.Path != "" {
			list = append(list, fact.Package{Ecosystem: "Go", Name: m.Path, Version: m.Version})
		}
	}
	return list, nil
}

// linked is a variable that the linker was told the value of: -X main.version=1.2.3.
var linked = regexp.MustCompile(`-X[= ]+["']?([^\s="']+)=["']?v?(\d+\.\d+\.\d+[^\s"']*)`)

// linkedVersion is the release that a program was built as, where the linker was told one: the module itself says (devel)
// when it was built from its own sources. "" where nothing or several are told.
func linkedVersion(info *debug.BuildInfo) string {
	version := ""
	for _, s := range info.Settings {
		if s.Key != "-ldflags" {
			continue
		}
		for _, m := range linked.FindAllStringSubmatch(s.Value, 100) {
			name := strings.ToLower(m[1][strings.LastIndexByte(m[1], '.')+1:])
			if name != "version" && name != "gitversion" && name != "releaseversion" && name != "appversion" {
				continue
			}
			if version != "" && version != "v"+m[2] {
				return ""
			}
			version = "v" + m[2]
		}
	}
	return version
}

// short makes the early end of a file an error that says so.
func short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the program ends before its data")
	}
	return err
}

// inline reads the Go version and the text about modules behind the magic.
func (p *program) inline() (version, modules string, err error) {
	if _, err := p.r.Discard(goHeader); err != nil {
		return "", "", err
	}
	var texts [2]string
	for i, most := range []uint64{maxVersion, maxModules} {
		n, err := binary.ReadUvarint(p.r)
		if err != nil {
			return "", "", short(err)
		}
		if n > most {
			return "", "", fmt.Errorf("the build information of the Go program claims %d bytes", n)
		}
		if texts[i], err = readString(p.r, int64(n)); err != nil { //nolint:gosec // n is at most maxModules
			return "", "", err
		}
	}
	if texts[0] == "" {
		return "", "", errors.New("the build information of the Go program is empty")
	}
	return texts[0], withoutSentinels(texts[1]), nil
}

// readString reads as many bytes as there are, if not all, so that a claim costs nothing.
func readString(r *bufio.Reader, n int64) (string, error) {
	var b bytes.Buffer
	_, err := io.CopyN(&b, r, n)
	return b.String(), short(err)
}

func withoutSentinels(modules string) string {
	if len(modules) >= 2*goSentinels && modules[len(modules)-goSentinels-1] == '\n' {
		return modules[goSentinels : len(modules)-goSentinels]
	}
	return ""
}

const maxOldVersions = 4096

// gather keeps the text about modules, which may be longer than a block.
func (o *oldGo) gather(block []byte, at int64) {
	if o.modules == nil {
		i := bytes.Index(block, moduleStart)
		if i < 0 {
			return
		}
		o.place, o.open = at+int64(i), true
	}
	if !o.open {
		return
	}
	from := o.place + int64(len(o.modules)) - at // what of the block is not kept yet
	if from < 0 || from > int64(len(block)) {
		o.open = false
		return
	}
	o.modules = append(o.modules, block[from:]...)
	if i := bytes.Index(o.modules, moduleEnd); i >= 0 {
		o.modules, o.open = o.modules[:i+len(moduleEnd)], false
	} else if len(o.modules) > maxModules {
		o.modules, o.open = []byte{}, false
	}
}
