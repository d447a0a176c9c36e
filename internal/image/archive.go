package image

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"path"
	"strings"
)

// zipHead begins an archive of zip with anything in it.
const zipHead = "PK\x03\x04"

// mayBeArchive says whether a file could be an archive of Java that is not called so: what has no suffix, or one that says nothing.
// Documentation and settings, of which an image has thousands, are left alone.
func mayBeArchive(at string) bool {
	switch end := path.Ext(path.Base(at)); {
	case end == ".zip", end == ".bin", end == ".bak", end == ".old", end == ".orig", end == ".tmp", end == ".pkg", end == ".dat":
		return true
	case end != "" && strings.Trim(end[1:], "0123456789") != "": // "shop-1.2" has none
		return false
	}
	return !beneath(at, quiet) && !among(at, []string{"/.git/", "/node_modules/"}) || strings.HasPrefix(at, "usr/share/java/")
}

// quiet are directories with thousands of files without a suffix, none of which is an archive.
var quiet = []string{
	"usr/share/", "usr/include/", "usr/lib/python", "usr/lib/x86_64-linux-gnu/", "usr/lib/aarch64-linux-gnu/", "var/lib/dpkg/", "var/lib/apt/", "var/cache/", "etc/", "boot/", "lib/terminfo/",
	"usr/lib/terminfo/",
}

// readUnnamed looks at the first bytes of a file: an archive is read as one, anything else by the reader that there is for it, which
// may be none.
func readUnnamed(otherwise reader) reader {
	return func(in *input) (*find, error) {
		if in.size > int64(len(zipHead)) {
			head, err := in.peek(len(zipHead))
			if err != nil {
				return nil, streamError(err)
			}
			if string(head) == zipHead {
				return readZip(in)
			}
		}
		if otherwise == nil {
			return nil, nil
		}
		return otherwise(in)
	}
}

// peek is the beginning of a file of which nothing was read, and leaves it there.
func (in *input) peek(n int) ([]byte, error) {
	head := make([]byte, n)
	if at, random := in.r.(io.ReaderAt); random {
		_, err := at.ReadAt(head, 0)
		return head, err
	}
	got, err := io.ReadFull(in, head)
	in.r, in.n = io.MultiReader(bytes.NewReader(head[:got]), in.r), 0
	return head[:got], err
}

// readZip reads an archive that is not called one of Java: it is one when it has a manifest, and otherwise may hold some. What
// cannot be read as an archive is none, and nothing that Java could start.
func readZip(in *input) (*find, error) {
	r, err := in.random(maxJar)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if _, err := zipFiles(r, r.size); err != nil {
		if _, over := errors.AsType[boundError](err); over {
			return nil, err
		}
		return nil, nil
	}
	j := &jars{}
	j.read(r, r.size, in.path, "", 0)
	if len(j.found) == 0 && j.problem == nil {
		return nil, nil
	}
	return &find{packages: j.found}, j.problem
}

// isJar says whether an archive is one of Java: by its name, or by what it holds.
func isJar(name string, files []*zip.File) bool {
	if jarSuffixes[path.Ext(name)] {
		return true
	}
	for _, f := range files {
		if f.Name == "META-INF/MANIFEST.MF" || strings.HasPrefix(f.Name, "META-INF/maven/") {
			return true
		}
	}
	return false
}
