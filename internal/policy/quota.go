package policy

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/coaming/coaming/internal/enforcement"
)

// quotaName is the name of each ResourceQuota and LimitRange that a plan asks for.
const quotaName = "coaming"

type quotaSpec struct {
	Hard map[string]string `json:"hard"`
}

type limitSpec struct {
	Limits []limitItem `json:"limits"`
}

type limitItem struct {
	Type                 string            `json:"type"`
	Max                  map[string]string `json:"max,omitempty"`
	Min                  map[string]string `json:"min,omitempty"`
	Default              map[string]string `json:"default,omitempty"`
	DefaultRequest       map[string]string `json:"defaultRequest,omitempty"`
	MaxLimitRequestRatio map[string]string `json:"maxLimitRequestRatio,omitempty"`
}

// Quotas are the ResourceQuota and the LimitRange that a plan asks for in a namespace. Of several entries the last that fits
// decides, of the quota and of the limits by themselves; known is false where that rests on labels nobody knows.
func Quotas(plan *enforcement.Plan, at enforcement.Place) (list []Manifest, known bool) {
	if plan.Excludes(at.Namespace) {
		return nil, true
	}
	known = true
	var hard map[string]string
	var limits []enforcement.LimitItem
	for i := range plan.Quotas {
		e := &plan.Quotas[i]
		holds, sure := e.Where.Holds(at)
		known = known && sure
		if !holds {
			continue
		}
		if e.Hard != nil {
			hard = e.Hard
		}
		if e.Limits != nil {
			limits = e.Limits
		}
	}
	about := Metadata{Name: quotaName, Namespace: at.Namespace, Labels: map[string]string{ManagedBy: "coaming"}}
	if len(hard) > 0 {
		list = append(list, Manifest{"v1", "ResourceQuota", about, quotaSpec{amounts(hard)}})
	}
	if len(limits) > 0 {
		var spec limitSpec
		for _, l := range limits {
			spec.Limits = append(spec.Limits, limitOf(l))
		}
		list = append(list, Manifest{"v1", "LimitRange", about, spec})
	}
	return list, known
}

// limitOf is one item with what the API server would fill in (k8s.io/kubernetes pkg/apis/core/v1/defaults.go,
// SetDefaults_LimitRangeItem), so that what it stores is what was written.
func limitOf(l enforcement.LimitItem) limitItem {
	item := limitItem{l.Type, amounts(l.Max), amounts(l.Min), amounts(l.Default), amounts(l.DefaultRequest), amounts(l.MaxRequestRatio)}
	if l.Type != "Container" {
		return item
	}
	item.Default = filled(item.Default, item.Max)
	item.DefaultRequest = filled(filled(item.DefaultRequest, item.Default), item.Min)
	return item
}

// filled is a map with the entries of another that it lacks.
func filled(to, from map[string]string) map[string]string {
	if len(to)+len(from) == 0 {
		return nil
	}
	out := maps.Clone(from)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, to)
	return out
}

// amounts are quantities as the API server writes them.
func amounts(list map[string]string) map[string]string {
	out := maps.Clone(list)
	for name, text := range list {
		if q, err := resource.ParseQuantity(text); err == nil { // the plan's reader has refused what is none
			out[name] = q.String()
		}
	}
	return out
}

// PodSecurity is a Namespace with the labels of the Pod Security admission that a plan asks for, to be applied to the one
// that is there. Of several entries the last that fits decides, label by label. ok is false where none is asked for, known
// where that rests on labels nobody knows.
func PodSecurity(plan *enforcement.Plan, at enforcement.Place) (m Manifest, ok, known bool) {
	if plan.Excludes(at.Namespace) {
		return Manifest{}, false, true
	}
	known = true
	labels := map[string]string{}
	for i := range plan.PodSecurity {
		e := &plan.PodSecurity[i]
		holds, sure := e.Where.Holds(at)
		known = known && sure
		if !holds {
			continue
		}
		for mode, level := range map[string]string{"enforce": e.Enforce, "warn": e.Warn, "audit": e.Audit} {
			if level == "" {
				continue
			}
			labels[podSecurity+mode] = level
			delete(labels, podSecurity+mode+"-version")
			if e.Version != "" {
				labels[podSecurity+mode+"-version"] = e.Version
			}
		}
	}
	return Manifest{APIVersion: "v1", Kind: "Namespace", Metadata: Metadata{Name: at.Namespace, Labels: labels}}, len(labels) > 0, known
}

// Loosens says whether labels would hold a namespace to less by Pod Security than those that it has.
func Loosens(want, has map[string]string) bool {
	for name, level := range want {
		if strings.HasPrefix(name, podSecurity) && slices.Index(enforcement.Levels, level) < slices.Index(enforcement.Levels, has[name]) {
			return true
		}
	}
	return false
}

// podSecurity begins the labels of the Pod Security admission.
const podSecurity = "pod-security.kubernetes.io/"

// NamedPlaces are the namespaces that entries name exactly: all that a plan tells of which there are. all is false where an
// entry is for others besides, which a cluster alone knows.
func NamedPlaces(where []enforcement.Selection) (places []enforcement.Place, all bool) {
	all = true
	var names []string
	for _, s := range where {
		exact := slices.DeleteFunc(slices.Clone(s.Names), func(name string) bool { return strings.Contains(name, "*") })
		all = all && len(exact) > 0 && len(exact) == len(s.Names)
		names = append(names, exact...)
	}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		places = append(places, enforcement.Place{Namespace: name})
	}
	return places, all
}
