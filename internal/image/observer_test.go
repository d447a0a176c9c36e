package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
)

// TestReadersShareAFile gives one file to several readers, who read all, a part or nothing of it.
func TestReadersShareAFile(t *testing.T) {
	broken := errors.New("broken")
	for name, size := range map[string]int{"empty": 0, "small": 1000, "the largest in memory": maxShared, "large": maxShared + 1, "blocks": 1 << 20, "more than blocks": 1<<20 + 17} {
		for _, fails := range []bool{false, true} {
			t.Run(fmt.Sprint(name, fails), func(t *testing.T) {
				text := strings.Repeat("0123456789abcdef", size/16+1)[:size]
				var source io.Reader = strings.NewReader(text)
				if fails {
					source = io.MultiReader(source, &failing{broken})
				}
				e := &entry{path: "f", size: int64(size)}
				if fails {
					e.size++
				}
				var got [4]string
				var errs [4]error
				whole := func(i int) reader {
					return func(in *input) (*find, error) {
						b, err := io.ReadAll(in)
						got[i], errs[i] = string(b), err
						return one("x", "y", "z"), err
					}
				}
				part := func(in *input) (*find, error) {
					b := make([]byte, size/2)
					_, errs[2] = io.ReadFull(in, b)
					got[2] = string(b)
					return nil, nil
				}
				none := func(*input) (*find, error) { return nil, nil }
				s := newStratum(0, &Options{Limits: DefaultLimits}, &ledger{limit: 10})
				list, n := s.readAll(e, []reader{whole(0), none, part, whole(3)}, source)
				if n != int64(size) || got[0] != text || got[3] != text || got[2] != text[:size/2] {
					t.Errorf("%d of %d bytes read; they got %d, %d, %d", n, size, len(got[0]), len(got[2]), len(got[3]))
				}
				for _, i := range []int{0, 3} {
					if (errs[i] != nil) != fails || list[i].find == nil || list[i].n != int64(size) {
						t.Errorf("reader %d: %v, %+v", i, errs[i], list[i])
					}
				}
			})
		}
	}
}

// TestReaderBreaksOff has a reader panic over one of a layer's files: that one is told, and the others are read.
func TestReaderBreaksOff(t *testing.T) {
	for _, size := range []int64{3, maxShared + 1} {
		s := newStratum(0, &Options{Limits: DefaultLimits}, &ledger{limit: 10})
		breaks := func(*input) (*find, error) { panic("index out of range") }
		whole := func(in *input) (*find, error) {
			_, err := io.Copy(io.Discard, in)
			return one("x", "y", "z"), err
		}
		s.read(&entry{path: "f", size: size}, []reader{breaks, whole}, io.LimitReader(zeros{}, size))
		if len(s.finds)+len(s.plain) != 1 || len(s.ledger.gaps) != 1 || s.ledger.gaps[0].message != "reading it broke off: index out of range" {
			t.Errorf("of %d bytes: %d finds, gaps %+v", size, len(s.finds)+len(s.plain), s.ledger.gaps)
		}
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

// TestObserversSeeEntries asks that every kind of entry is told, in order and as it stands.
func TestObserversSeeEntries(t *testing.T) {
	raw := tarOf(t,
		tar.Header{Name: "usr/", Typeflag: tar.TypeDir, Mode: 0o755},
		tar.Header{Name: "./usr/su", Mode: 0o4755, Uid: 0, Gid: 5, Linkname: "program", PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "cap"}},
		tar.Header{Name: "usr/doas", Typeflag: tar.TypeLink, Linkname: "/usr/su", Mode: 0o4755},
		tar.Header{Name: "bin", Typeflag: tar.TypeSymlink, Linkname: "usr/bin"},
		tar.Header{Name: "tmp/f", Mode: 0o666, Uid: 7, Linkname: "x"},
		tar.Header{Name: ".wh.gone"},
	)
	l := &ledger{limit: 10}
	o := &Options{Limits: DefaultLimits}
	s := newStratum(3, o, l)
	w := &witness{}
	s.observers = []observer{w}
	passing := readAhead(bytes.NewReader(raw))
	defer passing.Close()
	if err := s.walk(passing); err != nil {
		t.Fatal(err)
	}
	s.finish()
	want := "usr drwxr-xr-x 0:0 0, usr/su urwxr-xr-x 0:5 7 cap=cap content=program, usr/doas urwxr-xr-x 0:0 0 hard usr/su, " +
		"bin Lrw-r--r-- 0:0 0 link usr/bin, tmp/f -rw-rw-rw- 7:0 1 content=x, finished"
	if got := strings.Join(w.seen, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

type witness struct{ seen []string }

func (w *witness) observe(e *entry) reader {
	line := fmt.Sprintf("%s %s %d:%d %d", e.path, e.mode, e.uid, e.gid, e.size)
	if c := e.xattr("security.capability"); c != "" {
		line += " cap=" + c
	}
	if e.hard {
		line += " hard " + e.link
	} else if e.mode&fs.ModeSymlink != 0 {
		line += " link " + e.link
	}
	w.seen = append(w.seen, line)
	at := len(w.seen) - 1
	return func(in *input) (*find, error) {
		b, err := io.ReadAll(in)
		w.seen[at] += " content=" + string(b)
		return nil, err
	}
}

func (w *witness) finish() { w.seen = append(w.seen, "finished") }
