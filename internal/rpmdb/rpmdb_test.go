package rpmdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// ndb lays headers down in rpm's own form.
func ndb(headers map[int][]byte) []byte {
	le := binary.LittleEndian
	pages := (len(headers)+2)*ndbSlotSize/ndbPage + 1
	file := make([]byte, pages*ndbPage)
	le.PutUint32(file, ndbMagic)
	le.PutUint32(file[12:], uint32(pages))
	for at := 2 * ndbSlotSize; at < len(file); at += ndbSlotSize {
		le.PutUint32(file[at:], ndbSlot)
	}
	at := 3 * ndbSlotSize // one slot stays free
	for _, n := range slices.Sorted(maps.Keys(headers)) {
		blob := headers[n]
		le.PutUint32(file[at+4:], uint32(n))
		le.PutUint32(file[at+8:], uint32(len(file)/ndbBlock))
		head := make([]byte, 16)
		le.PutUint32(head, ndbBlob)
		le.PutUint32(head[4:], uint32(n))
		le.PutUint32(head[12:], uint32(len(blob)))
		file = append(append(file, head...), blob...)
		file = append(file, make([]byte, 16+(ndbBlock-len(file)%ndbBlock)%ndbBlock)...) // sum and end, not read
		le.PutUint32(file[at+12:], uint32((len(blob)+47)/ndbBlock))
		at += ndbSlotSize
	}
	return file
}

// encode makes a header of strings, and of paths below one directory.
func encode(texts map[uint32]string, names ...string) []byte {
	be := binary.BigEndian
	var entries, data []byte
	add := func(tag, kind uint32, count int, value []byte) {
		for _, n := range []uint32{tag, kind, uint32(len(data)), uint32(count)} {
			entries = be.AppendUint32(entries, n)
		}
		data = append(data, value...)
	}
	for _, tag := range slices.Sorted(maps.Keys(texts)) {
		add(tag, typeString, 1, append([]byte(texts[tag]), 0))
	}
	if names != nil {
		add(tagDirIndexes, typeInt32, len(names), make([]byte, 4*len(names)))
		add(tagBasenames, typeStringArray, len(names), []byte(strings.Join(names, "\x00")+"\x00"))
		add(tagDirnames, typeStringArray, 1, []byte("/opt/\x00"))
	}
	head := be.AppendUint32(nil, uint32(len(entries)/headerEntry))
	return slices.Concat(be.AppendUint32(head, uint32(len(data))), entries, data)
}

func named(name string) map[uint32]string {
	return map[uint32]string{tagName: name, tagVersion: "1", tagRelease: "2"}
}

func read(raw []byte) (string, error) {
	var list []string
	err := Read(bytes.NewReader(raw), int64(len(raw)), func(p *Package) {
		list = append(list, strings.Join(append([]string{p.Name, p.EVR()}, p.Files...), " "))
	})
	return strings.Join(list, ", "), err
}

func TestHostileHeaders(t *testing.T) {
	good := encode(named("good"), "a")
	long := encode(named("long"), strings.Repeat("x", maxFile))
	unnamed := encode(map[uint32]string{tagVersion: "1"})
	claims := bytes.Clone(good)
	claims[3] = 0xff
	lost := encode(named("lost"), "a", "b")
	binary.BigEndian.PutUint32(lost[bytes.Index(lost, []byte("/opt/"))-4-8:], 9) // the first directory's number
	for name, tt := range map[string]struct {
		blobs map[int][]byte
		told  string
		want  string // of the error
	}{
		"good":                    {map[int][]byte{1: good}, "good 1-2 /opt/a", ""},
		"a path too long":         {map[int][]byte{1: long, 2: good}, "long 1-2, good 1-2 /opt/a", "over the bounds"},
		"no name":                 {map[int][]byte{1: unnamed, 2: good}, "good 1-2 /opt/a", "names no package"},
		"claims too much":         {map[int][]byte{1: claims, 2: good}, "good 1-2 /opt/a", "claims more"},
		"cut off":                 {map[int][]byte{1: good[:5]}, "", "cut off"},
		"a directory not there":   {map[int][]byte{1: lost}, "lost 1-2", "a directory that it has not"},
		"nothing in it":           {nil, "", ""},
		"several broken, oneself": {map[int][]byte{1: unnamed, 2: unnamed, 3: good}, "good 1-2 /opt/a", "2 packages in it"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := read(ndb(tt.blobs))
			if got != tt.told {
				t.Errorf("got %q, want %q", got, tt.told)
			}
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if strings.Contains(tt.want, "bounds") && !errors.Is(err, ErrTooLarge) {
				t.Errorf("%v is not ErrTooLarge", err)
			}
		})
	}
}

// TestDamaged takes a byte after the other away from, and turns bytes over in, databases of each form: whatever comes
// of it, it ends, and a package that is told is one that is there.
func TestDamaged(t *testing.T) {
	for _, raw := range samples(t) {
		whole, err := read(raw)
		if err != nil || whole == "" {
			t.Fatalf("%q, %v", whole, err)
		}
		step := max(1, len(raw)/300)
		for n := 0; n < len(raw); n += step {
			if got, err := read(raw[:n]); err == nil && got != whole {
				t.Errorf("cut off at %d of %d bytes: %q and no error", n, len(raw), got)
			}
		}
		for n := range 100 {
			turned := bytes.Clone(raw)
			turned[n] ^= 0xff
			_, _ = read(turned)
		}
	}
}

// samples are the databases in testdata, made of packages of the tests' own: rpmdb.sqlite by rpm, Packages by Berkeley
// DB's db5.3_load of the same headers, Packages.db by ndb above.
func samples(t testing.TB) [][]byte {
	t.Helper()
	var list [][]byte
	for _, name := range []string{"rpmdb.sqlite", "Packages", "Packages.db"} {
		raw, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, raw)
	}
	return list
}

func TestSamplesAreTheSame(t *testing.T) {
	const want = "coaming-server 7:1.2.3-4.el9 /opt/server /opt/server/bin, tool 1.2.3-4.el9 /opt/tool"
	for i, raw := range samples(t) {
		got, err := read(raw)
		list := strings.Split(got, ", ")
		slices.Sort(list)
		if got = strings.Join(list, ", "); err != nil || got != want {
			t.Errorf("%d: got %q, %v, want %q", i, got, err, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, raw := range samples(f) {
		f.Add(raw)
	}
	f.Add(ndb(map[int][]byte{1: encode(named("a"), "b", "c")}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_ = Read(bytes.NewReader(raw), int64(len(raw)), func(p *Package) {
			if p.Name == "" || p.Version == "" {
				t.Errorf("%+v", p)
			}
		})
	})
}
