package hold

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"

	"github.com/coaming/coaming/internal/fact"
)

// Contents is the kind of what rules read of images, apart from the records: judging by advisories alone never reads it.
const Contents Kind = "contents"

// maxContents bounds what is kept of one image, in bytes of JSON: what is over it is not kept.
const maxContents = 32 << 20

// form tells versions of fact.Contents apart: what an older one did not know must not be read as not there.
var form = sync.OnceValue(func() string {
	sum := sha256.Sum256([]byte(shape(reflect.TypeFor[fact.Contents]())))
	return hex.EncodeToString(sum[:8])
})

// shape is a type with all that it is made of. The types of facts have no cycles.
func shape(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct:
		var text strings.Builder
		text.WriteString("{")
		for field := range t.Fields() {
			text.WriteString(field.Name + " " + shape(field.Type) + ";")
		}
		return text.String() + "}"
	case reflect.Slice, reflect.Pointer, reflect.Map:
		return t.Kind().String() + " " + shape(t.Elem())
	default:
		return t.Kind().String()
	}
}

// PutContents keeps what rules read of an image. Its packages are those of the record and are not kept again; who vouches for it is
// asked anew each time.
func (s *Store) PutContents(key string, c *fact.Contents) error {
	own := *c
	own.Packages, own.Trust = nil, nil
	text, err := json.Marshal(&own)
	if err != nil {
		return fmt.Errorf("write what an image holds: %w", err)
	}
	if len(text) > maxContents {
		return nil
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(text) // a buffer takes all
	if err := w.Close(); err != nil {
		return fmt.Errorf("write what an image holds: %w", err)
	}
	return s.Put(Contents, form()+"\n"+key, packed.Bytes())
}

// GetContents is what was kept; nil where nothing of this form is. packages are those of the image.
func (s *Store) GetContents(key string, packages []fact.Package) *fact.Contents {
	raw := s.Get(Contents, form()+"\n"+key)
	if raw == nil {
		return nil
	}
	r, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(r, maxContents+1))
	c := &fact.Contents{}
	if err != nil || len(text) > maxContents || json.Unmarshal(text, c) != nil {
		return nil
	}
	c.Packages, c.Trust = fact.PackagesInside(packages), nil
	return c
}
