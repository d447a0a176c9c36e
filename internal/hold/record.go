package hold

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/varint"
	"github.com/coaming/coaming/internal/verdict"
)

// Record is what an image holds, as it was catalogued once.
type Record struct {
	Image fact.Image
	// Name is what findings call the image.
	Name     string
	Coverage verdict.Coverage
	// Catalogued is when, By which build of the program.
	Catalogued time.Time
	By         string
}

// A record is a length, the JSON of everything but the packages, and the packages by columns: the names of the
// columns stand in it, so that a later version, which knows more of them or fewer, reads it. Of the packages' files nothing is kept.

var errRecord = errors.New("it is no record of an image")

// MarshalBinary is the record as bytes (encoding.BinaryMarshaler).
func (r *Record) MarshalBinary() ([]byte, error) {
	about := *r
	about.Image.Packages = nil
	head, err := json.Marshal(&about)
	if err != nil {
		return nil, fmt.Errorf("write the record of an image: %w", err)
	}
	out := binary.AppendUvarint(nil, uint64(len(head)))
	return appendColumns(append(out, head...), r.Image.Packages), nil
}

// UnmarshalBinary reads what MarshalBinary wrote (encoding.BinaryUnmarshaler).
func (r *Record) UnmarshalBinary(raw []byte) error {
	in := varint.Reader{Rest: raw}
	head := in.Bytes()
	if in.Bad {
		return errRecord
	}
	if err := json.Unmarshal(head, r); err != nil {
		return fmt.Errorf("%w: %w", errRecord, err)
	}
	packages, err := readColumns(in.Rest)
	r.Image.Packages = packages
	return err
}

// column is one field of a package.
type column struct {
	name string
	at   int
	kind reflect.Kind
}

// columns are the fields of a package that are plain words, numbers and truths.
var columns = func() []column {
	var list []column
	of := reflect.TypeFor[fact.Package]()
	for i := range of.NumField() {
		switch f := of.Field(i); f.Type.Kind() {
		case reflect.String, reflect.Int, reflect.Bool:
			list = append(list, column{f.Name, i, f.Type.Kind()})
		default: // files are not kept
		}
	}
	return list
}()

// appendColumns writes a table of words, then each column as its name, its kind and a number a package: of a word its place in the table.
func appendColumns(out []byte, packages []fact.Package) []byte {
	var words bytes.Buffer
	var ends []int
	places := map[string]uint64{}
	place := func(word string) uint64 {
		n, ok := places[word]
		if !ok {
			n = uint64(len(ends))
			places[word] = n
			words.WriteString(word)
			ends = append(ends, words.Len())
		}
		return n
	}
	var body []byte
	for _, c := range columns {
		body = binary.AppendUvarint(body, place(c.name))
		body = binary.AppendUvarint(body, uint64(c.kind))
		for i := range packages {
			v := reflect.ValueOf(&packages[i]).Elem().Field(c.at)
			switch c.kind {
			case reflect.String:
				body = binary.AppendUvarint(body, place(v.String()))
			case reflect.Bool:
				n := uint64(0)
				if v.Bool() {
					n = 1
				}
				body = binary.AppendUvarint(body, n)
			default:
				body = binary.AppendUvarint(body, uint64(max(v.Int(), 0)))
			}
		}
	}
	out = binary.AppendUvarint(out, uint64(len(packages)))
	out = binary.AppendUvarint(out, uint64(len(columns)))
	out = binary.AppendUvarint(out, uint64(len(ends)))
	before := 0
	for _, end := range ends {
		out = binary.AppendUvarint(out, uint64(end-before))
		before = end
	}
	out = append(out, words.Bytes()...)
	return append(out, body...)
}

// maxPackages bounds the packages of a record: an image's catalogue has no more.
const maxPackages = 1 << 20

func readColumns(raw []byte) ([]fact.Package, error) {
	r := varint.Reader{Rest: raw}
	count, width, table := r.Number(), r.Number(), r.Number()
	// Each package takes a byte in each column, each word one in the table.
	if r.Bad || count > maxPackages || table > uint64(len(r.Rest)) || width > 1024 || count*width > uint64(len(r.Rest)) {
		return nil, errRecord
	}
	words, ok := readWords(&r, int(table))
	if !ok {
		return nil, errRecord
	}
	packages := make([]fact.Package, count)
	for range width {
		name, kind := r.Number(), reflect.Kind(r.Number())
		if r.Bad || name >= uint64(len(words)) {
			return nil, errRecord
		}
		known := slices.IndexFunc(columns, func(c column) bool { return c.name == words[name] && c.kind == kind })
		for i := range packages {
			n := r.Number()
			if known < 0 {
				continue
			}
			v := reflect.ValueOf(&packages[i]).Elem().Field(columns[known].at)
			switch {
			case kind == reflect.String && n < uint64(len(words)):
				v.SetString(words[n])
			case kind == reflect.Bool:
				v.SetBool(n != 0)
			case kind == reflect.Int:
				v.SetInt(int64(n))
			default:
				return nil, errRecord
			}
		}
	}
	if !r.Whole() {
		return nil, errRecord
	}
	return packages, nil
}

// words reads the table of words, which share one text.
func readWords(r *varint.Reader, n int) ([]string, bool) {
	ends := make([]int, n)
	total := 0
	for i := range ends {
		size := r.Number()
		if size > uint64(len(r.Rest)) {
			return nil, false
		}
		total += int(size)
		ends[i] = total
	}
	if r.Bad || total > len(r.Rest) {
		return nil, false
	}
	text := string(r.Rest[:total])
	r.Rest = r.Rest[total:]
	list := make([]string, n)
	before := 0
	for i, end := range ends {
		list[i] = text[before:end]
		before = end
	}
	return list, true
}
