package judge

import (
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
)

// volumes finds persistent volumes by what claims ask for.
type volumes struct {
	byName  map[string]*fact.Object
	byClaim map[claimName]*fact.Object // those that are kept for one claim
	byClass map[string][]*fact.Object  // those that any claim may take
}

type claimName struct{ namespace, name string }

// indexVolumes makes the index of all persistent volumes.
func (j *judgement) indexVolumes() *volumes {
	index := &volumes{map[string]*fact.Object{}, map[claimName]*fact.Object{}, map[string][]*fact.Object{}}
	for _, o := range j.Inventory.OfKind(persistentVolume) {
		spec := o.Root.Get("spec")
		index.byName[o.Name] = o
		if ref := spec.Get("claimRef"); ref.Len() > 0 {
			index.byClaim[claimName{fact.Place(ref.Get("namespace").Str()), ref.Get("name").Str()}] = o
			continue
		}
		class := spec.Get("storageClassName").Str()
		index.byClass[class] = append(index.byClass[class], o)
	}
	return index
}

// claimed is the persistent volumes behind the workload's claims: the one that a claim is bound to,
// else those that it may be bound to, by class, labels, access modes and size
// (k8s.io/kubernetes pkg/volume/util FindMatchingVolume).
func (j *judgement) claimed(w *fact.Workload) (rule.Fact, error) {
	claims, err := j.claimsOf(w)
	if err != nil {
		return nil, err
	}
	if len(claims) == 0 {
		return rule.Facts(nil), nil
	}
	if err := j.gaps.missed(persistentVolume, ""); err != nil {
		return nil, err
	}
	var found []*fact.Object
	seen := map[*fact.Object]bool{}
	for _, c := range claims {
		for _, v := range j.volumes().of(c) {
			if !seen[v] {
				seen[v] = true
				found = append(found, v)
			}
		}
		if len(found) > mostJoined {
			break
		}
	}
	return joined(persistentVolume, found)
}

// claim is one PersistentVolumeClaim, or the template of many, whose name is then not known.
type claim struct {
	claimName
	spec document.Value
}

// claimsOf is the claims that the workload's pods mount.
func (j *judgement) claimsOf(w *fact.Workload) ([]claim, error) {
	var claims []claim
	namespace := fact.Place(w.Object.Namespace)
	for _, v := range w.Spec.Get("volumes").Items() {
		if template := v.At("ephemeral", "volumeClaimTemplate", "spec"); template.Exists() {
			claims = append(claims, claim{spec: template})
		}
		name := v.At("persistentVolumeClaim", "claimName").Str()
		if name == "" {
			continue
		}
		c := claim{claimName: claimName{namespace, name}}
		if o := j.Inventory.Find(persistentVolumeClaim, w.Object.Namespace, name); o != nil {
			c.spec = o.Root.Get("spec")
		} else if err := j.gaps.missed(persistentVolumeClaim, w.Object.Namespace); err != nil {
			return nil, err
		}
		claims = append(claims, c)
	}
	if w.Object.Kind == "StatefulSet" {
		for _, t := range w.Object.Root.At("spec", "volumeClaimTemplates").Items() {
			claims = append(claims, claim{spec: t.Get("spec")})
		}
	}
	return claims, nil
}

// of is the volumes that a claim is, or may be, bound to. A claim that names no class gets the
// cluster's default, which makes a volume for it.
func (x *volumes) of(c claim) []*fact.Object {
	if name := c.spec.Get("volumeName").Str(); name != "" {
		if v := x.byName[name]; v != nil {
			return []*fact.Object{v}
		}
		return nil
	}
	if v := x.byClaim[c.claimName]; v != nil && c.name != "" {
		return []*fact.Object{v}
	}
	class := c.spec.Get("storageClassName")
	if class.Kind() != document.String {
		return nil
	}
	var fit []*fact.Object
	for _, v := range x.byClass[class.Str()] {
		if fits(v, c.spec) && len(fit) <= mostJoined {
			fit = append(fit, v)
		}
	}
	return fit
}

// fits says whether a volume has the labels, the access modes and the size that a claim asks for.
func fits(volume *fact.Object, asked document.Value) bool {
	if selector := asked.Get("selector"); selector.Kind() > document.Null && !fact.Selects(selector, volume.Labels()) {
		return false
	}
	modes := map[string]bool{}
	for _, mode := range volume.Root.At("spec", "accessModes").Items() {
		modes[mode.Str()] = true
	}
	for _, mode := range asked.Get("accessModes").Items() {
		if !modes[mode.Str()] {
			return false
		}
	}
	has, err1 := resource.ParseQuantity(volume.Root.At("spec", "capacity", "storage").Text())
	wants, err2 := resource.ParseQuantity(asked.At("resources", "requests", "storage").Text())
	return err1 != nil || err2 != nil || has.Cmp(wants) >= 0
}
