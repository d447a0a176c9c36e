package image

import (
	"errors"
	"io"
	"os"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/sbom"
	"github.com/coaming/coaming/internal/verdict"
)

// readBill reads a bill of materials in place of an image. found is false of a file that can be none: it may be an
// archive, which the tar reader knows, or nothing.
func readBill(path string, l *Limits) (img *fact.Image, c *verdict.Coverage, found bool, err error) {
	file, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, nil, false, nil // whoever opens it next tells
	}
	defer file.Close() //nolint:errcheck // nothing was written
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, nil, false, nil // as above
	}
	head := make([]byte, 4096)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) || !sbom.Recognises(head[:n]) {
		return nil, nil, false, nil // as above
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, nil, true, err
	}
	limits := sbom.DefaultLimits
	limits.Packages, limits.Gaps = l.Packages, l.Gaps
	img, c, err = sbom.Read(path, file, limits)
	return img, c, true, err
}
