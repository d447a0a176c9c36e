// Package bundle carries rule files from where they are written to where they are asked: folders,
// bundles (one .tgz file, the same bytes for the same rules), signatures that cosign makes and
// verifies, and registries that keep bundles as OCI artefacts. It knows nothing of what a rule
// says. What it reads was written by anybody: nothing is unpacked to disk, and all is bounded.
package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	kjson "sigs.k8s.io/json"

	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// What a bundle may hold. A rule file is a few KiB; a thousand of them are a large catalogue.
const (
	MaxBundle = 16 << 20 // bytes of the .tgz
	maxFile   = 1 << 20  // bytes of one rule file
	maxTotal  = 64 << 20 // bytes of all rule files
	maxFiles  = 10_000
)

// manifestName is the first entry of every bundle.
const manifestName = "bundle.json"

// Manifest says what a bundle holds.
type Manifest struct {
	Name    string  `json:"name"`
	Version string  `json:"version"`
	Files   []Entry `json:"files"`
}

// Entry is one file of a bundle.
type Entry struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Size   int    `json:"size"`
}

var (
	nameForm    = regexp.MustCompile(`^[a-z0-9]+([._-][a-z0-9]+)*$`)
	versionForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._+-]{0,127})$`)
)

// CheckName says what is wrong with a bundle's name and version.
func CheckName(name, version string) error {
	var errs []error
	if !nameForm.MatchString(name) || len(name) > 128 {
		errs = append(errs, fmt.Errorf("%q is no name for a bundle: want lower-case words joined by -, _ or a dot", name))
	}
	if !versionForm.MatchString(version) {
		errs = append(errs, fmt.Errorf("%q is no version: want letters, digits and . _ + -", version))
	}
	return errors.Join(errs...)
}

// Write makes a bundle of rule files, whose names are paths in the bundle. The same name, version
// and files give the same bytes.
func Write(name, version string, files []rule.File) ([]byte, error) {
	if err := CheckName(name, version); err != nil {
		return nil, err
	}
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b rule.File) int { return strings.Compare(a.Name, b.Name) })
	m := Manifest{Name: name, Version: version, Files: []Entry{}}
	for i, f := range files {
		if err := checkPath(f.Name); err != nil {
			return nil, err
		}
		if i > 0 && f.Name == files[i-1].Name {
			return nil, fmt.Errorf("%s stands twice in the bundle", f.Name)
		}
		sum := sha256.Sum256([]byte(f.Text))
		m.Files = append(m.Files, Entry{Path: f.Name, SHA256: hex.EncodeToString(sum[:]), Size: len(f.Text)})
	}
	if len(files) == 0 || len(files) > maxFiles {
		return nil, fmt.Errorf("%d rule files, a bundle holds 1 to %d", len(files), maxFiles)
	}
	head, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", manifestName, err)
	}
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	w := tar.NewWriter(z)
	for _, f := range append([]rule.File{{Name: manifestName, Text: string(head) + "\n"}}, files...) {
		// No time, owner or mode of the machine goes in.
		err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.Name, Size: int64(len(f.Text)), Mode: 0o644})
		if err == nil {
			_, err = io.WriteString(w, f.Text)
		}
		if err != nil {
			return nil, fmt.Errorf("pack %s: %w", f.Name, err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	if out.Len() > MaxBundle {
		return nil, fmt.Errorf("the bundle has %d bytes, over %d", out.Len(), MaxBundle)
	}
	return out.Bytes(), nil
}

// checkPath refuses what would stand outside the bundle, or look like something else.
func checkPath(name string) error {
	switch {
	case !utf8.ValidString(name), len(name) > 255, strings.ContainsAny(name, "\\\x00:"), strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("%q is no path for a rule file", name)
	case path.Clean(name) != name, path.IsAbs(name), name == "..", strings.HasPrefix(name, "../"):
		return fmt.Errorf("%q leads outside the bundle", name)
	case !isRuleFile(name):
		return fmt.Errorf("%q is no rule file: want .yaml or .yml", name)
	}
	return nil
}

func isRuleFile(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// Read takes a bundle apart and holds its files to its manifest. origin is what its files are said
// to come from.
func Read(blob []byte, origin string) (*Manifest, []rule.File, error) {
	m, files, err := read(blob, origin)
	if err != nil {
		return nil, nil, &verdict.RemedyError{
			Err:    fmt.Errorf("%s is no bundle of rules: %w", origin, err),
			Remedy: "Make one with 'coaming rule bundle DIR -o FILE.tgz', or fetch it again.",
		}
	}
	return m, files, nil
}

func read(blob []byte, origin string) (*Manifest, []rule.File, error) {
	if len(blob) > MaxBundle {
		return nil, nil, fmt.Errorf("it has %d bytes, over %d", len(blob), MaxBundle)
	}
	compressed := bytes.NewReader(blob)
	z, err := gzip.NewReader(compressed)
	if err != nil {
		return nil, nil, fmt.Errorf("unpack: %w", err)
	}
	z.Multistream(false)
	plain := &io.LimitedReader{R: z, N: maxTotal + maxFiles*1024}
	m, files, err := readEntries(tar.NewReader(plain), origin)
	if err != nil {
		return nil, nil, err
	}
	// Behind the last entry come zeros, the gzip's own checksum, and nothing.
	rest, err := io.ReadAll(io.LimitReader(plain, 1<<20))
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("unpack: %w", err)
	case plain.N <= 0 || len(rest) == 1<<20 || len(bytes.Trim(rest, "\x00")) > 0 || compressed.Len() > 0:
		return nil, nil, errors.New("something stands behind its last file")
	}
	return m, files, nil
}

// readEntries reads the manifest and every file that it names, in its order, and no other.
func readEntries(t *tar.Reader, origin string) (*Manifest, []rule.File, error) {
	text, err := nextEntry(t, manifestName)
	if err != nil {
		return nil, nil, err
	}
	m, err := readManifest(text)
	if err != nil {
		return nil, nil, err
	}
	var files []rule.File
	for _, e := range m.Files {
		text, err := nextEntry(t, e.Path)
		if err != nil {
			return nil, nil, err
		}
		sum := sha256.Sum256(text)
		if len(text) != e.Size || hex.EncodeToString(sum[:]) != e.SHA256 {
			return nil, nil, fmt.Errorf("%s is not the file that %s names", e.Path, manifestName)
		}
		if !utf8.Valid(text) {
			return nil, nil, fmt.Errorf("%s is not UTF-8 text", e.Path)
		}
		files = append(files, rule.File{Name: origin + ":" + e.Path, Text: string(text), Origin: origin})
	}
	if h, err := t.Next(); err == nil {
		return nil, nil, fmt.Errorf("%q is not in %s", h.Name, manifestName)
	} else if !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("unpack: %w", err)
	}
	return m, files, nil
}

func readManifest(text []byte) (*Manifest, error) {
	m := &Manifest{}
	strict, err := kjson.UnmarshalStrict(text, m)
	if err := errors.Join(append(strict, err)...); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	if err := CheckName(m.Name, m.Version); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	if len(m.Files) == 0 || len(m.Files) > maxFiles {
		return nil, fmt.Errorf("%s names %d files, a bundle holds 1 to %d", manifestName, len(m.Files), maxFiles)
	}
	total := 0
	for i, e := range m.Files {
		if err := checkPath(e.Path); err != nil {
			return nil, err
		}
		if i > 0 && e.Path <= m.Files[i-1].Path {
			return nil, fmt.Errorf("%s: %s stands out of order, or twice", manifestName, e.Path)
		}
		if e.Size < 0 || e.Size > maxFile {
			return nil, fmt.Errorf("%s has %d bytes, over %d", e.Path, e.Size, maxFile)
		}
		if total += e.Size; total > maxTotal {
			return nil, fmt.Errorf("its files have over %d bytes", maxTotal)
		}
	}
	return m, nil
}

// nextEntry reads the next entry, which must be a plain file of that name.
func nextEntry(t *tar.Reader, name string) ([]byte, error) {
	h, err := t.Next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%s is missing", name)
	case err != nil:
		return nil, fmt.Errorf("unpack: %w", err)
	case h.Name != name:
		return nil, fmt.Errorf("%q stands where %s belongs", h.Name, name)
	case h.Typeflag != tar.TypeReg:
		return nil, fmt.Errorf("%s is no plain file", name)
	case h.Size > maxFile && name != manifestName, h.Size > 4*maxFile:
		return nil, fmt.Errorf("%s has %d bytes, over %d", name, h.Size, maxFile)
	}
	text, err := io.ReadAll(io.LimitReader(t, 4*maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", name, err)
	}
	return text, nil
}
