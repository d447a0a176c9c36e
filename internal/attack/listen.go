package attack

import (
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/reach"
)

// Serving is the containers that listen on one of the ports: those that declare one, or, where none
// does, all that run as long as the pod, for a port need not be declared.
func (p *Pods) Serving(ports reach.Ports) []*Box {
	var declared, all []*Box
	for _, b := range p.Containers {
		if !b.Serves() {
			continue
		}
		all = append(all, b)
		if b.declares(ports) {
			declared = append(declared, b)
		}
	}
	if len(declared) > 0 {
		return declared
	}
	return all
}

func (b *Box) declares(ports reach.Ports) bool {
	for _, v := range b.Value.Get("ports").Items() {
		protocol, ok := reach.ParseProtocol(v.Get("protocol").Str())
		number, isInt := v.Get("containerPort").Int()
		if ok && isInt && ports.Has(protocol, int(number)) {
			return true
		}
	}
	return false
}

// networkValue is what says that the pods are on their node's network, or the pod spec.
func (p *Pods) networkValue() document.Value {
	if v := p.Spec.Get("hostNetwork"); v.Exists() {
		return v
	}
	return p.Spec
}
