package attack

import (
	"github.com/coaming/coaming/internal/document"
)

// secretUse is a Secret that a container is given.
type secretUse struct {
	box  *Box
	name string
	// at is what gives it, and what is taken away to end it; tells says how.
	at    document.Value
	tells string
}

// secretUses are those of all containers: by variables, and by volumes that they mount.
func (w *World) secretUses() []secretUse {
	if w.uses != nil {
		return w.uses
	}
	w.uses = []secretUse{}
	for b := range w.Boxes {
		add := func(name string, at document.Value, tells string) {
			if name != "" {
				w.uses = append(w.uses, secretUse{b, name, at, tells})
			}
		}
		for _, v := range b.Value.Get("env").Items() {
			if from := v.Get("valueFrom"); from.Exists() {
				add(from.At("secretKeyRef", "name").Str(), v, "the variable "+v.Get("name").Str()+" holds a value of it")
			}
		}
		for _, v := range b.Value.Get("envFrom").Items() {
			add(v.At("secretRef", "name").Str(), v, "its variables hold all of it")
		}
		for _, m := range b.Mounts() {
			add(m.Volume.At("secret", "secretName").Str(), m.Value, "it is mounted at "+m.Value.Get("mountPath").Str())
			for _, source := range m.Volume.At("projected", "sources").Items() {
				add(source.At("secret", "name").Str(), m.Value, "it is mounted at "+m.Value.Get("mountPath").Str())
			}
		}
	}
	return w.uses
}
