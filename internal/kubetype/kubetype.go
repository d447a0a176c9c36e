// Package kubetype gives rules the types of the facts they match: the Go types of k8s.io/api as
// CEL types, so that a misspelt field in a rule is an error when the catalogue is built. The
// product itself does not link it: checked expressions are embedded, and need no types to run.
package kubetype

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/coaming/coaming/internal/rule"
)

// kinds are the object kinds whose types are known; a rule on any other kind is checked without.
var kinds = map[string]reflect.Type{
	"Pod":                                   reflect.TypeFor[corev1.Pod](),
	"Service":                               reflect.TypeFor[corev1.Service](),
	"ConfigMap":                             reflect.TypeFor[corev1.ConfigMap](),
	"Secret":                                reflect.TypeFor[corev1.Secret](),
	"Namespace":                             reflect.TypeFor[corev1.Namespace](),
	"Node":                                  reflect.TypeFor[corev1.Node](),
	"ServiceAccount":                        reflect.TypeFor[corev1.ServiceAccount](),
	"LimitRange":                            reflect.TypeFor[corev1.LimitRange](),
	"ResourceQuota":                         reflect.TypeFor[corev1.ResourceQuota](),
	"PersistentVolume":                      reflect.TypeFor[corev1.PersistentVolume](),
	"PersistentVolumeClaim":                 reflect.TypeFor[corev1.PersistentVolumeClaim](),
	"Deployment.apps":                       reflect.TypeFor[appsv1.Deployment](),
	"StatefulSet.apps":                      reflect.TypeFor[appsv1.StatefulSet](),
	"DaemonSet.apps":                        reflect.TypeFor[appsv1.DaemonSet](),
	"ReplicaSet.apps":                       reflect.TypeFor[appsv1.ReplicaSet](),
	"Job.batch":                             reflect.TypeFor[batchv1.Job](),
	"CronJob.batch":                         reflect.TypeFor[batchv1.CronJob](),
	"Ingress.networking.k8s.io":             reflect.TypeFor[networkingv1.Ingress](),
	"NetworkPolicy.networking.k8s.io":       reflect.TypeFor[networkingv1.NetworkPolicy](),
	"PodDisruptionBudget.policy":            reflect.TypeFor[policyv1.PodDisruptionBudget](),
	"HorizontalPodAutoscaler.autoscaling":   reflect.TypeFor[autoscalingv2.HorizontalPodAutoscaler](),
	"StorageClass.storage.k8s.io":           reflect.TypeFor[storagev1.StorageClass](),
	"Role.rbac.authorization.k8s.io":        reflect.TypeFor[rbacv1.Role](),
	"ClusterRole.rbac.authorization.k8s.io": reflect.TypeFor[rbacv1.ClusterRole](),
	"RoleBinding.rbac.authorization.k8s.io": reflect.TypeFor[rbacv1.RoleBinding](),
	"ClusterRoleBinding.rbac.authorization.k8s.io":                  reflect.TypeFor[rbacv1.ClusterRoleBinding](),
	"ValidatingWebhookConfiguration.admissionregistration.k8s.io":   reflect.TypeFor[admissionv1.ValidatingWebhookConfiguration](),
	"MutatingWebhookConfiguration.admissionregistration.k8s.io":     reflect.TypeFor[admissionv1.MutatingWebhookConfiguration](),
	"ValidatingAdmissionPolicy.admissionregistration.k8s.io":        reflect.TypeFor[admissionv1.ValidatingAdmissionPolicy](),
	"ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io": reflect.TypeFor[admissionv1.ValidatingAdmissionPolicyBinding](),
}

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
	}
	namespace struct {
		Name            string                       `json:"name"`
		Labels          map[string]string            `json:"labels"`
		Annotations     map[string]string            `json:"annotations"`
		NetworkPolicies []networkingv1.NetworkPolicy `json:"networkPolicies"`
		Quotas          []corev1.ResourceQuota       `json:"quotas"`
		LimitRanges     []corev1.LimitRange          `json:"limitRanges"`
		Workloads       int                          `json:"workloads"`
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
		Kind      string `json:"kind"`
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
		Presence  string `json:"presence"`
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
// them in the form that rule.Cache serves.
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
	return rule.Check(r, p, typed)
}

// variables is what the rule may read, one set for each kind it matches; a nil type is not known.
func variables(r *rule.Rule) ([]map[string]reflect.Type, error) {
	set := map[string]reflect.Type{"cluster": reflect.TypeFor[cluster](), "settings": reflect.TypeFor[settings](), "support": reflect.TypeFor[support]()}
	if r.Match.Fact != "cluster" {
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
	case "namespace":
		base = kinds["Namespace"]
		set["ns"], set["object"] = reflect.TypeFor[namespace](), base
	case "kinds":
		for _, kind := range r.Match.Kinds {
			one := map[string]reflect.Type{"object": kinds[kind]}
			for name, t := range set {
				if name != "object" {
					one[name] = t
				}
			}
			one["beside"], one["everywhere"] = reflect.TypeFor[map[string][]any](), reflect.TypeFor[map[string][]any]()
			if strings.Contains(kind, "RoleBinding.rbac.") {
				one["binding"] = reflect.TypeFor[binding]()
			}
			if selectsPods[kind] {
				one["selected"] = reflect.TypeFor[selected]()
			}
			if err := addItem(one, r, kinds[kind]); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", r.File, kind, err)
			}
			sets = append(sets, one)
		}
		return sets, nil
	}
	if err := addItem(set, r, base); err != nil {
		return nil, fmt.Errorf("%s: %w", r.File, err)
	}
	return []map[string]reflect.Type{set}, nil
}

// addItem adds the item of a rule with an each: what the list at its path holds.
func addItem(set map[string]reflect.Type, r *rule.Rule, base reflect.Type) error {
	if r.EachName == "" {
		return nil
	}
	t := base
	for _, key := range r.EachPath {
		t = fieldOf(t, key)
		if t == nil && base != nil {
			return fmt.Errorf("each: no field %q on the path %s", key, strings.Join(r.EachPath, "."))
		}
	}
	switch {
	case t == nil:
	case t.Kind() == reflect.Slice:
		t = t.Elem()
	case t.Kind() == reflect.Map:
		t = reflect.TypeFor[entry]()
	default:
		return fmt.Errorf("each: %s is no list", strings.Join(r.EachPath, "."))
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

// FindStructFieldNames is not needed by the checker.
func (p *provider) FindStructFieldNames(string) ([]string, bool) { return nil, false }

// NewValue refuses: rules make no objects.
func (p *provider) NewValue(name string, _ map[string]ref.Val) ref.Val {
	return types.NewErr("rules cannot make a %s", name)
}
