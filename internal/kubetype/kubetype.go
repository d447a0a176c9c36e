// Package kubetype gives rules the types of the facts they match: the Go types of k8s.io/api as
// CEL types, so that a misspelt field in a rule is an error, in the catalogue when it is built and
// in a rule of one's own when it is loaded. Built-in expressions are embedded as they were checked,
// and need no types to run.
package kubetype

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	networkingv1 "k8s.io/api/networking/v1"
	nodev1 "k8s.io/api/node/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
)

// groups register the types of the API's groups, in the versions that rules are checked against. A
// group whose served versions have their fields in different places (resource.k8s.io) is left out:
// a rule on it reads them all.
var groups = []func(*runtime.Scheme) error{
	corev1.AddToScheme, appsv1.AddToScheme, batchv1.AddToScheme, autoscalingv2.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme,
	rbacv1.AddToScheme, storagev1.AddToScheme, admissionv1.AddToScheme, certificatesv1.AddToScheme, coordinationv1.AddToScheme,
	discoveryv1.AddToScheme, flowcontrolv1.AddToScheme, nodev1.AddToScheme, schedulingv1.AddToScheme,
}

// known are the object kinds whose types are known, "Kind" or "Kind.group"; a rule on any other kind is checked without.
var known = sync.OnceValue(func() map[string]kind {
	all := map[string]kind{}
	scheme := runtime.NewScheme()
	for _, add := range groups {
		if add(scheme) != nil {
			continue // TestKinds misses what is missing
		}
	}
	for gvk, t := range scheme.AllKnownTypes() {
		if _, isObject := t.FieldByName("ObjectMeta"); isObject && gvk.Version != runtime.APIVersionInternal {
			all[strings.TrimSuffix(gvk.Kind+"."+gvk.Group, ".")] = kind{t, gvk.Version}
		}
	}
	return all
})

type kind struct {
	goType  reflect.Type
	version string
}

func typeOfKind(name string) reflect.Type { return known()[name].goType }

// Kinds are the object kinds whose fields are known, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(known())) }

// Version is the API version in which a kind's fields are known, "" when they are not.
func Version(name string) string { return known()[name].version }

// The variables that are no Kubernetes objects, in the form of Go types; docs/writing-rules.md
// describes them.
type (
	workload struct {
		Kind              string                                  `json:"kind"`
		Name              string                                  `json:"name"`
		Namespace         string                                  `json:"namespace"`
		Spec              corev1.PodSpec                          `json:"spec"`
		Metadata          metav1.ObjectMeta                       `json:"metadata"`
		Labels            map[string]string                       `json:"labels"`
		Annotations       map[string]string                       `json:"annotations"`
		OS                string                                  `json:"os"`
		NetworkPolicies   []networkingv1.NetworkPolicy            `json:"networkPolicies"`
		Services          []corev1.Service                        `json:"services"`
		LimitRanges       []corev1.LimitRange                     `json:"limitRanges"`
		DisruptionBudgets []policyv1.PodDisruptionBudget          `json:"disruptionBudgets"`
		Autoscalers       []autoscalingv2.HorizontalPodAutoscaler `json:"autoscalers"`
		ServiceAccount    corev1.ServiceAccount                   `json:"serviceAccount"`
		Bindings          []binding                               `json:"bindings"`
		PersistentVolumes []corev1.PersistentVolume               `json:"persistentVolumes"`
		LeadsTo           outcome                                 `json:"leadsTo"`
		Exposed           outcome                                 `json:"exposed"`
		Reached           outcome                                 `json:"reached"`
		Network           network                                 `json:"network"`
		Volumes           map[string]corev1.Volume                `json:"volumes"`
		Mounts            map[string][]corev1.VolumeMount         `json:"mounts"`
		Stores            []string                                `json:"stores"`
		Consoles          []string                                `json:"consoles"`
	}
	outcome struct {
		There    bool   `json:"there"`
		Sure     bool   `json:"sure"`
		Possible bool   `json:"possible"`
		Admin    bool   `json:"admin"`
		Node     bool   `json:"node"`
		Secrets  bool   `json:"secrets"`
		Cloud    bool   `json:"cloud"`
		By       string `json:"by"`
	}
	network struct {
		Internet   bool `json:"internet"`
		Metadata   bool `json:"metadata"`
		Clients    int  `json:"clients"`
		Strangers  int  `json:"strangers"`
		Servers    int  `json:"servers"`
		Dependents int  `json:"dependents"`
	}
	namespaceNetwork struct {
		Strangers int                `json:"strangers"`
		Servers   int                `json:"servers"`
		From      []corev1.Namespace `json:"from"`
	}
	account struct {
		Workloads int       `json:"workloads"`
		Bindings  []binding `json:"bindings"`
		LeadsTo   outcome   `json:"leadsTo"`
	}
	namespace struct {
		Name            string                       `json:"name"`
		Labels          map[string]string            `json:"labels"`
		Annotations     map[string]string            `json:"annotations"`
		NetworkPolicies []networkingv1.NetworkPolicy `json:"networkPolicies"`
		Quotas          []corev1.ResourceQuota       `json:"quotas"`
		LimitRanges     []corev1.LimitRange          `json:"limitRanges"`
		Workloads       int                          `json:"workloads"`
		Network         namespaceNetwork             `json:"network"`
	}
	binding struct {
		Kind      string    `json:"kind"`
		Name      string    `json:"name"`
		Namespace string    `json:"namespace"`
		Role      boundRole `json:"role"`
		Subjects  []subject `json:"subjects"`
	}
	boundRole struct {
		Kind     string              `json:"kind"`
		Name     string              `json:"name"`
		Rules    []rbacv1.PolicyRule `json:"rules"`
		Presence string              `json:"presence"`
	}
	subject struct {
		Kind      string  `json:"kind"`
		Name      string  `json:"name"`
		Namespace string  `json:"namespace"`
		Presence  string  `json:"presence"`
		LeadsTo   outcome `json:"leadsTo"`
	}
	selected struct {
		Any   bool `json:"any"`
		Among int  `json:"among"`
	}
	api struct {
		Removed      bool   `json:"removed"`
		Deprecated   bool   `json:"deprecated"`
		RemovedIn    string `json:"removedIn"`
		DeprecatedIn string `json:"deprecatedIn"`
		Replacement  string `json:"replacement"`
		DroppedBy    string `json:"droppedBy"`
	}
	cluster struct {
		Version   string `json:"version"`
		Minor     int    `json:"minor"`
		Live      bool   `json:"live"`
		Supported bool   `json:"supported"`
		EndOfLife string `json:"endOfLife"`
	}
	settings struct {
		Registries        []string `json:"registries"`
		Publishers        []string `json:"publishers"`
		PrivateRegistries []string `json:"privateRegistries"`
	}
	support struct {
		Today  string            `json:"today"`
		Images map[string]string `json:"images"`
	}
	entry struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
)

// selectsPods are the kinds of which selected is known.
var selectsPods = map[string]bool{"NetworkPolicy.networking.k8s.io": true, "PodDisruptionBudget.policy": true, "Service": true}

// Check compiles a rule's expressions against the types of the facts that it matches, and returns
// them in the form that rule.Cache serves. The paths of each, at and fix are held to the same
// types. All faults are told at once.
func Check(r *rule.Rule) (map[string][]byte, error) {
	p := &provider{Registry: types.NewEmptyRegistry(), structs: map[string]reflect.Type{}}
	sets, err := variables(r)
	if err != nil {
		return nil, err
	}
	var typed []map[string]*types.Type
	for _, set := range sets {
		t := map[string]*types.Type{}
		for name, goType := range set {
			t[name] = types.DynType
			if goType != nil {
				t[name] = p.typeOf(goType)
			}
		}
		typed = append(typed, t)
	}
	checked, err := rule.Check(r, p, typed)
	return checked, rule.InOrder(errors.Join(err, checkPaths(r, sets)))
}

// checkPaths holds the paths of at and fix to the types of what they begin at.
func checkPaths(r *rule.Rule, sets []map[string]reflect.Type) error {
	var errs []error
	check := func(where document.Value, name string, path []string) {
		if len(path) == 0 {
			return
		}
		if r.Match.Fact == "cluster" {
			errs = append(errs, r.FaultAt(where, "%s: a cluster has no fields to point at", name))
			return
		}
		for _, set := range sets {
			base := set[map[string]string{"container": "container", "workload": "workload", "image": "image"}[r.Match.Fact]]
			if base == nil {
				base = set["object"]
			}
			if r.EachName != "" {
				base = itemOf(base, r.EachPath)
			}
			if _, err := follow(base, path); err != nil {
				errs = append(errs, r.FaultAt(where, "%s: %v", name, err))
			}
		}
	}
	check(r.Root().Get("at"), "at", r.At)
	for i, f := range r.Fix {
		check(r.Root().Get("fix").Index(i), "fix", f.Path)
	}
	return errors.Join(errs...)
}

// follow is the type at the end of a path of keys; nil where types are not known.
func follow(t reflect.Type, path []string) (reflect.Type, error) {
	for _, key := range path {
		for t != nil && t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t == nil || plain[t] != nil || t.Kind() == reflect.Interface {
			return nil, nil
		}
		switch t.Kind() {
		case reflect.Map:
			t = t.Elem()
		case reflect.Struct:
			next := fieldOf(t, key)
			if next == nil {
				return nil, fmt.Errorf("no field %q on the path %s%s", key, strings.Join(path, "."), meant(key, t))
			}
			t = next
		default:
			return nil, fmt.Errorf("no field %q on the path %s: it stands in no map", key, strings.Join(path, "."))
		}
	}
	return t, nil
}

// meant is the field that a misspelt one probably means, or what there is.
func meant(key string, t reflect.Type) string {
	names := fieldNames(t)
	if near := rule.Nearest(key, names); near != "" {
		return "; did you mean " + near + "?"
	}
	slices.Sort(names)
	return "; there are " + strings.Join(names, ", ")
}

// itemOf is what the list or map at a path holds; nil where types are not known.
func itemOf(base reflect.Type, path []string) reflect.Type {
	t, err := follow(base, path)
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if err != nil || t == nil || t.Kind() != reflect.Slice && t.Kind() != reflect.Map {
		return nil
	}
	return t.Elem()
}

// variables is what the rule may read, one set for each kind it matches; a nil type is not known.
func variables(r *rule.Rule) ([]map[string]reflect.Type, error) {
	set := map[string]reflect.Type{"cluster": reflect.TypeFor[cluster](), "settings": reflect.TypeFor[settings](), "support": reflect.TypeFor[support]()}
	if r.Match.Fact != "cluster" && r.Match.Fact != "image" {
		set["object"], set["api"] = nil, reflect.TypeFor[api]()
	}
	var sets []map[string]reflect.Type
	var base reflect.Type
	switch r.Match.Fact {
	case "container":
		base = reflect.TypeFor[corev1.Container]()
		set["container"], set["role"], set["workload"] = base, reflect.TypeFor[string](), reflect.TypeFor[workload]()
	case "workload":
		base = reflect.TypeFor[workload]()
		set["workload"] = base
	case "image":
		base = reflect.TypeFor[fact.Contents]()
		set["image"] = base
	case "namespace":
		base = typeOfKind("Namespace")
		set["ns"], set["object"] = reflect.TypeFor[namespace](), base
	case "kinds":
		for _, kind := range r.Match.Kinds {
			one := map[string]reflect.Type{"object": typeOfKind(kind)}
			for name, t := range set {
				if name != "object" {
					one[name] = t
				}
			}
			one["beside"], one["everywhere"] = reflect.TypeFor[map[string][]any](), reflect.TypeFor[map[string][]any]()
			if strings.Contains(kind, "RoleBinding.rbac.") {
				one["binding"] = reflect.TypeFor[binding]()
			}
			if kind == "ServiceAccount" {
				one["account"] = reflect.TypeFor[account]()
			}
			if selectsPods[kind] {
				one["selected"] = reflect.TypeFor[selected]()
			}
			if err := addItem(one, r, typeOfKind(kind)); err != nil {
				return nil, err
			}
			sets = append(sets, one)
		}
		return sets, nil
	}
	if err := addItem(set, r, base); err != nil {
		return nil, err
	}
	return []map[string]reflect.Type{set}, nil
}

// addItem adds the item of a rule with an each: what the list at its path holds.
func addItem(set map[string]reflect.Type, r *rule.Rule, base reflect.Type) error {
	if r.EachName == "" {
		return nil
	}
	where := r.Root().Get("each").Get(r.EachName)
	t, err := follow(base, r.EachPath)
	if err != nil {
		return r.FaultAt(where, "each: %v", err)
	}
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == nil:
	case t.Kind() == reflect.Slice:
		t = t.Elem()
	case t.Kind() == reflect.Map:
		t = reflect.TypeFor[entry]()
	default:
		return r.FaultAt(where, "each: %s is no list", strings.Join(r.EachPath, "."))
	}
	set[r.EachName] = t
	return nil
}

// fieldOf is the type of a struct's field by its JSON name; nil when there is none.
func fieldOf(t reflect.Type, name string) reflect.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	for f := range t.Fields() {
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == "" && (f.Anonymous || options == "inline") {
			if inner := fieldOf(f.Type, name); inner != nil {
				return inner
			}
		}
		if tag == name {
			return f.Type
		}
	}
	return nil
}

// fieldNames are the JSON names of a struct's fields.
func fieldNames(t reflect.Type) []string {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	var names []string
	for f := range t.Fields() {
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case tag == "" && (f.Anonymous || options == "inline"):
			names = append(names, fieldNames(f.Type)...)
		case tag != "" && tag != "-":
			names = append(names, tag)
		}
	}
	return names
}

// provider answers CEL's questions about the Go types that typeOf has named.
type provider struct {
	*types.Registry
	structs map[string]reflect.Type
}

// plain are the Go types that are no structs in JSON.
var plain = map[reflect.Type]*types.Type{
	reflect.TypeFor[resource.Quantity]():    types.DynType,
	reflect.TypeFor[intstr.IntOrString]():   types.DynType,
	reflect.TypeFor[runtime.RawExtension](): types.DynType,
	reflect.TypeFor[metav1.Time]():          types.StringType,
	reflect.TypeFor[metav1.MicroTime]():     types.StringType,
	reflect.TypeFor[[]byte]():               types.StringType,
}

func (p *provider) typeOf(t reflect.Type) *types.Type {
	if known := plain[t]; known != nil {
		return known
	}
	switch t.Kind() {
	case reflect.Pointer:
		return p.typeOf(t.Elem())
	case reflect.Bool:
		return types.BoolType
	case reflect.String:
		return types.StringType
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint32, reflect.Uint64:
		return types.IntType
	case reflect.Float32, reflect.Float64:
		return types.DoubleType
	case reflect.Slice:
		return types.NewListType(p.typeOf(t.Elem()))
	case reflect.Map:
		return types.NewMapType(types.StringType, p.typeOf(t.Elem()))
	case reflect.Struct:
		name := strings.NewReplacer("/", ".", "-", "_").Replace(t.PkgPath()) + "." + t.Name()
		p.structs[name] = t
		return types.NewObjectType(name)
	default:
		return types.DynType
	}
}

// FindStructType answers for the types that typeOf has named.
func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if _, found := p.structs[name]; found {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return p.Registry.FindStructType(name)
}

// FindStructFieldType is a field's type by its JSON name.
func (p *provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	t, found := p.structs[name]
	if !found {
		return p.Registry.FindStructFieldType(name, field)
	}
	inner := fieldOf(t, field)
	if inner == nil {
		return nil, false
	}
	return &types.FieldType{Type: p.typeOf(inner)}, true
}

// FindStructFieldNames lists a type's fields, for a person who misspelt one.
func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	t, found := p.structs[name]
	return fieldNames(t), found
}

// NewValue refuses: rules make no objects.
func (p *provider) NewValue(name string, _ map[string]ref.Val) ref.Val {
	return types.NewErr("rules cannot make a %s", name)
}
