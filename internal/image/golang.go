package image

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"runtime/debug"
	"slices"
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
	head, err := p.r.Peek(goHeader)
	if err != nil {
		p.note(short(err))
		return streamError(err)
	}
	read := p.inline
	if head[goFlags]&goInline == 0 {
		read = p.pointed
	}
	p.isGo = true
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

// oldGo keeps of a Go program what the older form of build information may point back to.
type oldGo struct {
	versions map[int64]string // by place in the file, what may begin with a version of Go
	modules  []byte           // the text between the sentinels, with them
	place    int64            // of modules
	open     bool             // its end has not passed
	seen     int64            // where the next block to look at begins
}

const maxOldVersions = 4096

var (
	oldVersions = [][]byte{[]byte("go1."), []byte("devel +"), []byte("devel go")}
	moduleStart = []byte("\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6")
	moduleEnd   = []byte("\xf9\x32\x43\x31\x86\x18\x20\x72\x00\x82\x42\x10\x41\x16\xd8\xf2")
)

// look gathers from a block at a place in the file what stands in the strings of the program.
func (o *oldGo) look(block []byte, at int64) {
	if at < o.seen {
		skip := o.seen - at
		if skip >= int64(len(block)) {
			return
		}
		block, at = block[skip:], o.seen
	}
	o.seen = at + int64(max(len(block)-overlap, 0))
	if o.versions == nil {
		o.versions = map[int64]string{}
	}
	for _, begin := range oldVersions {
		for from := 0; len(o.versions) < maxOldVersions; {
			i := bytes.Index(block[from:], begin)
			if i < 0 {
				break
			}
			i += from
			o.versions[at+int64(i)] = string(block[i:min(i+maxVersion, len(block))])
			from = i + len(begin)
		}
	}
	o.gather(block, at)
}

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

// pointed reads the older form: behind the magic stand the addresses of two strings' heads, each of which is an address and
// a length. The heads follow in the file, what they point to has passed.
func (p *program) pointed() (version, modules string, err error) {
	unread := unreadError("a Go program built before Go 1.18 is not read where its strings do not stand before its data")
	if p.old == nil {
		return "", "", unread
	}
	head, _ := p.r.Peek(goHeader)
	var order binary.ByteOrder = binary.LittleEndian
	if head[goFlags]&goBig != 0 {
		order = binary.BigEndian
	}
	size := int(head[goPointer])
	if size != 4 && size != 8 {
		return "", "", fmt.Errorf("the build information of the Go program has addresses of %d bytes", size)
	}
	number := func(b []byte) uint64 {
		if size == 4 {
			return uint64(order.Uint32(b))
		}
		return order.Uint64(b)
	}
	heads := map[int64]int{p.elf.place(number(head[16:])): 0, p.elf.place(number(head[16+size:])): 1}
	var texts [2]string
	for _, at := range slices.Sorted(maps.Keys(heads)) {
		if at < 0 && heads[at] == 1 {
			continue // a program without modules
		}
		if at < p.at() {
			return "", "", unread
		}
		if err := p.skip(at - p.at()); err != nil {
			return "", "", err
		}
		pair, err := p.r.Peek(2 * size)
		if err != nil {
			return "", "", short(err)
		}
		texts[heads[at]] = p.old.text(p.elf.place(number(pair)), number(pair[size:]))
	}
	if texts[0] == "" {
		return "", "", unread
	}
	return texts[0], withoutSentinels(texts[1]), nil
}

// skip passes over bytes, of which a bufio.Reader's own Discard takes no more than an int.
func (p *program) skip(n int64) error {
	_, err := io.CopyN(io.Discard, p.r, n)
	return short(err)
}

// text is the string of a length at a place in the file.
func (o *oldGo) text(at int64, length uint64) string {
	if at == o.place && length == uint64(len(o.modules)) {
		return string(o.modules)
	}
	if text := o.versions[at]; length > 0 && length <= uint64(len(text)) {
		return text[:length]
	}
	return ""
}
