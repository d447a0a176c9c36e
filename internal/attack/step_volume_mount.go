package attack

var volumeMount = Step{
	ID: "volume-mount", Title: "Read the volumes of a container", Technique: "T1005",
	Needs: "commands in a container that mounts a claim",
	Gives: "the data that is kept there",
	Why:   "A volume is files to whoever runs commands in the container: a database is copied as it lies, and no password of it is asked for.",
	Fix:   "Mount a claim in the one container that works with it; let others read by the program that serves it.",
	// They are files.
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		tied := map[Node]bool{}
		for b := range w.Boxes {
			for _, field := range []string{"volumeMounts", "volumeDevices"} {
				for _, m := range b.Value.Get(field).Items() {
					claim := b.Pods.claim(m.Get("name").Str())
					if claim == "" {
						continue
					}
					volume := Node{Kind: Volume, Namespace: b.Pods.Namespace, Name: claim}
					take(Taken{
						From: b.Node, To: volume,
						Evidence: []Evidence{value(b, m, b.Node.Title()+" mounts the claim "+claim)},
						Changes: []Change{{
							Object: b.Pods.Object, Edits: []Edit{Remove(m)}, Last: true, Breadth: WholePurpose,
							Title: "Take the claim " + claim + " from " + b.Node.Title(),
						}},
					})
					if !tied[volume] {
						tied[volume] = true
						take(Taken{From: volume, To: Node{Kind: Data, Namespace: volume.Namespace, Name: claim}, Joint: true})
					}
				}
			}
		}
	},
}

// claim is the claim behind a pod's volume of that name, of a StatefulSet the one that each of its pods is
// given by template; "" for other volumes.
func (p *Pods) claim(volume string) string {
	if v := p.Volume(volume); v.Exists() {
		return v.At("persistentVolumeClaim", "claimName").Str()
	}
	if p.Object.GroupKind() != "StatefulSet.apps" {
		return ""
	}
	for _, v := range p.Object.Root.At("spec", "volumeClaimTemplates").Items() {
		if v.At("metadata", "name").Str() == volume {
			return volume + "-" + p.Object.Name
		}
	}
	return ""
}
