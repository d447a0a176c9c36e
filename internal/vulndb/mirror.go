package vulndb

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/verdict"
)

// A mirror is a folder, mostly on a web server:
//
//	index.json                       which index is the newest, and the deltas that lead to it
//	coaming-advisories.db            the index
//	advisories-OLD-NEW-SEAL.delta    deltas, by the sequences of what they are of and lead to
//
// and beside index.json and the index their signatures, .sig.

// ManifestName is the file of a mirror that says what it holds, MaxManifest the most that it may have, in bytes.
const (
	ManifestName   = "index.json"
	MaxManifest    = 1 << 20
	manifestFormat = 1
	mostDeltas     = 1000
)

// Manifest is what a mirror holds.
type Manifest struct {
	Format   int         `json:"format"`
	File     string      `json:"file"`     // of the newest index
	Created  string      `json:"created"`  // when it was made
	Sequence int64       `json:"sequence"` // which it is
	Seal     string      `json:"seal"`     // the SHA-256 that it ends with
	Size     int64       `json:"size"`     // bytes
	Deltas   []DeltaFile `json:"deltas,omitempty"`
}

// DeltaFile is one delta of a mirror.
type DeltaFile struct {
	File string `json:"file"`
	From string `json:"from"` // the seal of the index that it is for
	To   string `json:"to"`   // the seal of the one that it leads to
	Size int64  `json:"size"` // bytes
}

// ReadManifest reads what a mirror says of itself.
func ReadManifest(text []byte) (*Manifest, error) {
	m := &Manifest{}
	if len(text) > MaxManifest {
		return nil, fmt.Errorf("read %s: over %d bytes", ManifestName, MaxManifest)
	}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("read %s: %w", ManifestName, err)
	}
	if m.Format != manifestFormat {
		return nil, fmt.Errorf("read %s: it has format %d, this program reads %d", ManifestName, m.Format, manifestFormat)
	}
	if len(m.Deltas) > mostDeltas || !isFileName(m.File) || !isSeal(m.Seal) || m.Size <= 0 || m.Size > advisory.MaxIndex {
		return nil, fmt.Errorf("read %s: it names no index, or over %d deltas", ManifestName, mostDeltas)
	}
	for _, d := range m.Deltas {
		if !isFileName(d.File) || !isSeal(d.From) || !isSeal(d.To) || d.Size <= 0 || d.Size > advisory.MaxIndex {
			return nil, fmt.Errorf("read %s: %.100q is no delta", ManifestName, d.File)
		}
	}
	return m, nil
}

// isFileName says whether a name stays in its folder, or below its address, and is told there as it is.
func isFileName(name string) bool {
	ok := func(r rune) bool {
		return r == '-' || r == '_' || r == '.' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	return name != "" && len(name) <= 200 && name[0] != '.' && strings.IndexFunc(name, func(r rune) bool { return !ok(r) }) < 0
}

func isSeal(text string) bool {
	raw, err := hex.DecodeString(text)
	return err == nil && len(raw) == sealSize && text == strings.ToLower(text)
}

// Chain is the deltas that lead from an index to the newest one with the least bytes, in their order; nil when none do, or
// the whole has fewer.
func (m *Manifest) Chain(seal string) []DeltaFile {
	type step struct {
		bytes int64
		by    int
	}
	known := map[string]step{seal: {}}
	for range m.Deltas {
		changed := false
		for i, d := range m.Deltas {
			from, found := known[d.From]
			to, other := known[d.To]
			if found && (!other || from.bytes+d.Size < to.bytes) {
				known[d.To], changed = step{from.bytes + d.Size, i}, true
			}
		}
		if !changed {
			break
		}
	}
	if last, found := known[m.Seal]; !found || last.bytes >= m.Size {
		return nil
	}
	var chain []DeltaFile
	for at := m.Seal; at != seal; {
		d := m.Deltas[known[at].by]
		chain, at = append(chain, d), d.From
	}
	slices.Reverse(chain)
	return chain
}

// Publish is how an index becomes the newest of a mirror.
type Publish struct {
	Dir  string
	Keep int // how many deltas stay
	// Sign signs bytes; nil leaves them unsigned.
	Sign func(blob []byte) (signature string, err error)
}

// Index puts an index into the mirror, with a delta from the one that was there. The manifest is written last: until
// then the mirror is the old one, but for the index itself, whose own signature tells.
func (p *Publish) Index(path string) (m *Manifest, err error) {
	fresh, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, fresh.Close()) }()
	if err := fresh.CheckSeal(); err != nil {
		return nil, fmt.Errorf("publish %s: %w", path, err)
	}
	m = &Manifest{
		Format: manifestFormat, File: FileName, Created: fresh.Created().Format(time.RFC3339), Sequence: fresh.About.Sequence,
		Seal: hex.EncodeToString(Seal(fresh.Bytes)), Size: int64(len(fresh.Bytes)),
	}
	if err := p.deltas(m, fresh); err != nil {
		return nil, err
	}
	place := filepath.Join(p.Dir, FileName)
	if err := p.write(place, fresh.Bytes); err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	return m, p.write(filepath.Join(p.Dir, ManifestName), append(text, '\n'))
}

// deltas takes over those of the manifest that is there, as many as stay, and makes one from its index.
func (p *Publish) deltas(m *Manifest, fresh *DB) (err error) {
	text, err := os.ReadFile(filepath.Join(p.Dir, ManifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	before, err := ReadManifest(text)
	if err != nil {
		return fmt.Errorf("publish to %s: %w", p.Dir, err)
	}
	old, err := Open(filepath.Join(p.Dir, before.File))
	if err != nil {
		return fmt.Errorf("publish to %s: %w", p.Dir, err)
	}
	defer func() { err = errors.Join(err, old.Close()) }()
	m.Deltas = before.Deltas
	if before.Seal == m.Seal {
		return nil
	}
	if isOlder(fresh, old) {
		return &verdict.RemedyError{
			Err:    fmt.Errorf("publish to %s: the index has sequence %d, the one there %d", p.Dir, fresh.About.Sequence, old.About.Sequence),
			Remedy: "Who fetches from a mirror takes nothing older: make the index with a greater --sequence.",
		}
	}
	delta, err := Diff(old.Bytes, fresh.Bytes)
	if err != nil {
		return err
	}
	if len(delta) < len(fresh.Bytes) {
		name := fmt.Sprintf("advisories-%d-%d-%s.delta", old.About.Sequence, fresh.About.Sequence, m.Seal[:8])
		if err := writeBytes(filepath.Join(p.Dir, name), delta); err != nil {
			return err
		}
		m.Deltas = append(m.Deltas, DeltaFile{File: name, From: hex.EncodeToString(Seal(old.Bytes)), To: m.Seal, Size: int64(len(delta))})
	}
	for len(m.Deltas) > p.Keep {
		if err := os.Remove(filepath.Join(p.Dir, m.Deltas[0].File)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("publish: %w", err)
		}
		m.Deltas = m.Deltas[1:]
	}
	return nil
}

// write writes a file and its signature.
func (p *Publish) write(path string, text []byte) error {
	if p.Sign != nil {
		signature, err := p.Sign(text)
		if err != nil {
			return err
		}
		if err := writeBytes(path+".sig", []byte(signature+"\n")); err != nil {
			return err
		}
	}
	return writeBytes(path, text)
}

func writeBytes(path string, text []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}
