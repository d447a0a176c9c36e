package varint_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/coaming/coaming/internal/varint"
)

func TestReader(t *testing.T) {
	raw := binary.AppendUvarint(nil, math.MaxUint64)
	raw = binary.AppendVarint(raw, math.MinInt64)
	raw = binary.AppendVarint(raw, -3)
	raw = append(raw, 7)
	raw = append(binary.AppendUvarint(raw, 4), "text"...)
	raw = append(binary.AppendUvarint(raw, 3), "gone"[:3]...)
	raw = append(binary.AppendUvarint(raw, 2), 'a', 'b')
	r := varint.Reader{Rest: raw}
	if n := r.Number(); n != math.MaxUint64 {
		t.Errorf("number %d", n)
	}
	if n, m := r.Signed(), r.Signed(); n != math.MinInt64 || m != -3 {
		t.Errorf("signed %d and %d", n, m)
	}
	if b, text := r.Byte(), string(r.Bytes()); b != 7 || text != "text" {
		t.Errorf("byte %d, text %q", b, text)
	}
	r.Skip()
	if n := r.Count(); n != 2 || string(r.Take(2)) != "ab" || !r.Whole() {
		t.Errorf("count %d, and %d bytes are left, bad %v", n, len(r.Rest), r.Bad)
	}
	if r.Byte() != 0 || r.Whole() || !r.Bad {
		t.Error("what is past the end was read")
	}
}

// TestFaults holds that nothing past the end is given, and nothing at all after a fault.
func TestFaults(t *testing.T) {
	for name, read := range map[string]func(*varint.Reader) bool{
		"number": func(r *varint.Reader) bool { return r.Number() == 0 },
		"signed": func(r *varint.Reader) bool { return r.Signed() == 0 },
		"bytes":  func(r *varint.Reader) bool { return r.Bytes() == nil },
		"count":  func(r *varint.Reader) bool { return r.Count() == 0 },
		"skip":   func(r *varint.Reader) bool { r.Skip(); return true },
	} {
		for _, raw := range []string{"", "\x80", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"} {
			if r := (varint.Reader{Rest: []byte(raw)}); !read(&r) || !r.Bad || r.Whole() || r.Number() != 0 {
				t.Errorf("%s of %q: bad %v", name, raw, r.Bad)
			}
		}
	}
	for name, read := range map[string]func(*varint.Reader){
		"bytes": func(r *varint.Reader) { r.Bytes() }, "count": func(r *varint.Reader) { r.Count() }, "skip": func(r *varint.Reader) { r.Skip() },
	} {
		if r := (varint.Reader{Rest: []byte("\x05four")}); true {
			if read(&r); !r.Bad {
				t.Errorf("%s: five of four bytes were given", name)
			}
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("\x03\x04text\x02ab"), []byte{0, 3, 4, 1, 2})
	f.Fuzz(func(t *testing.T, raw, steps []byte) {
		r, given := varint.Reader{Rest: raw}, 0
		for _, step := range steps {
			was, before := r.Bad, len(r.Rest)
			switch step % 6 {
			case 0:
				r.Number()
			case 1:
				r.Signed()
			case 2:
				r.Byte()
			case 3:
				given += len(r.Bytes())
			case 4:
				r.Skip()
			case 5:
				if n := r.Count(); n > len(raw) {
					t.Fatalf("count %d of %d bytes", n, len(raw))
				}
			}
			if len(r.Rest) > before || was && (!r.Bad || len(r.Rest) > 0) {
				t.Fatalf("%d bytes left after %d, bad %v after %v", len(r.Rest), before, r.Bad, was)
			}
		}
		if given > len(raw) {
			t.Fatalf("%d bytes given of %d", given, len(raw))
		}
	})
}
