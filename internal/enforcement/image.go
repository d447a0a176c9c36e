package enforcement

import (
	"time"

	"github.com/coaming/coaming/internal/verdict"
)

// ImageEntry says what images must be at some places; what it says nothing of is nil or 0.
type ImageEntry struct {
	Where  Selection
	Mode   *Mode
	Fail   *bool
	FailOn verdict.Gate
	Unseen *Unseen
	Wait   time.Duration
	Pin    *bool
	At     Spot
}

// ImageSetting is what images must be at one place.
type ImageSetting struct {
	Setting
	// FailOn are the findings for which an image is refused; nil where there are none.
	FailOn verdict.Gate
	// Unseen is what becomes of an image that nobody has looked at yet, Wait how long UnseenWait waits.
	Unseen Unseen
	Wait   time.Duration
	// Pin asks for digests in the place of tags.
	Pin bool
}

// ImagesAt is what images must be at a place, the last entry that fits deciding, field by field: Off where none fits.
// Where it is not known whether an entry fits, what it says counts only as far as it is the stricter.
func (p *Plan) ImagesAt(at Place) ImageSetting {
	s := ImageSetting{Setting: p.Default}
	fits := false
	for i := range p.Images {
		if holds, known := p.Images[i].Where.Holds(at); holds || !known {
			fits = true
			p.Images[i].apply(&s, known)
		}
	}
	if !fits || p.Excludes(at.Namespace) {
		return ImageSetting{Setting: Setting{Timeout: p.Default.Timeout}}
	}
	return s
}

// apply lets an entry speak; where it is not known that it may, only for what is stricter.
func (e *ImageEntry) apply(s *ImageSetting, known bool) {
	if e.Mode != nil && (known || *e.Mode > s.Mode) {
		s.Mode = *e.Mode
	}
	if e.Fail != nil && (known || *e.Fail) {
		s.Fail = *e.Fail
	}
	if e.FailOn != nil && (known || s.FailOn == nil) {
		s.FailOn = e.FailOn
	}
	if e.Unseen != nil && (known || *e.Unseen == UnseenDeny) {
		s.Unseen = *e.Unseen
	}
	if e.Wait > 0 {
		s.Wait = e.Wait
	}
	if e.Pin != nil && (known || *e.Pin) {
		s.Pin = *e.Pin
	}
}
