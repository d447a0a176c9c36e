package image

import (
	"cmp"
	"regexp"

	"github.com/coaming/coaming/internal/fact"
)

// The annotations by which builders name the base (github.com/opencontainers/image-spec, annotations.md).
const (
	baseName   = "org.opencontainers.image.base.name"
	baseDigest = "org.opencontainers.image.base.digest"
)

// startLine knows the entries of a history that say what an image runs, as docker build and BuildKit write them.
var startLine = regexp.MustCompile(`^(/bin/sh -c #\(nop\) +)?(CMD|ENTRYPOINT)\b`)

// baseOf is what the image's own documents tell of its base: builders' annotations name it, and the history shows where a
// base ends. A base says what it runs and then ends; where layers follow on such an entry, what was before them
// is the base. Of several bases on one another the last one counts. nil when nothing tells.
func baseOf(annotations map[string]string, c *config, layers int) *fact.Base {
	b := &fact.Base{
		Name:   cmp.Or(annotations[baseName], c.Config.Labels[baseName]),
		Digest: cmp.Or(annotations[baseDigest], c.Config.Labels[baseDigest]),
		By:     "annotation",
	}
	seen, started, border := 0, 0, 0
	for _, h := range c.History {
		switch {
		case !h.EmptyLayer:
			if started > 0 {
				border = started
			}
			seen++
		case startLine.MatchString(h.CreatedBy):
			started = seen
		}
	}
	if seen == layers && border > 0 {
		b.Layers = border
		if b.Name == "" && b.Digest == "" {
			b.By = "history"
		}
	}
	if b.Layers == 0 && b.Name == "" && b.Digest == "" {
		return nil
	}
	return b
}
