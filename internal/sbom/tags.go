package sbom

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// isTag knows the tags that an SPDX 2 document in tag-value may begin with.
func isTag(tag string) bool {
	switch tag {
	case "SPDXVersion", "DataLicense", "SPDXID", "DocumentName", "DocumentNamespace", "DocumentComment", "Creator", "Created", "PackageName":
		return true
	}
	return false
}

// tags is an SPDX 2 document in tag-value on its way past (spdx.github.io/spdx-spec/v2.3, tag-value).
type tags struct {
	g       *gathering
	version string
	part    *part // the package that the tags belong to; nil in front of the first and in files
	purpose string
	count   int
	licence [2]string // the id and the name of the licence that the tags belong to
	related [3]string // the relationship whose comment may follow
}

func readTags(g *gathering, r io.Reader) error {
	t := &tags{g: g}
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 0, 64<<10), g.limits.Text)
	line := 0
	for in.Scan() {
		line++
		text := strings.TrimSuffix(in.Text(), "\r")
		if trimmed := strings.TrimSpace(text); trimmed == "" || trimmed[0] == '#' {
			continue
		}
		tag, value, found := strings.Cut(text, ":")
		if !found {
			return fmt.Errorf("line %d: %.60q is no tag with a value", line, text)
		}
		value = strings.TrimSpace(value)
		if rest, long := strings.CutPrefix(value, "<text>"); long {
			var err error
			if value, line, err = longText(rest, line, in, g.limits.Text); err != nil {
				return err
			}
		}
		t.tag(strings.TrimSpace(tag), value, line)
	}
	if errors.Is(in.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("line %d: %w", line+1, boundError(fmt.Sprintf("it has more than %d bytes", g.limits.Text)))
	}
	if in.Err() != nil {
		return in.Err()
	}
	t.end()
	if t.version == "" {
		return errNoBill
	}
	return g.isSPDX(t.version)
}

// longText reads on to the end of a text of several lines.
func longText(text string, line int, in *bufio.Scanner, limit int) (value string, at int, err error) {
	begin, b := line, strings.Builder{}
	for {
		head, _, closed := strings.Cut(text, "</text>")
		if b.Len()+len(head) > limit {
			return "", line, fmt.Errorf("line %d: %w", begin, boundError(fmt.Sprintf("a text has more than %d bytes", limit)))
		}
		b.WriteString(head)
		if closed {
			return b.String(), line, nil
		}
		if !in.Scan() {
			return "", line, fmt.Errorf("line %d: the text has no </text>", begin)
		}
		line++
		b.WriteByte('\n')
		text = strings.TrimSuffix(in.Text(), "\r")
	}
}

// tag reads one tag.
func (t *tags) tag(name, value string, line int) {
	word := value[:min(len(value), maxWord)]
	switch name {
	case "SPDXVersion":
		t.version = word
	case "DocumentName":
		t.g.title = word
	case "PackageName":
		t.end()
		t.part = &part{at: fmt.Sprintf("line %d", line), name: word}
	case "FileName", "SnippetSPDXID":
		t.end()
	case "LicenseID":
		t.end()
		t.licence[0] = word
	case "LicenseName":
		t.g.extracted(t.licence[0], word, "")
	case "ExtractedText":
		if t.g.licences[t.licence[0]] == "" {
			t.g.extracted(t.licence[0], "", word)
		}
	case "Relationship":
		t.relate()
		if words := strings.Fields(word); len(words) == 3 {
			t.related = [3]string(words)
		}
	case "RelationshipComment":
		t.g.spdxRelate(t.related[0], t.related[1], t.related[2], word)
		t.related = [3]string{}
	case "AnnotationComment":
		t.g.note(word)
	default:
		t.ofPackage(name, word)
	}
}

// ofPackage reads one tag of a package.
func (t *tags) ofPackage(name, value string) {
	p := t.part
	if p == nil {
		return
	}
	switch name {
	case "SPDXID":
		p.id = value
	case "PackageVersion":
		p.version = value
	case "PackageSourceInfo":
		p.found(value)
	case "PackageDescription", "PackageSummary":
		p.title = value
	case "PackageComment":
		p.remarks(value)
	case "PackageLicenseDeclared":
		p.licenced(value, true)
	case "PackageLicenseConcluded":
		p.licenced(value, false)
	case "PrimaryPackagePurpose":
		t.purpose = value
	case "PackageChecksum":
		if sum, found := strings.CutPrefix(value, "SHA256:"); found {
			p.digest = "sha256:" + strings.TrimSpace(sum)
		}
	case "ExternalRef":
		if words := strings.Fields(value); len(words) == 3 {
			p.external(words[1], words[2])
		}
	}
}

// end closes what the tags before belong to.
func (t *tags) end() {
	t.relate()
	if t.part != nil {
		t.g.spdxAdd(*t.part, t.purpose)
	}
	t.part, t.purpose, t.licence = nil, "", [2]string{}
}

// relate hands over a relationship that had no comment.
func (t *tags) relate() {
	if t.related[0] != "" {
		t.g.spdxRelate(t.related[0], t.related[1], t.related[2], "")
	}
	t.related = [3]string{}
}
