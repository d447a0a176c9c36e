package judge

import (
	"fmt"
	"strings"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
)

// selectable is the workloads of one namespace, found by their pods' labels.
type selectable struct {
	workloads []*fact.Workload
	byLabel   map[label][]*fact.Workload
}

// indexSelectable lists the workloads by namespace.
func (j *judgement) indexSelectable() map[string]*selectable {
	index := map[string]*selectable{}
	for _, w := range j.Inventory.Workloads {
		at := fact.Place(w.Object.Namespace)
		s := index[at]
		if s == nil {
			s = &selectable{byLabel: map[label][]*fact.Workload{}}
			index[at] = s
		}
		s.workloads = append(s.workloads, w)
		for key, value := range w.Labels().Fields() {
			l := label{key, value.Str()}
			s.byLabel[l] = append(s.byLabel[l], w)
		}
	}
	return index
}

// selected is the variable of that name: what an object that selects pods selects.
func (j *judgement) selected(o *fact.Object) rule.Fact {
	return rule.Lazy(func(name string) (rule.Fact, error) {
		if name != "any" && name != "among" {
			return nil, nil
		}
		for _, kind := range fact.PodKinds() {
			if err := j.gaps.missed(kind, o.Namespace); err != nil {
				return nil, err
			}
		}
		s := j.selectable()[fact.Place(o.Namespace)]
		switch {
		case name == "any":
			return j.selectsAny(s, o)
		case s == nil || !j.Inventory.Live && j.operated()[fact.Place(o.Namespace)]:
			return rule.Count(0), nil
		}
		return rule.Count(len(s.workloads)), nil
	})
}

// mostTried bounds the workloads that one selector is tried on.
const mostTried = 5000

// selectsAny says whether an object selects the pods of any of the workloads.
func (j *judgement) selectsAny(s *selectable, o *fact.Object) (rule.Fact, error) {
	if s == nil {
		return rule.Bool(false), nil
	}
	kind := o.GroupKind()
	selector := podSelectors[kind](o)
	candidates := s.workloads
	for _, set := range demands(kind, selector) {
		var fewer []*fact.Workload
		for _, l := range set {
			fewer = append(fewer, s.byLabel[l]...)
		}
		if len(fewer) < len(candidates) {
			candidates = fewer
		}
	}
	for i, w := range candidates {
		if i == mostTried {
			return nil, &rule.NotSeen{Reason: fmt.Sprintf("its selector was tried on %d workloads and matched none of them; there are more", mostTried)}
		}
		if selects(kind, selector, w.Labels()) {
			return rule.Bool(true), nil
		}
	}
	return rule.Bool(false), nil
}

// indexOperated is the namespaces whose files hold custom resources of which an operator may make
// pods: what selects no workload there may select those.
func (j *judgement) indexOperated() map[string]bool {
	operated := map[string]bool{}
	for _, o := range j.Inventory.Objects {
		group := o.Group()
		if !strings.Contains(group, ".") || strings.HasSuffix(group, ".k8s.io") || podless[o.Kind] {
			continue
		}
		operated[fact.Place(o.Namespace)] = true
	}
	return operated
}

// podless are kinds of custom resources that make no pods: routes, policies, certificates,
// what is watched, and where secrets come from.
var podless = map[string]bool{
	"AuthorizationPolicy": true, "Certificate": true, "CiliumNetworkPolicy": true, "ClusterSecretStore": true, "DestinationRule": true,
	"EnvoyFilter": true, "ExternalSecret": true, "Gateway": true, "HTTPProxy": true, "HTTPRoute": true, "IngressRoute": true,
	"Issuer": true, "Middleware": true, "PeerAuthentication": true, "PodMonitor": true, "PrometheusRule": true, "RequestAuthentication": true,
	"Route": true, "ScaledObject": true, "SealedSecret": true, "SecretStore": true, "Server": true, "ServiceEntry": true,
	"ServiceMonitor": true, "ServiceProfile": true, "Sidecar": true, "VerticalPodAutoscaler": true, "VirtualService": true,
}
