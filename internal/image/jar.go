package image

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// Bounds on archives of Java, each of which may hold others.
const (
	maxJar      = 1 << 30 // bytes of one
	maxJarDepth = 5
	maxJars     = 20_000  // in one file, at all depths
	maxUnpacked = 4 << 30 // bytes unpacked of one file, at all depths
)

// jarSuffixes are those of archives that may stand in one another.
var jarSuffixes = map[string]bool{".jar": true, ".war": true, ".ear": true, ".par": true, ".sar": true, ".rar": true, ".nar": true, ".kar": true, ".hpi": true, ".jpi": true, ".lpkg": true}

// jars reads an archive and what it holds.
type jars struct {
	found   []fact.Package
	count   int
	bytes   int64
	problem error
}

func (j *jars) note(at string, err error) {
	if err == nil || j.problem != nil {
		return
	}
	if bound, over := errors.AsType[boundError](err); over {
		j.problem = boundError(strings.TrimPrefix(at+": "+string(bound), ": "))
		return
	}
	if at != "" {
		err = fmt.Errorf("%.300s: %w", at, err)
	}
	j.problem = err
}

// readJar reads an archive of Java: what Maven noted of each artifact in it, the archives in it, and, where there is
// nothing of the one, the manifest and its own name.
func readJar(in *input) (*find, error) {
	r, err := in.random(maxJar)
	if err != nil {
		return nil, err
	}
	defer r.close()
	head := make([]byte, 4)
	if n, _ := r.ReadAt(head, 0); n == 4 && string(head) == "Rar!" {
		return nil, nil // the other archives of that name
	}
	j := &jars{}
	j.read(r, r.size, in.path, "", 0)
	return &find{packages: j.found}, j.problem
}

// read reads one archive that is called so, at a path inside of the outermost.
func (j *jars) read(r io.ReaderAt, size int64, name, inside string, depth int) {
	if j.count++; j.count > maxJars {
		j.note(inside, boundError(fmt.Sprintf("there are more than %d archives inside", maxJars)))
		return
	}
	files, err := zipFiles(r, size)
	if err != nil {
		if _, over := errors.AsType[boundError](err); over || jarSuffixes[path.Ext(name)] || inside == "" {
			j.note(inside, err) // an archive of data may be damaged: Java does not start it
		}
		return
	}
	java := isJar(name, files)
	a := &artifact{file: strings.TrimSuffix(path.Base(name), path.Ext(name))}
	if !jarSuffixes[path.Ext(name)] && path.Ext(name) != ".zip" {
		a.file = path.Base(name) // "shop-1.2" has no suffix
	}
	for _, f := range files {
		switch {
		case f.FileInfo().IsDir():
		case f.Name == "META-INF/MANIFEST.MF":
			j.manifest(a, f, inside)
		case strings.HasPrefix(f.Name, "META-INF/maven/"):
			j.maven(a, f, inside)
		case strings.HasSuffix(f.Name, ".class"):
			a.classes = true
		case jarSuffixes[path.Ext(f.Name)]:
			a.holds = true
			j.nested(r, f, inside, depth)
		case path.Ext(f.Name) == ".zip":
			j.nested(r, f, inside, depth)
		}
	}
	if !java {
		return
	}
	for _, p := range a.packages() {
		p.Within = inside
		j.found = append(j.found, p)
	}
}

// text reads a small file of an archive within the bounds on all.
func (j *jars) text(f *zip.File) ([]byte, error) {
	text, err := zipText(f)
	if j.bytes += int64(len(text)); err == nil && j.bytes > maxUnpacked {
		err = boundError(fmt.Sprintf("it unpacks to more than %d bytes", int64(maxUnpacked)))
	}
	return text, err
}

func (j *jars) manifest(a *artifact, f *zip.File, inside string) {
	text, err := j.text(f)
	j.note(path.Join(inside, f.Name), err)
	a.manifest = manifestOf(text)
}

// maven reads META-INF/maven/GROUP/ARTIFACT/pom.properties, or pom.xml, beside each other where both are.
func (j *jars) maven(a *artifact, f *zip.File, inside string) {
	parts := strings.Split(f.Name, "/")
	if len(parts) != 5 || parts[4] != "pom.properties" && parts[4] != "pom.xml" {
		return
	}
	text, err := j.text(f)
	if err != nil {
		j.note(path.Join(inside, f.Name), err)
		return
	}
	at := parts[2] + ":" + parts[3]
	if a.poms == nil {
		a.poms = map[string]coordinates{}
	}
	c := a.poms[at]
	if parts[4] == "pom.properties" {
		if own := propertiesOf(text); own.complete() {
			c = own
		}
	} else if !c.complete() {
		c = pomOf(text)
	}
	if c.group == "" && c.name == "" {
		c.group, c.name = parts[2], parts[3]
	}
	a.poms[at] = c
}

// nested reads an archive in an archive: where it stands when it is not compressed, else unpacked.
func (j *jars) nested(r io.ReaderAt, f *zip.File, inside string, depth int) {
	at := f.Name
	if inside != "" {
		at = inside + "!/" + f.Name
	}
	size := int64(min(f.UncompressedSize64, maxJar+1)) //nolint:gosec // at most maxJar+1
	j.bytes += size
	switch {
	case depth+1 >= maxJarDepth:
		j.note(at, boundError(fmt.Sprintf("archives stand more than %d deep in one another", maxJarDepth)))
		return
	case size > maxJar || j.bytes > maxUnpacked || len(at) > 4*DefaultLimits.Path:
		j.note(at[:min(len(at), 300)], boundError(fmt.Sprintf("it unpacks to more than %d bytes", int64(maxUnpacked))))
		return
	}
	if offset, err := f.DataOffset(); err == nil && f.Method == zip.Store && f.CompressedSize64 == f.UncompressedSize64 {
		j.read(io.NewSectionReader(r, offset, size), size, f.Name, at, depth+1)
		return
	}
	content, err := f.Open()
	if err != nil {
		j.note(at, err)
		return
	}
	defer content.Close() //nolint:errcheck // nothing was written
	unpacked, err := spool(content, size)
	if unpacked != nil {
		defer unpacked.close()
	}
	if err != nil {
		j.note(at, err)
		return
	}
	j.read(unpacked, unpacked.size, f.Name, at, depth+1)
}

// coordinates are Maven's.
type coordinates struct{ group, name, version string }

func (c coordinates) complete() bool { return c.group != "" && c.name != "" && c.version != "" }

// propertiesOf reads what Maven writes into an archive beside the pom.
func propertiesOf(text []byte) (c coordinates) {
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, "=")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "groupId":
			c.group = value
		case "artifactId":
			c.name = value
		case "version":
			c.version = value
		}
	}
	return c
}

// pomOf reads a pom as far as it is without variables: what it does not say itself is its parent's.
func pomOf(text []byte) coordinates {
	var pom struct {
		Group   string `xml:"groupId"`
		Name    string `xml:"artifactId"`
		Version string `xml:"version"`
		Parent  struct {
			Group   string `xml:"groupId"`
			Version string `xml:"version"`
		} `xml:"parent"`
	}
	d := xml.NewDecoder(bytes.NewReader(text))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // coordinates are ASCII
	if err := d.Decode(&pom); err != nil {
		return coordinates{}
	}
	c := coordinates{strings.TrimSpace(pom.Group), strings.TrimSpace(pom.Name), strings.TrimSpace(pom.Version)}
	if c.group == "" {
		c.group = strings.TrimSpace(pom.Parent.Group)
	}
	if c.version == "" {
		c.version = strings.TrimSpace(pom.Parent.Version)
	}
	if strings.Contains(c.group+c.name+c.version, "${") {
		return coordinates{}
	}
	return c
}

// manifestOf reads the main section of a manifest (docs.oracle.com, JAR File Specification): a line that begins with a
// space carries on the one before.
func manifestOf(text []byte) map[string]string {
	fields := map[string]string{}
	key := ""
	s := bufio.NewScanner(bytes.NewReader(text))
	s.Buffer(nil, maxLine)
	for s.Scan() {
		line := strings.TrimSuffix(s.Text(), "\r")
		if line == "" {
			break // the end of the section
		}
		if line[0] == ' ' {
			if key != "" && len(fields[key]) < maxVersion*16 {
				fields[key] += line[1:]
			}
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		if key = strings.ToLower(name); !wanted[key] {
			key = ""
			continue
		}
		fields[key] = strings.TrimPrefix(value, " ")
	}
	return fields
}

// wanted are the fields of a manifest that say what an archive is.
var wanted = map[string]bool{
	"implementation-version": true, "specification-version": true, "bundle-version": true, "plugin-version": true, "short-name": true, "group-id": true,
}
