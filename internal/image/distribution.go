package image

import (
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fact"
)

// The ecosystem of a package of a distribution until os-release has told which one it is.
const (
	dpkg = "dpkg"
	apk  = "apk"
	rpm  = "rpm"
)

func managed(p *fact.Package) bool {
	return p.Ecosystem == dpkg || p.Ecosystem == apk || p.Ecosystem == rpm
}

// endOfLife is the day on which the distribution ends to mend a release.
func endOfLife(s *fact.System) string {
	date, _ := catalog.SystemEndOfLife(s.ID, s.Version)
	return date
}
