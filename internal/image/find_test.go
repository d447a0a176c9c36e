package image

import (
	"reflect"
	"slices"
	"testing"

	"github.com/coaming/coaming/internal/fact"
)

// TestPlain asks that nothing of a package is lost where it is kept in short: no field but the four may be set.
func TestPlain(t *testing.T) {
	short := []string{"Ecosystem", "Name", "Version", "Licence"}
	for i := range reflect.TypeFor[fact.Package]().NumField() {
		field := reflect.TypeFor[fact.Package]().Field(i)
		f := one("npm", "a", "1").under("MIT")
		v := reflect.ValueOf(&f.packages[0]).Elem().Field(i)
		switch v.Kind() {
		case reflect.String:
			v.SetString("x")
		case reflect.Int, reflect.Int64:
			v.SetInt(1)
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		default:
			t.Fatalf("a field of a kind that this test does not know: %s", field.Name)
		}
		p, plain := f.plain()
		if plain != slices.Contains(short, field.Name) {
			t.Errorf("%s: plain is %v", field.Name, plain)
		}
		if plain && !reflect.DeepEqual(p.pkg(), f.packages[0]) {
			t.Errorf("%s: %+v is not %+v", field.Name, p.pkg(), f.packages[0])
		}
	}
}
