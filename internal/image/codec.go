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
