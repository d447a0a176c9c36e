// Package purl reads and writes package URLs (github.com/package-url/purl-spec), and knows which of them is which
// package: OSV's ecosystem, the release of the distribution, the source package. It is pure; advisories,
// bills of materials and images all name packages by it, so that there is one such knowledge.
package purl

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// URL is a package URL taken apart.
type URL struct {
	Type, Namespace, Name, Version string
	Qualifiers                     map[string]string
	Subpath                        string
}

// maxText is the most bytes that a package URL may have.
const maxText = 4096

// Parse takes a package URL apart.
func Parse(text string) (URL, error) {
	p := URL{}
	rest, found := strings.CutPrefix(text, "pkg:")
	if !found || len(text) > maxText {
		return p, fmt.Errorf("%.100q is no package URL", text)
	}
	rest = strings.TrimLeft(rest, "/")
	rest, p.Subpath = cutLast(rest, "#")
	rest, query := cutLast(rest, "?")
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if value == "" {
			continue
		}
		decoded, err := url.PathUnescape(value)
		if err != nil {
			return p, fmt.Errorf("%.100q is no package URL: %w", text, err)
		}
		if p.Qualifiers == nil {
			p.Qualifiers = map[string]string{}
		}
		p.Qualifiers[strings.ToLower(key)] = decoded
	}
	// The version's @ is the last one behind the last slash: npm's scopes may stand unescaped.
	at := strings.LastIndexByte(rest, '@')
	if at > strings.LastIndexByte(rest, '/') {
		rest, p.Version = rest[:at], rest[at+1:]
	}
	kind, path, found := strings.Cut(rest, "/")
	if !found || kind == "" {
		return p, fmt.Errorf("%.100q is no package URL: it names no package", text)
	}
	p.Type = strings.ToLower(kind)
	path = strings.Trim(path, "/")
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		p.Namespace, path = path[:i], path[i+1:]
	}
	p.Name = path
	for _, field := range []*string{&p.Namespace, &p.Name, &p.Version, &p.Subpath} {
		decoded, err := url.PathUnescape(*field)
		if err != nil {
			return p, fmt.Errorf("%.100q is no package URL: %w", text, err)
		}
		*field = decoded
	}
	p.Subpath = strings.Trim(p.Subpath, "/")
	if p.Name == "" {
		return p, fmt.Errorf("%.100q is no package URL: it names no package", text)
	}
	return p, nil
}

func cutLast(s, sep string) (before, after string) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):]
	}
	return s, ""
}

// String is the package URL in its canonical spelling: qualifiers in order, and everything escaped but letters,
// digits, ".", "-", "_", "~" and ":".
func (p URL) String() string {
	var b strings.Builder
	b.WriteString("pkg:" + p.Type + "/")
	segments := func(text string) {
		for segment := range strings.SplitSeq(text, "/") {
			if segment != "" {
				escape(&b, segment)
				b.WriteByte('/')
			}
		}
	}
	segments(p.Namespace)
	escape(&b, p.Name)
	if p.Version != "" {
		b.WriteByte('@')
		escape(&b, p.Version)
	}
	sep := byte('?')
	for _, key := range slices.Sorted(maps.Keys(p.Qualifiers)) {
		if value := p.Qualifiers[key]; value != "" {
			b.WriteByte(sep)
			b.WriteString(key + "=")
			escape(&b, value)
			sep = '&'
		}
	}
	if p.Subpath != "" {
		b.WriteByte('#')
		segments(p.Subpath)
	}
	if p.Subpath != "" {
		return strings.TrimSuffix(b.String(), "/")
	}
	return b.String()
}

func escape(b *strings.Builder, text string) {
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(".-_~:", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(b, "%%%02X", c)
		}
	}
}
