package vulndb

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// sealed ends bytes as an index ends.
func sealed(b []byte) []byte {
	sum := sha256.Sum256(b)
	return append(slices.Clone(b), sum[:]...)
}

func someBytes(n int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

// TestDelta makes and applies deltas, the same each time, and small where little was changed.
func TestDelta(t *testing.T) {
	old := someBytes(1 << 20)
	moved := slices.Concat(old[:1000], []byte("something in between"), old[1000:500_000], old[600_000:], old[500_000:600_000])
	counted := slices.Clone(old)
	for i := 0; i+4 <= len(counted); i += 16 { // places that all lie a little further
		binary.LittleEndian.PutUint32(counted[i:], binary.LittleEndian.Uint32(counted[i:])+20)
	}
	for name, test := range map[string]struct {
		fresh []byte
		most  int
	}{
		"the same": {old, 500}, "moved": {moved, 1000}, "places": {counted, 60_000}, "nothing left": {nil, 500}, "another": {someBytes(5000)[2500:], 4000},
	} {
		a, b := sealed(old), sealed(test.fresh)
		delta, err := Diff(a, b)
		if err != nil {
			t.Fatal(name, err)
		}
		if again, _ := Diff(a, b); !bytes.Equal(delta, again) {
			t.Errorf("%s: another delta the second time", name)
		}
		if len(delta) > test.most {
			t.Errorf("%s: a delta of %d bytes, want at most %d", name, len(delta), test.most)
		}
		if got, err := Apply(a, delta); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%s: not the same file: %v", name, err)
		}
		if _, err := Apply(b, delta); !bytes.Equal(a, b) && !errors.Is(err, ErrDelta) {
			t.Errorf("%s: applied to another file: %v", name, err)
		}
	}
}

// TestDamagedDelta cuts and changes a delta: each is an error.
func TestDamagedDelta(t *testing.T) {
	old, fresh := sealed(someBytes(4000)), sealed(someBytes(5000)[100:])
	delta, err := Diff(old, fresh)
	if err != nil {
		t.Fatal(err)
	}
	for i := range delta {
		broken := slices.Clone(delta)
		broken[i] ^= 1
		if _, err := Apply(old, broken); !errors.Is(err, ErrDelta) {
			t.Fatalf("byte %d: %v", i, err)
		}
		if _, err := Apply(old, delta[:i]); !errors.Is(err, ErrDelta) {
			t.Fatalf("the first %d bytes: %v", i, err)
		}
	}
}

// FuzzDelta changes a delta and mends its sum, as who means harm would: the file that it is said to lead to, or an error.
func FuzzDelta(f *testing.F) {
	old, fresh := sealed(someBytes(300)), sealed(someBytes(400)[50:])
	delta, err := Diff(old, fresh)
	if err != nil {
		f.Fatal(err)
	}
	for at := 0; at < len(delta); at += 7 {
		f.Add(at, []byte{0xff, 0x80, 1})
	}
	f.Fuzz(func(t *testing.T, at int, change []byte) {
		broken := slices.Clone(delta)
		copy(broken[int(uint(at)%uint(len(broken))):], change)
		broken = sealed(broken[:len(broken)-sealSize])
		if got, err := Apply(old, broken); err == nil && !bytes.Equal(sealed(got[:len(got)-sealSize]), got) {
			t.Error("a file without its seal")
		}
	})
}

// FuzzDiff makes a delta of any two files.
func FuzzDiff(f *testing.F) {
	f.Add([]byte("one"), []byte("another"))
	f.Add(bytes.Repeat([]byte("0123456789abcdef"), 9), bytes.Repeat([]byte("0123456789abcdeF"), 11))
	f.Fuzz(func(t *testing.T, old, fresh []byte) {
		a, b := sealed(old), sealed(fresh)
		delta, err := Diff(a, b)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Apply(a, delta); err != nil || !bytes.Equal(got, b) {
			t.Errorf("not the same file: %v", err)
		}
	})
}
