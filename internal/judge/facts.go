package judge

import (
	"cmp"
	"strconv"

	"github.com/coaming/coaming/internal/attack"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
	"github.com/coaming/coaming/internal/reach"
	"github.com/coaming/coaming/internal/rule"
)

// The kinds that named facts are made of.
const (
	networkPolicy    = "NetworkPolicy.networking.k8s.io"
	disruptionBudget = "PodDisruptionBudget.policy"
	autoscaler       = "HorizontalPodAutoscaler.autoscaling"
	service          = "Service"
	limitRange       = "LimitRange"
	resourceQuota    = "ResourceQuota"
	serviceAccount   = "ServiceAccount"

	persistentVolume      = "PersistentVolume"
	persistentVolumeClaim = "PersistentVolumeClaim"
)

// factKinds says which object kinds a named fact is computed from.
var factKinds = map[string][]string{
	"workload.networkPolicies":   {networkPolicy},
	"workload.services":          {service},
	"workload.limitRanges":       {limitRange},
	"workload.disruptionBudgets": {disruptionBudget},
	"workload.autoscalers":       {autoscaler},
	"workload.serviceAccount":    {serviceAccount},
	"workload.bindings":          rbac.Kinds,
	"workload.persistentVolumes": {persistentVolume, persistentVolumeClaim},
	"ns.networkPolicies":         {networkPolicy},
	"ns.quotas":                  {resourceQuota},
	"ns.limitRanges":             {limitRange},
	"ns.workloads":               fact.PodKinds(),
	"binding.role":               {rbac.RoleKind, rbac.ClusterRoleKind},
	"binding.subjects":           {serviceAccount},
	"binding.subjects.leadsTo":   attack.Kinds(),
	"selected":                   fact.PodKinds(),
	"workload.leadsTo":           attack.Kinds(),
	"workload.exposed":           attack.Kinds(),
	"workload.reached":           attack.Kinds(),
	"workload.network":           append(reach.Kinds(), "ConfigMap"),
	"ns.network":                 append(reach.Kinds(), fact.PodKinds()...),
	"account":                    append(attack.Kinds(), fact.PodKinds()...),
}

// workload is the variable of that name.
func (j *worker) workload(w *fact.Workload) rule.Fact {
	o := w.Object
	return rule.Lazy(func(name string) (rule.Fact, error) {
		switch name {
		case "kind":
			return rule.Text(o.Kind), nil
		case "name":
			return rule.Text(o.Name), nil
		case "namespace":
			return rule.Text(o.Namespace), nil
		case "spec":
			return rule.Of(w.Spec), nil
		case "labels":
			return orEmpty(w.Labels()), nil
		case "annotations":
			return orEmpty(w.Annotations()), nil
		case "os":
			return rule.Text(j.osOf(w)), nil
		case "networkPolicies":
			return j.selectingPods(networkPolicy, w)
		case "services":
			return j.selectingPods(service, w)
		case "disruptionBudgets":
			return j.selectingPods(disruptionBudget, w)
		case "autoscalers":
			return j.autoscalers(o)
		case "limitRanges":
			return j.inNamespace(limitRange, o.Namespace)
		case "serviceAccount":
			return j.account(o.Namespace, w.ServiceAccount())
		case "persistentVolumes":
			return j.claimed(w)
		case "bindings":
			return j.bindingsOf(o.Namespace, w.ServiceAccount())
		case "leadsTo":
			return j.leadsTo(w), nil
		case "exposed":
			return j.exposed(w), nil
		case "reached":
			return j.reached(w), nil
		case "network":
			return j.network(w), nil
		case "volumes":
			return volumesOf(w)
		case "mounts":
			return mountsOf(w)
		case "stores":
			return storesOf(w), nil
		case "consoles":
			return consolesOf(w), nil
		}
		return nil, nil
	})
}

// osOf is the operating system that the pods are sure to run on. Before 1.25 nothing held a node to
// what a pod says of it, so that there every pod may meet a Linux kernel.
func (j *judgement) osOf(w *fact.Workload) string {
	if !catalog.Reached(j.Inventory.Version, "1.25") {
		return "linux"
	}
	return w.OS()
}

// namespace is the variable of that name.
func (j *judgement) namespace(o *fact.Object) rule.Fact {
	return rule.Lazy(func(name string) (rule.Fact, error) {
		switch name {
		case "name":
			return rule.Text(o.Name), nil
		case "labels":
			return orEmpty(o.Labels()), nil
		case "annotations":
			return orEmpty(o.Root.At("metadata", "annotations")), nil
		case "networkPolicies":
			return j.inNamespace(networkPolicy, o.Name)
		case "quotas":
			return j.inNamespace(resourceQuota, o.Name)
		case "limitRanges":
			return j.inNamespace(limitRange, o.Name)
		case "network":
			return j.namespaceNetwork(o.Name), nil
		case "workloads":
			for _, kind := range fact.PodKinds() {
				if err := j.gaps.missed(kind, o.Name); err != nil {
					return nil, err
				}
			}
			return rule.Count(j.Inventory.WorkloadsIn(o.Name)), nil
		}
		return nil, nil
	})
}

// autoscalers is the HorizontalPodAutoscalers that scale the object.
func (j *judgement) autoscalers(o *fact.Object) (rule.Fact, error) {
	if err := j.gaps.missed(autoscaler, o.Namespace); err != nil {
		return nil, err
	}
	return joined(autoscaler, j.scalers()[scaled{fact.Place(o.Namespace), o.Kind, o.Name}])
}

// scaled is what an autoscaler names.
type scaled struct{ namespace, kind, name string }

// indexScalers lists the autoscalers by what they name.
func indexScalers(inv *fact.Inventory) map[scaled][]*fact.Object {
	index := map[scaled][]*fact.Object{}
	for _, a := range inv.OfKind(autoscaler) {
		target := a.Root.At("spec", "scaleTargetRef")
		of := scaled{fact.Place(a.Namespace), target.Get("kind").Str(), target.Get("name").Str()}
		index[of] = append(index[of], a)
	}
	return index
}

func orEmpty(v document.Value) rule.Fact {
	if v.Kind() != document.Map {
		return rule.Empty()
	}
	return rule.Of(v)
}

// account is the ServiceAccount of that name; one that is not in the inventory has only its name.
func (j *judgement) account(namespace, name string) (rule.Fact, error) {
	if o := j.Inventory.Find(serviceAccount, namespace, name); o != nil {
		return rule.Of(o.Root), nil
	}
	if err := j.gaps.missed(serviceAccount, namespace); err != nil {
		return nil, err
	}
	metadata := rule.Lazy(func(key string) (rule.Fact, error) {
		if key == "name" {
			return rule.Text(name), nil
		}
		return nil, nil
	})
	return rule.Lazy(func(key string) (rule.Fact, error) {
		if key == "metadata" {
			return metadata, nil
		}
		return nil, nil
	}), nil
}

// clusterFact is the variable cluster; not for concurrent use.
func (j *judgement) clusterFact() rule.Fact {
	return rule.Lazy(func(name string) (rule.Fact, error) {
		switch name {
		case "version":
			return rule.Text(j.Inventory.Version), nil
		case "minor":
			minor, known := catalog.Minor(j.Inventory.Version)
			if !known {
				return nil, &rule.NotSeen{Reason: "it needs the cluster's version, and " + strconv.Quote(j.Inventory.Version) + " is none like 1.36"}
			}
			return rule.Count(minor), nil
		case "live":
			return rule.Bool(j.Inventory.Live), nil
		case "supported":
			date, known := catalog.EndOfLife(j.Inventory.Version)
			if !known {
				return nil, &rule.NotSeen{Reason: "the support calendar does not know Kubernetes " + j.Inventory.Version}
			}
			return rule.Bool(j.Now.Format("2006-01-02") <= date), nil
		case "endOfLife":
			date, _ := catalog.EndOfLife(j.Inventory.Version)
			return rule.Text(date), nil
		}
		return nil, nil
	})
}

// support is the variable of that name.
func (j *judgement) support() rule.Fact {
	return rule.Lazy(func(name string) (rule.Fact, error) {
		switch name {
		case "today":
			return rule.Text(j.Now.Format("2006-01-02")), nil
		case "images":
			return rule.Lazy(func(reference string) (rule.Fact, error) {
				date, known := catalog.ImageEndOfLife(reference)
				if !known {
					return nil, nil
				}
				return rule.Text(date), nil
			}), nil
		}
		return nil, nil
	})
}

// api is the variable of that name.
func (j *judgement) api(o *fact.Object) rule.Fact {
	return rule.Lazy(func(name string) (rule.Fact, error) {
		api, _ := catalog.APIOf(o.APIVersion, o.Kind)
		switch name {
		case "removed":
			return rule.Bool(catalog.Reached(j.Inventory.Version, api.RemovedIn)), nil
		case "deprecated":
			return rule.Bool(catalog.Reached(j.Inventory.Version, api.DeprecatedIn)), nil
		case "removedIn":
			return rule.Text(api.RemovedIn), nil
		case "deprecatedIn":
			return rule.Text(api.DeprecatedIn), nil
		case "replacement":
			return rule.Text(cmp.Or(api.Replacement, catalog.DroppedAPI(o.APIVersion, o.Kind).Replacement)), nil
		case "droppedBy":
			return rule.Text(catalog.DroppedAPI(o.APIVersion, o.Kind).By), nil
		}
		return nil, nil
	})
}
