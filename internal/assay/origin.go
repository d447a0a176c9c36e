package assay

import (
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// OriginOf says whose a layer of an image is.
func OriginOf(img *fact.Image, layer int) verdict.Origin {
	switch {
	case img.Base == nil || img.Base.Layers <= 0:
		return verdict.OriginUnknown
	case layer < img.Base.Layers:
		return verdict.OriginBase
	}
	return verdict.OriginApplication
}
