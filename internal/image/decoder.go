package image

import (
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"time"
)

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
