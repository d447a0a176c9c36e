package source

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// An archive is a cluster as it was once read, to be judged elsewhere or again. It is gzip'd JSON
// Lines: anybody can look into it with zcat and jq, it is written and read without holding it, and
// one bad line costs one object.
//
//	{"format":"coaming.dev/archive/v1","version":"1.36","context":"prod","taken":"2026-11-21T22:00:00Z","tool":"coaming/1.2.3","kinds":["Deployment.apps",…]}
//	{"path":"/apis/apps/v1/namespaces/shop/deployments/cart","object":{…}}
//	…
//	{"trailer":{"objects":1,"gaps":[…],"exclusions":[…],"sha256":"…"}}
//
// The trailer's sum is over the bytes of all lines before it. It finds what was cut off or damaged;
// it is no signature.
const (
	archiveFamily = "coaming.dev/archive/"
	archiveFormat = archiveFamily + "v1"
)

// ArchiveMeta is what an archive says of its own making.
type ArchiveMeta struct {
	Context string    // the cluster's name to people
	Taken   time.Time // when the cluster was read
	Tool    string    // what read it: "coaming/1.2.3"
}

type archiveHeader struct {
	Format  string `json:"format"`
	Version string `json:"version,omitempty"`
	Context string `json:"context,omitempty"`
	Taken   string `json:"taken,omitempty"`
	Tool    string `json:"tool,omitempty"`
	// Kinds are those that the cluster was asked for: that none of another kind is here says nothing.
	Kinds []string `json:"kinds,omitempty"`
}

type archiveTrailer struct {
	Objects    int                 `json:"objects"`
	Gaps       []verdict.Gap       `json:"gaps,omitempty"`
	Exclusions []verdict.Exclusion `json:"exclusions,omitempty"`
	SHA256     string              `json:"sha256"`
}

type archiveEnd struct {
	Trailer *archiveTrailer `json:"trailer"`
}

// WriteArchive writes a reading. The same objects and meta give the same bytes. The values of
// Secrets do not get into an archive, wherever the objects came from; nothing else is masked: an
// archive is as confidential as the cluster's ConfigMaps and the environment of its pods.
func WriteArchive(w io.Writer, r *Reading, meta ArchiveMeta) error {
	zip := gzip.NewWriter(w) // its header carries no name and no time
	a := archiveWriter{w: bufio.NewWriterSize(zip, 64<<10), sum: sha256.New()}
	header := archiveHeader{Format: archiveFormat, Version: r.Version, Context: meta.Context, Tool: meta.Tool, Kinds: r.Asked}
	if !meta.Taken.IsZero() {
		header.Taken = meta.Taken.UTC().Format(time.RFC3339)
	}
	a.json(header)
	for _, o := range inOrder(r.Objects) {
		a.object(o)
	}
	a.json(archiveEnd{&archiveTrailer{
		Objects:    len(r.Objects),
		Gaps:       r.Coverage.Gaps,
		Exclusions: r.Coverage.Exclusions,
		SHA256:     hex.EncodeToString(a.sum.Sum(nil)),
	}})
	if err := errors.Join(a.err, a.w.Flush(), zip.Close()); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return nil
}

// inOrder is the objects by kind, namespace, name and path; the slice itself is left alone.
func inOrder(objects []*fact.Object) []*fact.Object {
	type keyed struct {
		kind string
		o    *fact.Object
	}
	keys := make([]keyed, 0, len(objects))
	for _, o := range objects {
		keys = append(keys, keyed{o.GroupKind(), o})
	}
	slices.SortStableFunc(keys, func(a, b keyed) int {
		return cmp.Or(
			cmp.Compare(a.kind, b.kind),
			cmp.Compare(a.o.Namespace, b.o.Namespace),
			cmp.Compare(a.o.Name, b.o.Name),
			cmp.Compare(a.o.Origin.File, b.o.Origin.File),
		)
	})
	sorted := make([]*fact.Object, 0, len(keys))
	for _, k := range keys {
		sorted = append(sorted, k.o)
	}
	return sorted
}

// archiveWriter writes lines; after an error it does nothing more.
type archiveWriter struct {
	w      *bufio.Writer
	sum    hash.Hash
	err    error
	buffer []byte
}

func (a *archiveWriter) line(line []byte) {
	if a.err != nil {
		return
	}
	a.sum.Write(line)
	_, a.err = a.w.Write(line)
}

func (a *archiveWriter) json(v any) {
	line, err := json.Marshal(v)
	if err != nil {
		a.err = errors.Join(a.err, err)
		return
	}
	a.line(append(line, '\n'))
}

func (a *archiveWriter) object(o *fact.Object) {
	a.buffer = appendEntry(a.buffer[:0], "path", o.Origin.File)
	if o.Doubt != "" {
		a.buffer = appendEntry(a.buffer, "doubt", o.Doubt)
	}
	a.buffer = append(a.buffer, `,"object":`...)
	a.buffer = o.Root.AppendJSONWithout(a.buffer, func(_ int, key string, entry document.Value) bool {
		return key == lastApplied || secretValue(key, entry)
	})
	a.buffer = append(a.buffer, '}', '\n')
	a.line(a.buffer)
}

// appendEntry begins or continues an object with a string.
func appendEntry(line []byte, key, value string) []byte {
	opening := byte(',')
	if len(line) == 0 {
		opening = '{'
	}
	line = append(strconv.AppendQuote(append(line, opening), key), ':')
	text, err := json.Marshal(value)
	if err != nil { // no string is refused
		text = []byte(`""`)
	}
	return append(line, text...)
}
