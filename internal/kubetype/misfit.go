package kubetype

import (
	"fmt"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/coaming/coaming/internal/document"
)

// parts are the types of k8s.io/api core/v1 whose values people write outside of a whole object.
var parts = map[string]reflect.Type{
	"Container":   reflect.TypeFor[corev1.Container](),
	"Volume":      reflect.TypeFor[corev1.Volume](),
	"EnvVar":      reflect.TypeFor[corev1.EnvVar](),
	"VolumeMount": reflect.TypeFor[corev1.VolumeMount](),
}

// Misfit is a value that the API server would not take where it stands.
type Misfit struct {
	At      document.Value
	Message string
}

// Misfits are all values that do not fit a part of a pod: "Container", "Volume", "EnvVar", "VolumeMount". A text that open
// says is filled in later fits everything.
func Misfits(v document.Value, part string, open func(string) bool) []Misfit {
	f := fitting{open: open}
	f.value(v, parts[part])
	return f.misfits
}

// fitting compares a value with a Go type.
type fitting struct {
	open    func(string) bool
	misfits []Misfit
}

func (f *fitting) misfit(v document.Value, format string, args ...any) {
	f.misfits = append(f.misfits, Misfit{v, fmt.Sprintf(format, args...)})
}

// want asks for one of some kinds.
func (f *fitting) want(v document.Value, kinds ...document.Kind) {
	if !slices.Contains(kinds, v.Kind()) {
		f.misfit(v, "want a %s, this is a %s", kinds[0], v.Kind())
	}
}

func (f *fitting) value(v document.Value, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if v.Kind() == document.String && f.open(v.Text()) {
		return
	}
	switch t {
	case reflect.TypeFor[resource.Quantity]():
		f.want(v, document.String, document.Int, document.Float)
		if _, err := resource.ParseQuantity(v.Text()); err != nil && v.Text() != "" {
			f.misfit(v, "%q is no quantity", v.Text())
		}
		return
	case reflect.TypeFor[intstr.IntOrString]():
		f.want(v, document.Int, document.String)
		return
	}
	if plain[t] != nil {
		f.want(v, document.String)
		return
	}
	f.shaped(v, t)
}

// shaped compares a value with a type that Go's kind tells.
func (f *fitting) shaped(v document.Value, t reflect.Type) {
	switch t.Kind() {
	case reflect.Bool:
		f.want(v, document.Bool)
	case reflect.String:
		f.want(v, document.String)
	case reflect.Slice:
		f.want(v, document.List)
		for _, item := range v.Items() {
			f.value(item, t.Elem())
		}
	case reflect.Map:
		f.want(v, document.Map)
		for _, entry := range v.Fields() {
			f.value(entry, t.Elem())
		}
	case reflect.Struct:
		f.want(v, document.Map)
		for key, entry := range v.Fields() {
			if below := fieldOf(t, key); below != nil {
				f.value(entry, below)
			} else {
				f.misfit(entry, "unknown field %q%s", key, meant(key, t))
			}
		}
	default: // numbers: the parts have no others than whole ones
		f.want(v, document.Int)
	}
}
