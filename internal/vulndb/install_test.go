package vulndb

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/advisory"
)

// made is an index of one record and as many packages, made on a day of January.
func made(t testing.TB, sequence int64, packages int) []byte {
	t.Helper()
	var affected []string
	for i := range packages {
		affected = append(affected, `{"package":{"ecosystem":"npm","name":"p`+strings.Repeat("x", i)+`"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"2.0.0"}]}]}`)
	}
	r, err := advisory.ParseRecord([]byte(`{"id":"CVE-2026-1","modified":"2026-01-01T00:00:00Z","affected":[` + strings.Join(affected, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	b := advisory.NewBuilder()
	b.Add(advisory.Source{Name: "test"}, []*advisory.Record{r})
	var out bytes.Buffer
	if _, err := b.Write(&out, time.Date(2026, 1, int(sequence), 0, 0, 0, 0, time.UTC), sequence); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// place puts an index where updates will come.
func placed(t *testing.T, file []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), FileName)
	if err := os.WriteFile(path, file, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// holds says that a file is as it should be, and that beside it are only the names given.
func holds(t *testing.T, path string, want []byte, beside ...string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s holds another index: %v", path, err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); name != FileName && name != "."+FileName+".lock" && !slices.Contains(beside, name) {
			t.Errorf("%s is left over", name)
		}
	}
}

// TestRefused hands over what must change nothing.
func TestRefused(t *testing.T) {
	old, fresh := made(t, 2, 3), made(t, 3, 4)
	flipped := slices.Clone(fresh)
	flipped[len(flipped)/2] ^= 1
	forged := errors.New("not by the key")
	for name, test := range map[string]struct {
		file   []byte
		update Update
	}{
		"truncated":             {fresh[:len(fresh)-100], Update{}},
		"cut at a block":        {fresh[:8192], Update{}},
		"empty":                 {nil, Update{}},
		"damaged":               {flipped, Update{}},
		"of somebody else":      {fresh, Update{Verify: func([]byte) error { return forged }}},
		"older":                 {made(t, 1, 3), Update{}},
		"not what was promised": {fresh, Update{Seal: Seal(old)}},
	} {
		path := placed(t, old)
		test.update.Path = path
		if _, err := test.update.Take(bytes.NewReader(test.file)); err == nil {
			t.Errorf("%s: taken over", name)
		}
		holds(t, path, old)
	}
	path := placed(t, old)
	if _, err := (&Update{Path: path, Downgrade: true}).Take(bytes.NewReader(made(t, 1, 3))); err != nil {
		t.Error(err)
	}
	holds(t, path, made(t, 1, 3), FileName+".previous")
}

// TestInterrupted ends in the middle of what is read.
func TestInterrupted(t *testing.T) {
	old, fresh := made(t, 1, 3), made(t, 2, 4)
	path := placed(t, old)
	broken := io.MultiReader(bytes.NewReader(fresh[:5000]), iotestErr{})
	if _, err := (&Update{Path: path}).Take(broken); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	holds(t, path, old)
}

type iotestErr struct{}

func (iotestErr) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestDiskFull lets the kernel refuse to write more than two blocks.
func TestDiskFull(t *testing.T) {
	old, fresh := made(t, 1, 3), made(t, 2, 4)
	path := placed(t, old)
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	limit := syscall.Rlimit{}
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Skip("no limit on the size of files:", err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 8192, Max: limit.Max}); err != nil {
		t.Skip("no limit on the size of files:", err)
	}
	_, err := (&Update{Path: path}).Take(bytes.NewReader(fresh))
	if restored := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); restored != nil {
		t.Fatal(restored)
	}
	if !errors.Is(err, syscall.EFBIG) {
		t.Errorf("%v, want that the file is too large", err)
	}
	holds(t, path, old)
}

// TestTwoAtOnce takes over many indexes at the same time: the newest one stays, whoever comes last.
func TestTwoAtOnce(t *testing.T) {
	path := placed(t, made(t, 1, 3))
	var all sync.WaitGroup
	taken := make([]error, 12)
	for i := range taken {
		file := made(t, int64(i+2), 3)
		all.Go(func() { _, taken[i] = (&Update{Path: path}).Take(bytes.NewReader(file)) })
	}
	all.Wait()
	if last := len(taken) - 1; taken[last] != nil {
		t.Error(taken[last])
	}
	holds(t, path, made(t, int64(len(taken)+1), 3), FileName+".previous")
	previous, err := Open(Previous(path))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(previous.CheckSeal(), previous.Close()); err != nil {
		t.Error(err)
	}
}

// TestReaderKeepsItsIndex asks an index that was replaced, and then the one before again.
func TestReaderKeepsItsIndex(t *testing.T) {
	old, fresh := made(t, 1, 3), made(t, 2, 5)
	path := placed(t, old)
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	q := &advisory.Question{Packages: []advisory.Package{{Ecosystem: "npm", Name: "pxx", Version: "1.0.0"}, {Ecosystem: "npm", Name: "pxxxx", Version: "1.0.0"}}}
	before, err := db.Match(q)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&Update{Path: path}).Take(bytes.NewReader(fresh)); err != nil {
		t.Fatal(err)
	}
	after, err := db.Match(q)
	if err != nil || !reflect.DeepEqual(before, after) || len(after.Findings) != 1 {
		t.Errorf("%+v %v, want what it said before: %+v", after, err, before)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	holds(t, path, fresh, FileName+".previous")
	if err := os.Rename(Previous(path), path); err != nil {
		t.Fatal(err)
	}
	holds(t, path, old)
}

// FuzzManifest reads what a mirror says of itself, and follows it.
func FuzzManifest(f *testing.F) {
	seal := strings.Repeat("ab", 32)
	f.Add([]byte(`{"format":1,"file":"a.db","seal":"` + seal + `","size":10,"deltas":[{"file":"d","from":"` + strings.Repeat("cd", 32) + `","to":"` + seal + `","size":3}]}`))
	f.Add([]byte(`{"format":1,"file":"../a.db","seal":"` + seal + `","size":10}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ReadManifest(text)
		if err != nil {
			return
		}
		for _, d := range append(m.Deltas, DeltaFile{File: m.File}) {
			if strings.ContainsAny(d.File, `/\`) || strings.HasPrefix(d.File, ".") {
				t.Errorf("%q leaves the folder", d.File)
			}
		}
		for _, d := range m.Deltas {
			at, sum := d.From, int64(0)
			for _, step := range m.Chain(at) {
				if step.From != at {
					t.Fatal("a chain with a gap")
				}
				at, sum = step.To, sum+step.Size
			}
			if sum > 0 && (at != m.Seal || sum >= m.Size) {
				t.Error("a chain to elsewhere, or longer than the whole")
			}
		}
	})
}
