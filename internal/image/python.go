package image

import (
	"archive/zip"
	"errors"
	"path"
	"strings"
)

// pythonInfoReader knows the metadata of what setuptools and its predecessors install: NAME.egg-info/PKG-INFO and
// NAME.egg/EGG-INFO/PKG-INFO.
func pythonInfoReader(at string) reader {
	dir := path.Dir(at)
	if strings.HasSuffix(dir, ".egg-info") || path.Base(dir) == "EGG-INFO" && strings.HasSuffix(path.Dir(dir), ".egg") {
		return readPython
	}
	return nil
}

// readPython reads the head of the metadata of an installed distribution (packaging.python.org, core metadata).
func readPython(in *input) (*find, error) {
	name, version := "", ""
	err := in.lines(func(line string) bool {
		key, value, _ := strings.Cut(line, ":")
		switch strings.ToLower(key) {
		case "name":
			name = strings.TrimSpace(value)
		case "version":
			version = strings.TrimSpace(value)
		}
		return line != "" && (name == "" || version == "") // an empty line ends the head
	})
	if err != nil {
		return nil, err
	}
	if name == "" || version == "" {
		return nil, errors.New("the metadata names no package and version")
	}
	return one("PyPI", name, version), nil
}

// readEgg reads a distribution that is installed as one archive.
func readEgg(in *input) (*find, error) {
	all := &find{}
	err := in.zipped(func(f *zip.File) error {
		if f.Name != "EGG-INFO/PKG-INFO" {
			return nil
		}
		r, err := f.Open()
		if err != nil {
			return err
		}
		defer r.Close()                                                                                       //nolint:errcheck // nothing was written
		found, err := readPython(&input{path: f.Name, size: int64(min(f.UncompressedSize64, maxBase)), r: r}) //nolint:gosec // at most maxBase
		if found != nil {
			all.packages = append(all.packages, within(f.Name, found.packages)...)
		}
		return err
	})
	return all, err
}
