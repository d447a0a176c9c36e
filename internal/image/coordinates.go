package image

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"io"
	"strings"
)

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
