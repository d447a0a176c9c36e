package image

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"
	"unsafe"
)

// What a layer tells is kept as bytes by the types of its parts, fields that no other package sees among them: whatever an
// observer notes is kept without its doing, but for fields with the tag keep:"-". The form is for one build of the program
// alone; keys tell them apart.

var errCodec = errors.New("it is not what was kept")

var (
	timeType  = reflect.TypeFor[time.Time]()
	orderType = reflect.TypeFor[binary.ByteOrder]()
)

// encode appends what p points to.
func encode[T any](out []byte, p *T) ([]byte, error) {
	return appendValue(out, reflect.ValueOf(p).Elem())
}

// decode reads what encode wrote into what p points to, and nothing behind it may be left.
func decode[T any](raw []byte, p *T) error {
	d := &decoder{rest: raw}
	if err := d.value(reflect.ValueOf(p).Elem(), 0); err != nil {
		return err
	}
	if len(d.rest) > 0 {
		return errCodec
	}
	return nil
}

// field is a field that may be read and set, whoever may see it. The value must be addressable.
func field(v reflect.Value, i int) reflect.Value {
	f := v.Field(i)
	return reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem() //nolint:gosec // the type is the field's own
}

// isKept says whether a field is part of what a layer tells.
func isKept(f reflect.StructField) bool { return f.Tag.Get("keep") != "-" }

func appendValue(out []byte, v reflect.Value) ([]byte, error) {
	switch v.Kind() { //nolint:exhaustive // what is left out is refused below
	case reflect.Bool:
		if v.Bool() {
			return append(out, 1), nil
		}
		return append(out, 0), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return binary.AppendVarint(out, v.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return binary.AppendUvarint(out, v.Uint()), nil
	case reflect.Float32, reflect.Float64:
		return binary.LittleEndian.AppendUint64(out, math.Float64bits(v.Float())), nil
	case reflect.String:
		return append(binary.AppendUvarint(out, uint64(v.Len())), v.String()...), nil
	case reflect.Slice, reflect.Map, reflect.Pointer:
		if v.IsNil() {
			return append(out, 0), nil
		}
		return appendHeld(out, v)
	case reflect.Array:
		return appendItems(out, v)
	case reflect.Struct:
		return appendStruct(out, v)
	case reflect.Interface:
		if v.Type() == orderType {
			return append(out, orderByte(v)), nil
		}
	}
	return nil, fmt.Errorf("%s cannot be kept", v.Type())
}

// The orders of bytes.
const (
	noOrder byte = iota
	littleEndian
	bigEndian
)

func orderByte(v reflect.Value) byte {
	switch v.Interface() {
	case binary.LittleEndian:
		return littleEndian
	case binary.BigEndian:
		return bigEndian
	}
	return noOrder
}

// appendHeld writes what a slice, a map or a pointer that is not nil holds, behind its length and one more.
func appendHeld(out []byte, v reflect.Value) ([]byte, error) {
	switch v.Kind() { //nolint:exhaustive // what is left out is refused below
	case reflect.Pointer:
		return appendValue(append(out, 1), v.Elem())
	case reflect.Slice:
		out = binary.AppendUvarint(out, uint64(v.Len())+1)
		if hashes, ok := reflect.TypeAssert[[]uint64](v); ok {
			for _, h := range hashes {
				out = binary.LittleEndian.AppendUint64(out, h)
			}
			return out, nil
		}
		return appendItems(out, v)
	}
	out = binary.AppendUvarint(out, uint64(v.Len())+1)
	var err error
	for entries := v.MapRange(); entries.Next() && err == nil; {
		if out, err = appendValue(out, addressable(entries.Key())); err == nil {
			out, err = appendValue(out, addressable(entries.Value()))
		}
	}
	return out, err
}

// addressable is a copy whose fields may be read.
func addressable(v reflect.Value) reflect.Value {
	to := reflect.New(v.Type()).Elem()
	to.Set(v)
	return to
}

func appendItems(out []byte, v reflect.Value) (_ []byte, err error) {
	for i := range v.Len() {
		if out, err = appendValue(out, v.Index(i)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func appendStruct(out []byte, v reflect.Value) (_ []byte, err error) {
	if v.Type() == timeType {
		raw, err := v.Interface().(time.Time).MarshalBinary() //nolint:forcetypeassert // its type was asked
		return append(append(out, byte(len(raw))), raw...), err
	}
	for i := range v.NumField() {
		if !isKept(v.Type().Field(i)) {
			continue
		}
		if out, err = appendValue(out, field(v, i)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// decoder reads values one after the other.
type decoder struct{ rest []byte }

// maxNesting is how deep values may stand in one another.
const maxNesting = 64

func (d *decoder) unsigned() (uint64, error) {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 {
		return 0, errCodec
	}
	d.rest = d.rest[size:]
	return n, nil
}

func (d *decoder) take(n uint64) ([]byte, error) {
	if n > uint64(len(d.rest)) {
		return nil, errCodec
	}
	raw := d.rest[:n]
	d.rest = d.rest[n:]
	return raw, nil
}

func (d *decoder) value(v reflect.Value, depth int) error {
	if depth > maxNesting {
		return errCodec
	}
	switch v.Kind() { //nolint:exhaustive // what is left out is refused below
	case reflect.Bool:
		raw, err := d.take(1)
		if err == nil {
			v.SetBool(raw[0] != 0)
		}
		return err
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, size := binary.Varint(d.rest)
		if size <= 0 || v.OverflowInt(n) {
			return errCodec
		}
		d.rest = d.rest[size:]
		v.SetInt(n)
		return nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := d.unsigned()
		if err != nil || v.OverflowUint(n) {
			return errCodec
		}
		v.SetUint(n)
		return nil
	case reflect.Float32, reflect.Float64:
		raw, err := d.take(8)
		if err == nil {
			v.SetFloat(math.Float64frombits(binary.LittleEndian.Uint64(raw)))
		}
		return err
	case reflect.String:
		n, err := d.unsigned()
		if err != nil {
			return err
		}
		raw, err := d.take(n)
		v.SetString(string(raw))
		return err
	case reflect.Slice, reflect.Map, reflect.Pointer:
		return d.held(v, depth)
	case reflect.Array:
		return d.items(v, depth)
	case reflect.Struct:
		return d.fields(v, depth)
	case reflect.Interface:
		raw, err := d.take(1)
		if err != nil || v.Type() != orderType {
			return errCodec
		}
		if order := map[byte]binary.ByteOrder{littleEndian: binary.LittleEndian, bigEndian: binary.BigEndian}[raw[0]]; order != nil {
			v.Set(reflect.ValueOf(order))
		}
		return nil
	}
	return errCodec
}

func (d *decoder) held(v reflect.Value, depth int) error {
	n, err := d.unsigned()
	if err != nil || n == 0 {
		return err
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		return d.value(v.Elem(), depth+1)
	}
	if n--; n > uint64(len(d.rest)) { // each item takes a byte at least
		return errCodec
	}
	if v.Kind() == reflect.Map {
		return d.entries(v, int(n), depth)
	}
	if v.Type() == reflect.TypeFor[[]uint64]() {
		raw, err := d.take(8 * n)
		if err != nil {
			return err
		}
		v.Set(reflect.MakeSlice(v.Type(), int(n), int(n)))
		for i := range int(n) {
			v.Index(i).SetUint(binary.LittleEndian.Uint64(raw[8*i:]))
		}
		return nil
	}
	v.Set(reflect.MakeSlice(v.Type(), int(n), int(n)))
	return d.items(v, depth)
}

func (d *decoder) items(v reflect.Value, depth int) error {
	for i := range v.Len() {
		if err := d.value(v.Index(i), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) entries(v reflect.Value, n, depth int) error {
	v.Set(reflect.MakeMapWithSize(v.Type(), n))
	for range n {
		key, item := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		if err := errors.Join(d.value(key, depth+1), d.value(item, depth+1)); err != nil {
			return err
		}
		v.SetMapIndex(key, item)
	}
	return nil
}

func (d *decoder) fields(v reflect.Value, depth int) error {
	if v.Type() == timeType {
		n, err := d.unsigned()
		if err != nil {
			return err
		}
		raw, err := d.take(n)
		if err != nil {
			return err
		}
		return v.Addr().Interface().(*time.Time).UnmarshalBinary(raw) //nolint:forcetypeassert // its type was asked
	}
	for i := range v.NumField() {
		if !isKept(v.Type().Field(i)) {
			continue
		}
		if err := d.value(field(v, i), depth+1); err != nil {
			return err
		}
	}
	return nil
}
