package image

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"sync"

	"github.com/coaming/coaming/internal/fact"
)

// Programs pass a window: what is looked for in it must fit into window less overlap.
const (
	windowSize = 128 << 10
	overlap    = 512 // bytes of a block that are looked at again with the next
	maxProgram = 4 << 30
)

var windows = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, windowSize) }}

// isLoaded says whether a file that is not executable is loaded by programs, by its name.
func isLoaded(base string) bool {
	switch path.Ext(base) {
	case ".so", ".node", ".exe":
		return true
	}
	return false
}

// program is a program on its way past.
type program struct {
	in  *input
	r   *bufio.Reader
	elf *goELF // nil for other forms
	old *oldGo // what a Go program built before Go 1.18 may need, nil for others

	found   []fact.Package
	marks   []*mark
	problem error
	isGo    bool // its build information was found
	isRust  bool
}

// readProgram finds what a program was built from and what it is, in one pass over it: Go's build information, the crates
// that cargo-auditable notes, and the marks by which the table of bundled programs knows it. What is none of ELF, PE and
// Mach-O is asked for marks alone.
func readProgram(in *input, marks []*mark) (*find, error) {
	if file, ok := in.r.(io.ReaderAt); ok && len(marks) == 0 && !maySpeak(file) {
		return nil, nil
	}
	window := windows.Get().(*bufio.Reader)
	defer windows.Put(window)
	window.Reset(in)
	p := &program{in: in, r: window, marks: slices.Clone(marks)}
	head, err := p.r.Peek(4096)
	if len(head) < 4 {
		return nil, streamError(err)
	}
	native := isNative(head)
	if !native && len(marks) == 0 {
		return nil, nil
	}
	if in.size > maxProgram {
		return nil, boundError(fmt.Sprintf("%d bytes are more than the %d that are read of a program", in.size, int64(maxProgram)))
	}
	if isELF(head) {
		block, _ := p.r.Peek(p.r.Size())
		if p.elf, p.problem = readGoELF(block); p.elf != nil && p.elf.isGo {
			p.old = &oldGo{}
		}
	}
	if err := p.scan(native); err != nil {
		return nil, err
	}
	if native && len(p.marks) == len(marks) && !slices.ContainsFunc(marks, func(m *mark) bool { return m.silent }) && len(marks) > 0 {
		p.found = append(p.found, bundled(path.Base(in.path), "", "").packages...) // it is there, whatever its release
	}
	if len(p.found) == 0 {
		return nil, p.problem
	}
	return &find{packages: p.found}, p.problem
}

// isNative knows the forms of programs by their first bytes.
func isNative(head []byte) bool {
	switch {
	case isELF(head), string(head[:2]) == "MZ":
		return true
	}
	return slices.Contains([]string{"\xfe\xed\xfa\xce", "\xfe\xed\xfa\xcf", "\xce\xfa\xed\xfe", "\xcf\xfa\xed\xfe"}, string(head[:4]))
}

// streamError is what kept a stream from being read, but for its end.
func streamError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, bufio.ErrBufferFull) {
		return nil
	}
	return err
}

// at is the place in the file that comes next.
func (p *program) at() int64 { return p.in.n - int64(p.r.Buffered()) }

func (p *program) note(err error) {
	if p.problem == nil {
		p.problem = err
	}
}

// scan looks at one block after the other, each with the end of the one before.
func (p *program) scan(native bool) error {
	for {
		block, err := p.r.Peek(p.r.Size())
		if err := streamError(err); err != nil {
			return err
		}
		last := len(block) < p.r.Size()
		p.recognise(block)
		step, next := len(block)-overlap, (func() error)(nil)
		if last {
			step = len(block)
		}
		if native {
			if p.old != nil {
				p.old.look(block, p.at())
			}
			if i := p.goIn(block); i >= 0 && i < step {
				step, next = i, p.readGo
			}
			if i := p.rustIn(block[:min(len(block), step+overlap)]); i >= 0 && i < step {
				step, next = i, p.readRust
			}
		}
		if !native && len(p.marks) == 0 {
			return nil
		}
		if _, err := p.r.Discard(step); err != nil {
			return err
		}
		if next != nil {
			if err := next(); err != nil {
				return err
			}
		} else if last {
			return nil
		}
	}
}

// goIn is where in a block Go's build information begins: on 16 bytes, and in ELF in what is loaded as writable, so that a
// program that merely speaks of it is none. Less than 0 where it does not.
func (p *program) goIn(block []byte) int {
	if p.isGo {
		return -1
	}
	at, from, to := p.at(), 0, len(block)
	if p.elf != nil { // the magic's first byte is frequent in code
		within := func(place int64) int { return int(min(max(place-at, 0), int64(len(block)))) }
		from, to = within(p.elf.start), within(p.elf.end+int64(len(goMagic))-1)
	}
	for from < to {
		i := bytes.Index(block[from:to], []byte(goMagic))
		if i < 0 {
			return -1
		}
		i += from
		if (at+int64(i))%goAlign == 0 {
			return i
		}
		from = i + 1
	}
	return -1
}

func (p *program) rustIn(block []byte) int {
	if p.isRust {
		return -1
	}
	return cratesIn(block)
}

func (p *program) readRust() error {
	list, err := readCrates(p.r)
	if len(list) > 0 {
		p.isRust = true
		p.found = append(p.found, list...)
	}
	if bound, over := errors.AsType[boundError](err); over {
		err = bound
	}
	p.note(err)
	return nil
}

// recognise asks a block for the marks that were not found yet.
func (p *program) recognise(block []byte) {
	p.marks = slices.DeleteFunc(p.marks, func(m *mark) bool {
		version := m.find(block)
		if version == "" {
			return false
		}
		p.found = append(p.found, bundled(m.name, m.ecosystem, version).packages...)
		return true
	})
}
