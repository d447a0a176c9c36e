package image

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/coaming/coaming/internal/fact"
)

// The form of a Go program's build information since Go 1.18 is that of debug/buildinfo, which reads it from
// files alone: behind a magic on 16 bytes, a flag that says that the two strings follow, and these, each behind its length.
const (
	goMagic     = "\xff Go buildinf:"
	goHeader    = 32
	goFlags     = 15
	goInline    = 2
	goAlign     = 16
	goSentinels = 16 // bytes before and behind the module's text
	maxProgram  = 4 << 30
	maxModules  = 16 << 20
)

// windows are what programs are looked at through.
var windows = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 64<<10) }}

// readExecutable finds the modules that a Go program was built from, in one pass over it. What is no ELF file, or
// no Go program, tells nothing.
func readExecutable(in *input) (*find, error) {
	window := windows.Get().(*bufio.Reader) //nolint:forcetypeassert // the pool holds no other
	defer windows.Put(window)
	window.Reset(in)
	head, _ := window.Peek(4)
	if string(head) != elf.ELFMAG {
		return nil, nil
	}
	if in.size > maxProgram {
		return nil, boundError(fmt.Sprintf("%d bytes are more than the %d that are read of a program", in.size, int64(maxProgram)))
	}
	version, modules, err := scanGo(window)
	if err != nil || version == "" {
		return nil, err
	}
	info, err := debug.ParseBuildInfo(modules)
	if err != nil {
		return nil, fmt.Errorf("the build information of the Go program does not parse: %w", err)
	}
	f := &find{packages: []fact.Package{{Ecosystem: "Go", Name: "stdlib", Version: strings.TrimPrefix(version, "go")}}}
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if m.Replace != nil {
			m = m.Replace
		}
		if m.Path != "" {
			f.packages = append(f.packages, fact.Package{Ecosystem: "Go", Name: m.Path, Version: m.Version})
		}
	}
	return f, nil
}

// scanGo looks for the build information in the part of an ELF file that is loaded as writable.
func scanGo(r *bufio.Reader) (version, modules string, err error) {
	start, end, err := dataOf(r)
	if err != nil || start >= end {
		return "", "", err
	}
	if _, err := discard(r, start); err != nil {
		return "", "", short(err)
	}
	for at := start; at < end; {
		block, err := r.Peek(r.Size())
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
			return "", "", err
		}
		i := bytes.Index(block, []byte(goMagic))
		if i >= 0 && (at+int64(i))%goAlign == 0 {
			if _, err := r.Discard(i); err != nil {
				return "", "", err
			}
			return goStrings(r)
		}
		step := i + 1
		if i < 0 {
			if len(block) < r.Size() {
				return "", "", nil // the end
			}
			step = len(block) - len(goMagic) + 1
		}
		if _, err := r.Discard(step); err != nil {
			return "", "", err
		}
		at += int64(step)
	}
	return "", "", nil
}

// discard passes over n bytes, of which a bufio.Reader's own Discard takes no more than an int.
func discard(r *bufio.Reader, n int64) (int64, error) { return io.CopyN(io.Discard, r, n) }

// short makes the early end of a file an error that says so.
func short(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the program ends before its data")
	}
	return err
}

// goStrings reads the Go version and the text about modules.
func goStrings(r *bufio.Reader) (version, modules string, err error) {
	head, err := r.Peek(goHeader)
	if err != nil {
		return "", "", short(err)
	}
	if head[goFlags]&goInline == 0 {
		return "", "", unreadError("a Go program built before Go 1.18 is not read")
	}
	if _, err := r.Discard(goHeader); err != nil {
		return "", "", err
	}
	var texts [2]string
	for i, most := range []uint64{256, maxModules} {
		n, err := binary.ReadUvarint(r)
		if err != nil {
			return "", "", short(err)
		}
		if n > most {
			return "", "", fmt.Errorf("the build information of the Go program claims %d bytes", n)
		}
		var b strings.Builder
		if _, err := io.CopyN(&b, r, int64(n)); err != nil { //nolint:gosec // n is at most maxModules
			return "", "", short(err)
		}
		texts[i] = b.String()
	}
	version, modules = texts[0], texts[1]
	if version == "" {
		return "", "", errors.New("the build information of the Go program is empty")
	}
	if len(modules) >= 2*goSentinels && modules[len(modules)-goSentinels-1] == '\n' {
		return version, modules[goSentinels : len(modules)-goSentinels], nil
	}
	return version, "", nil
}

// dataOf is the part of an ELF file from the first to the last byte that is loaded as writable, as its program
// headers (which linkers put right behind the file's own) tell.
func dataOf(r *bufio.Reader) (start, end int64, err error) {
	head, _ := r.Peek(r.Size())
	if len(head) < 64 {
		return 0, 0, nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	wide := elf.Class(head[elf.EI_CLASS]) == elf.ELFCLASS64
	table, size, count := uint64(order.Uint32(head[28:])), int(order.Uint16(head[42:])), int(order.Uint16(head[44:]))
	if wide {
		table, size, count = order.Uint64(head[32:]), int(order.Uint16(head[54:])), int(order.Uint16(head[56:]))
	}
	least := 32
	if wide {
		least = 56
	}
	if count == 0 {
		return 0, 0, nil // an object file
	}
	if size < least || table > uint64(len(head)) || table+uint64(size*count) > uint64(len(head)) {
		return 0, 0, errors.New("the program headers of the ELF file do not stand near its beginning")
	}
	for i := range count {
		h := head[int(table)+i*size:]
		flags, offset, length := order.Uint32(h[24:]), uint64(order.Uint32(h[4:])), uint64(order.Uint32(h[16:]))
		if wide {
			flags, offset, length = order.Uint32(h[4:]), order.Uint64(h[8:]), order.Uint64(h[32:])
		}
		if elf.ProgType(order.Uint32(h)) != elf.PT_LOAD || elf.ProgFlag(flags)&elf.PF_W == 0 || length == 0 {
			continue
		}
		if offset > maxProgram || length > maxProgram {
			return 0, 0, errors.New("the program headers of the ELF file lead out of it")
		}
		if from := int64(offset); end == 0 || from < start { //nolint:gosec // at most maxProgram
			start = from
		}
		end = max(end, int64(offset+length)) //nolint:gosec // at most twice maxProgram
	}
	return start, end, nil
}
