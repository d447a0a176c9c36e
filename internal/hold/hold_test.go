package hold_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/hold"
	"github.com/coaming/coaming/internal/verdict"
)

// files are the entries of a folder.
func files(t *testing.T, dir string) (list []string, total int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && d.Name() != "secret" {
			info, err := d.Info()
			if err != nil {
				return nil //nolint:nilerr // removed since
			}
			list, total = append(list, path), total+info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list, total
}

// TestDamageIsNoticed changes every byte of an entry in turn: it is not there then, and is removed.
func TestDamageIsNoticed(t *testing.T) {
	s := &hold.Store{Dir: t.TempDir()}
	put := func() {
		if err := s.Put(hold.Layer, "key", []byte("content")); err != nil {
			t.Fatal(err)
		}
	}
	put()
	if got := s.Get(hold.Layer, "key"); string(got) != "content" {
		t.Fatalf("got %q", got)
	}
	if s.Get(hold.Image, "key") != nil || s.Get(hold.Layer, "other") != nil {
		t.Error("an entry is found that is not there")
	}
	list, _ := files(t, s.Dir)
	whole, err := os.ReadFile(list[0])
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		for _, damaged := range [][]byte{whole[:i], append(append(bytes.Clone(whole[:i]), whole[i]^1), whole[i+1:]...)} {
			if err := os.WriteFile(list[0], damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			if got := s.Get(hold.Layer, "key"); got != nil {
				t.Fatalf("byte %d: %q", i, got)
			}
			if left, _ := files(t, s.Dir); len(left) != 0 {
				t.Fatalf("byte %d: the entry is still there", i)
			}
		}
	}
	put()
	if s.Get(hold.Layer, "key") == nil {
		t.Error("it is not made anew")
	}
}

// TestBoundHolds keeps more than may be kept: the bound holds, and what was asked for last is there.
func TestBoundHolds(t *testing.T) {
	s := &hold.Store{Dir: t.TempDir(), Most: 16 * 4096}
	old := time.Now().Add(-48 * time.Hour)
	for i := range 400 {
		if err := s.Put(hold.Layer, strconv.Itoa(i), bytes.Repeat([]byte("x"), 900)); err != nil {
			t.Fatal(err)
		}
		list, _ := files(t, s.Dir)
		for _, f := range list {
			if info, err := os.Stat(f); err == nil && info.ModTime().After(old.Add(time.Hour)) {
				_ = os.Chtimes(f, old.Add(time.Duration(i)*time.Second), old.Add(time.Duration(i)*time.Second))
			}
		}
	}
	if _, total := files(t, s.Dir); total > s.Most {
		t.Errorf("%d bytes are kept, over %d", total, s.Most)
	}
	if s.Get(hold.Layer, "399") == nil || s.Get(hold.Layer, "0") != nil {
		t.Error("not what was asked for longest went")
	}
	if err := s.Put(hold.Layer, "huge", make([]byte, 5000)); err != nil || s.Get(hold.Layer, "huge") != nil {
		t.Errorf("an entry over the bound of a folder is kept: %v", err)
	}
}

// TestSeveralAtOnce uses one folder from many goroutines, each as a process would.
func TestSeveralAtOnce(t *testing.T) {
	dir := t.TempDir()
	secrets := make([][16]byte, 8)
	var group sync.WaitGroup
	for n := range secrets {
		group.Go(func() {
			s := &hold.Store{Dir: dir, Most: 1 << 20}
			var err error
			if secrets[n], err = s.Secret(); err != nil {
				t.Error(err)
			}
			for i := range 50 {
				key := strconv.Itoa(i % 10)
				if err := s.Put(hold.Image, key, []byte("content of "+key)); err != nil {
					t.Error(err)
				}
				if got := s.Get(hold.Image, key); got != nil && string(got) != "content of "+key {
					t.Errorf("%s holds %q", key, got)
				}
			}
		})
	}
	group.Wait()
	for _, secret := range secrets {
		if secret != secrets[0] || secret == [16]byte{} {
			t.Error("one folder has several secrets, or none")
		}
	}
	if list, _ := files(t, dir); len(list) != 10 {
		t.Errorf("%d entries are left: %s", len(list), strings.Join(list, " "))
	}
}

func sample() *hold.Record {
	return &hold.Record{
		Name: "registry.example/shop", Catalogued: time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC), By: "1.0",
		Coverage: verdict.Coverage{Sources: []string{"x"}, Gaps: []verdict.Gap{{Code: verdict.GapSyntax, Message: "m"}}},
		Image: fact.Image{
			Name: "registry.example/shop:1", Digest: "sha256:1", System: &fact.System{ID: "debian", Version: "12"}, Base: &fact.Base{Layers: 1, By: "history"},
			Layers: []fact.Layer{{Digest: "sha256:2"}},
			Packages: []fact.Package{
				{Ecosystem: "Debian:12", Name: "a", Version: "1", Source: "s", SourceVersion: "1", Architecture: "amd64", Place: "var/lib/dpkg/status", Layer: 1},
				{Ecosystem: "npm", Name: "ä", Version: "2", Place: "x", Layer: 300, Since: 200, Owner: "a"},
			},
		},
	}
}

func TestRecordRoundTrip(t *testing.T) {
	want := sample()
	raw, err := want.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	got := &hold.Record{}
	if err := got.UnmarshalBinary(raw); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for i := range raw {
		if new(hold.Record).UnmarshalBinary(raw[:i]) == nil {
			t.Fatalf("the first %d of %d bytes are taken for the whole", i, len(raw))
		}
	}
}

func FuzzRecord(f *testing.F) {
	raw, err := sample().MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(_ *testing.T, raw []byte) { _ = new(hold.Record).UnmarshalBinary(raw) })
}
