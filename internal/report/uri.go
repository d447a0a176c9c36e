package report

import (
	"path"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// artifactOf is the file as a URI: relative to its root, or a file URI of an absolute path.
func artifactOf(l *verdict.Location) sarifArtifact {
	kind, _, _ := strings.Cut(l.Source, ":")
	absolute := strings.HasPrefix(l.File, "/") || isDrive(l.File)
	switch {
	case kind == "cluster" || kind == "archive":
		return sarifArtifact{escapePath(strings.TrimLeft(l.File, "/")), baseID(l.Source)}
	case absolute:
		return sarifArtifact{URI: "file:///" + escapePath(strings.TrimLeft(path.Clean(l.File), "/"))}
	}
	return sarifArtifact{escapePath(path.Clean(l.File)), baseID(l.Source)}
}

// baseID names the root that a relative file stands under: what was read from the file system is
// relative to the working directory, a cluster and an archive are roots of their own.
func baseID(source string) string {
	kind, _, _ := strings.Cut(source, ":")
	if kind == "cluster" || kind == "archive" {
		return visible(source)
	}
	return sourceRoot
}

func isDrive(file string) bool {
	return len(file) > 2 && file[1] == ':' && file[2] == '/' && (file[0]|0x20) >= 'a' && (file[0]|0x20) <= 'z'
}

// escapePath percent-encodes every byte of a path that RFC 3986 does not let stand in a segment. The
// colon is encoded too, for in a relative reference it would end a scheme; after a drive it stays.
func escapePath(file string) string {
	const free = "-._~/!$&'()*+,;=@"
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	drive := isDrive(file)
	for i := range len(file) {
		c := file[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			strings.IndexByte(free, c) >= 0, drive && i == 1:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}
