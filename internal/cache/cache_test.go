package cache_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/cache"
)

func store(t *testing.T) *cache.Store {
	t.Helper()
	return &cache.Store{Dir: filepath.Join(t.TempDir(), "kept"), MostEntries: 3, MostBytes: 10_000}
}

func put(t *testing.T, s *cache.Store, key byte, entry cache.Entry) {
	t.Helper()
	if err := s.Put(cache.Key{key}, entry); err != nil {
		t.Fatal(err)
	}
}

func TestStore(t *testing.T) {
	s := store(t)
	if got := s.Get(cache.Key{1}); got != nil {
		t.Errorf("an empty store has %v", got)
	}
	entry := cache.Entry{"report": []byte("a\x00b"), "empty": {}}
	put(t, s, 1, entry)
	if diff := cmp.Diff(entry, s.Get(cache.Key{1})); diff != "" {
		t.Errorf("(-put +got)\n%s", diff)
	}
	put(t, s, 1, cache.Entry{"report": []byte("other")})
	if got := string(s.Get(cache.Key{1})["report"]); got != "other" {
		t.Errorf("put twice, got %q", got)
	}
	if got := s.Get(cache.Key{2}); got != nil {
		t.Errorf("another key has %v", got)
	}
}

// TestKeeps demands that a folder below a file is told to be none, and that one that is not there is made.
func TestKeeps(t *testing.T) {
	s := store(t)
	if !s.Keeps() {
		t.Error("a folder that can be made keeps nothing")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s.Dir = filepath.Join(file, "kept"); s.Keeps() {
		t.Error("a folder below a file keeps something")
	}
}

// TestNotWhole demands that an entry which somebody changed, cut or took from is not there.
func TestNotWhole(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"changed":        func(path string) error { return os.WriteFile(path, []byte("c"), 0o600) },
		"cut":            func(path string) error { return os.Truncate(path, 0) },
		"gone":           os.Remove,
		"without ledger": func(path string) error { return os.Remove(filepath.Join(filepath.Dir(path), "ledger.json")) },
		"broken ledger": func(path string) error {
			return os.WriteFile(filepath.Join(filepath.Dir(path), "ledger.json"), []byte("["), 0o600)
		},
	} {
		s := store(t)
		put(t, s, 1, cache.Entry{"report": []byte("b")})
		files, err := filepath.Glob(filepath.Join(s.Dir, "*", "report"))
		if err != nil || len(files) != 1 {
			t.Fatal(files, err)
		}
		if err := spoil(files[0]); err != nil {
			t.Fatal(err)
		}
		if got := s.Get(cache.Key{1}); got != nil {
			t.Errorf("%s: got %v", name, got)
		}
		put(t, s, 1, cache.Entry{"report": []byte("b")})
		if got := string(s.Get(cache.Key{1})["report"]); got != "b" {
			t.Errorf("%s: put again, got %q", name, got)
		}
	}
}

func TestBounds(t *testing.T) {
	s := store(t)
	put(t, s, 9, cache.Entry{"report": make([]byte, 10_001)})
	if s.Get(cache.Key{9}) != nil {
		t.Error("an entry over the bound is kept")
	}
	for key := range byte(5) {
		put(t, s, key, cache.Entry{"report": {key}})
		at := time.Now().Add(time.Duration(int(key)-10) * time.Minute)
		dirs, err := filepath.Glob(filepath.Join(s.Dir, "0"+string('0'+rune(key))+"00*"))
		if err != nil || len(dirs) != 1 {
			t.Fatal(dirs, err)
		}
		if err := os.Chtimes(dirs[0], at, at); err != nil {
			t.Fatal(err)
		}
	}
	var left []byte
	for key := range byte(5) {
		if s.Get(cache.Key{key}) != nil {
			left = append(left, key)
		}
	}
	if diff := cmp.Diff([]byte{2, 3, 4}, left); diff != "" {
		t.Errorf("kept (-want +got)\n%s", diff)
	}
	put(t, s, 7, cache.Entry{"report": make([]byte, 9_800)})
	if s.Get(cache.Key{7}) == nil || s.Get(cache.Key{2}) != nil {
		t.Error("the bytes are not held to their bound")
	}
}
