package source

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// scopeOf adds the directory's own ignore files to those above it.
func scopeOf(dir, below string, entries []fs.DirEntry, outer *scope) *scope {
	s := outer
	for _, e := range entries {
		if e.Name() > ignoreFiles[0] {
			break // entries are sorted, and .gitignore is the later of the names
		}
		kind := slices.Index(ignoreFiles[:], e.Name())
		if kind < 0 || e.IsDir() {
			continue
		}
		text, err := readRegular(join(dir, e.Name()), 8<<20)
		if err != nil {
			continue // an ignore file that cannot be read hides nothing
		}
		if s == outer {
			s = &scope{outer: outer, base: len(below)}
		}
		s.rules[kind] = parseIgnore(text)
	}
	return s
}

// outerScopes reads the ignore files above a directory, up to the root of its git repository.
// below is the directory's path below that root. When they ignore the directory itself they count
// for nothing: it was named.
func outerScopes(dir string) (outer *scope, below string) {
	path := realPath(dir)
	root := path
	for {
		if _, err := os.Lstat(filepath.Join(root, ".git")); err == nil {
			break
		}
		if root == filepath.Dir(root) {
			return nil, ""
		}
		root = filepath.Dir(root)
	}
	if root == path {
		return nil, ""
	}
	for name := range strings.SplitSeq(path[len(root)+1:], string(filepath.Separator)) {
		entries := []fs.DirEntry{}
		for _, file := range [...]string{".coamingignore", ".gitignore"} {
			if info, err := os.Lstat(filepath.Join(root, file)); err == nil {
				entries = append(entries, fs.FileInfoToDirEntry(info))
			}
		}
		outer = scopeOf(root, below, entries, outer)
		if outer.ignored(below+name, true) {
			return nil, ""
		}
		root, below = filepath.Join(root, name), below+name+"/"
	}
	return outer, below
}
