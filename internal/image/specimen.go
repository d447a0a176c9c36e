package image

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"

	doc "github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// Specimen builds the image that an example of a rule describes, and opens it as any other: what a rule is tried on is
// what the reader really sees. docs/writing-rules.md says what a description holds.
func Specimen(description doc.Value) (*fact.Image, error) {
	blobs, name, err := specimen(description)
	if err != nil {
		return nil, err
	}
	o := &Options{Limits: DefaultLimits}
	l := &ledger{path: name, limit: o.Limits.Gaps}
	img, _, err := readStored(context.Background(), name, blobs, o, l) //nolint:forbidigo // it is made in memory, and small: there is nothing to wait for
	if v := description.Get("trust"); err == nil && v.Exists() {
		img.Contents.Trust, err = vouching(v)
	}
	return img, err
}

// vouching is what a description says of who vouches for the image, in the words of fact.Vouching.
func vouching(v doc.Value) (*fact.Vouching, error) {
	decoder := json.NewDecoder(bytes.NewReader(v.AppendJSON(nil)))
	decoder.DisallowUnknownFields()
	t := &fact.Vouching{}
	if err := decoder.Decode(t); err != nil {
		return nil, fmt.Errorf("trust: %w", err)
	}
	t.Settle()
	return t, nil
}

// shelf is a store of an OCI layout that stands in no file.
type shelf map[string][]byte

func (m shelf) open(name string) (io.ReadCloser, int64, error) {
	text, found := m[name]
	if !found {
		return nil, 0, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(text)), int64(len(text)), nil
}

func (m shelf) add(text []byte) descriptor {
	sum := sha256.Sum256(text)
	d := descriptor{Digest: "sha256:" + hex.EncodeToString(sum[:]), Size: int64(len(text))}
	m["blobs/sha256/"+hex.EncodeToString(sum[:])] = text
	return d
}

func (m shelf) json(v any) (descriptor, error) {
	text, err := json.Marshal(v)
	return m.add(text), err
}

// maxSpecimen is how many files an example may describe.
const maxSpecimen = 1000

// specimen writes an OCI layout from a description.
func specimen(v doc.Value) (shelf, string, error) {
	w := &specimenWriter{blobs: shelf{}, known: specimenKeys}
	w.keys(v, "an image", "reference", "platform", "config", "annotations", "history", "layers", "files", "removed", "created", "damaged", "trust")
	name := v.Get("reference").Str()
	if name == "" {
		name = "registry.example.com/shop/web:1.4.2"
	}
	c := config{Created: v.Get("created").Str()}
	c.OS, c.Architecture = "linux", "amd64"
	if os, architecture, ok := strings.Cut(v.Get("platform").Str(), "/"); ok {
		c.OS, c.Architecture = os, architecture
	}
	w.config(v.Get("config"), &c)
	m := indexOrManifest{Annotations: texts(v.Get("annotations"))}
	var layers []doc.Value
	if v.Get("files").Exists() || v.Get("removed").Exists() {
		layers = append(layers, v)
	}
	for _, l := range v.Get("layers").Items() {
		w.keys(l, "a layer", "command", "files", "removed")
		layers = append(layers, l)
	}
	type step = struct {
		CreatedBy  string `json:"created_by"`
		EmptyLayer bool   `json:"empty_layer"`
	}
	for _, l := range layers {
		m.Layers = append(m.Layers, w.layer(l))
		c.History = append(c.History, step{CreatedBy: l.Get("command").Str()})
	}
	for _, h := range v.Get("history").Items() {
		c.History = append(c.History, step{CreatedBy: h.Str(), EmptyLayer: true})
	}
	if v.Get("damaged").Bool() && len(m.Layers) > 0 {
		file := "blobs/" + strings.Replace(m.Layers[0].Digest, ":", "/", 1)
		w.blobs[file] = append(w.blobs[file][:len(w.blobs[file])/2:len(w.blobs[file])/2], make([]byte, len(w.blobs[file])-len(w.blobs[file])/2)...)
	}
	var err error
	m.Config, err = w.blobs.json(c)
	w.err(err)
	d, err := w.blobs.json(m)
	w.err(err)
	d.Annotations = map[string]string{"io.containerd.image.name": name}
	index, err := json.Marshal(indexOrManifest{Manifests: []descriptor{d}})
	w.err(err)
	w.blobs["index.json"] = index
	return w.blobs, name, errors.Join(w.errs...)
}

type specimenWriter struct {
	blobs shelf
	known []string
	errs  []error
	count int
}

func (w *specimenWriter) err(err error) {
	if err != nil {
		w.errs = append(w.errs, err)
	}
}

// keys faults what is no map, and keys that mean nothing.
func (w *specimenWriter) keys(v doc.Value, what string, known ...string) {
	if v.Exists() && v.Kind() != doc.Map {
		w.err(fmt.Errorf("%s is described by a map", what))
	}
	for key := range v.Fields() {
		if !slices.Contains(known, key) {
			w.err(fmt.Errorf("unknown key %q of %s: there are %s", key, what, strings.Join(known, ", ")))
		}
	}
}

func texts(v doc.Value) map[string]string {
	m := map[string]string{}
	for key, value := range v.Fields() {
		m[key] = value.Text()
	}
	return m
}

func words(v doc.Value) []string {
	var list []string
	for _, item := range v.Items() {
		list = append(list, item.Text())
	}
	return list
}

func set(v doc.Value) map[string]struct{} {
	m := map[string]struct{}{}
	for _, word := range words(v) {
		m[word] = struct{}{}
	}
	return m
}

func (w *specimenWriter) config(v doc.Value, c *config) {
	w.keys(v, "config", "user", "entrypoint", "command", "directory", "environment", "ports", "volumes", "labels", "health", "onBuild")
	r := &c.Config
	r.User, r.WorkingDir = v.Get("user").Text(), v.Get("directory").Str()
	r.Entrypoint, r.Cmd, r.OnBuild = words(v.Get("entrypoint")), words(v.Get("command")), words(v.Get("onBuild"))
	r.ExposedPorts, r.Volumes, r.Labels = set(v.Get("ports")), set(v.Get("volumes")), texts(v.Get("labels"))
	for name, value := range v.Get("environment").Fields() {
		r.Env = append(r.Env, name+"="+value.Text())
	}
	if h := v.Get("health"); h.Exists() {
		r.Healthcheck = &struct{ Test []string }{words(h)}
	}
}

// layer writes one layer, compressed.
func (w *specimenWriter) layer(v doc.Value) descriptor {
	var raw bytes.Buffer
	gz := gzip.NewWriter(&raw)
	tw := tar.NewWriter(gz)
	for name, f := range v.Get("files").Fields() {
		w.file(tw, name, f)
	}
	for _, name := range words(v.Get("removed")) {
		name = strings.TrimPrefix(name, "/")
		w.err(tw.WriteHeader(&tar.Header{Name: path.Join(path.Dir(name), ".wh."+path.Base(name)), Mode: 0o644, Typeflag: tar.TypeReg}))
	}
	w.err(tw.Close())
	w.err(gz.Close())
	return w.blobs.add(raw.Bytes())
}
