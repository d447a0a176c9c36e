package attack

import (
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/rbac"
)

var tokenMount = Step{
	ID: "token-mount", Title: "Use the service account token in a container", Technique: "T1528",
	Needs: "commands in a container into which a token of its service account is mounted",
	Gives: "the identity of the service account",
	Why:   "The token is a file that every process of the container may read, and the API server takes it from wherever it comes.",
	Fix:   "Set automountServiceAccountToken to false where nothing asks the API server.",
	// It is a file.
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		for _, p := range w.Pods {
			automatic := w.Automounts(p)
			for _, b := range p.Containers {
				if automatic && b.Mounted(tokenPath) == nil {
					take(Taken{
						From: b.Node, To: p.Account,
						Evidence: []Evidence{{p.Object, p.automount(), "the token of " + p.Account.Title() + " is mounted into its pods"}},
						Changes: []Change{{
							Object: p.Object, Edits: []Edit{Set(p.Spec, "false", "automountServiceAccountToken")},
							Title: "Mount no service account token into the pods of " + p.Node.Title(),
						}},
					})
				}
				for _, m := range b.Mounts() {
					if source, doubt := w.projectedToken(m.Volume); source.Exists() {
						take(Taken{
							From: b.Node, To: p.Account, Doubt: doubt,
							Evidence: []Evidence{value(b, source, "a projected volume holds a token of "+p.Account.Title())},
							Changes: []Change{{
								Object: p.Object, Edits: []Edit{Remove(m.Value)},
								Title: "Take the volume with the token out of " + b.Node.Title(),
							}},
						})
					}
				}
			}
		}
	},
}

// tokenPath is where admission mounts a token.
const tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount"

// Automounts says whether admission mounts a token into the pods: unless they, or their account where
// they say nothing, ask it not to (k8s.io/kubernetes plugin/pkg/admission/serviceaccount).
func (w *World) Automounts(p *Pods) bool {
	if v := p.Spec.Get("automountServiceAccountToken"); v.Kind() == document.Bool {
		return v.Bool()
	}
	account := w.Inventory.Find("ServiceAccount", p.Account.Namespace, p.Account.Name)
	if account == nil {
		return true
	}
	v := account.Root.Get("automountServiceAccountToken")
	return v.Kind() != document.Bool || v.Bool()
}

// automount is the value that says that a token is mounted, or the pod spec that does not say no.
func (p *Pods) automount() document.Value {
	if v := p.Spec.Get("automountServiceAccountToken"); v.Exists() {
		return v
	}
	return p.Spec
}

// Mounted is what the container itself mounts at a path; nil for nothing.
func (b *Box) Mounted(path string) *Mount {
	for _, m := range b.Mounts() {
		if cleanPath(m.Value.Get("mountPath").Str()) == path {
			return &m
		}
	}
	return nil
}

// projectedToken is the source of a projected volume that is a token for the API server itself; doubt says
// why that is not known.
func (w *World) projectedToken(volume document.Value) (source document.Value, doubt string) {
	for _, s := range volume.At("projected", "sources").Items() {
		token := s.Get("serviceAccountToken")
		if token.Kind() != document.Map {
			continue
		}
		switch takes, unsure := w.audience(token.Get("audience").Str()); {
		case takes && unsure == "":
			return token, ""
		case takes:
			source, doubt = token, unsure
		}
	}
	return source, doubt
}

// audience says whether the API server takes tokens for an audience: its own, which are those of its flags,
// or else the issuer's name. Where no flags were read, the names that installers give it may be (kubeadm,
// k3s and the managed clusters: the name of the Service kubernetes, with or without https and the domain).
func (w *World) audience(name string) (takes bool, doubt string) {
	if name == "" {
		return true, ""
	}
	if own := w.audiences(); len(own) > 0 {
		return slices.Contains(own, name), ""
	}
	host := strings.TrimPrefix(name, "https://")
	if host == "kubernetes.default.svc" || strings.HasPrefix(host, "kubernetes.default.svc.") || host == "kubernetes.default" || name == "k3s" || name == "api" {
		return true, "whether the API server takes tokens for " + name + " is not known: its flags were not read"
	}
	return false, ""
}

// audiences are those that the flags of an API server name which runs as a pod; none where none was read.
func (w *World) audiences() []string {
	if w.audienceFlags != nil {
		return w.audienceFlags
	}
	w.audienceFlags = []string{}
	var issuers []string
	for _, p := range w.In(rbac.SystemNamespace) {
		for _, b := range p.Containers {
			for _, field := range []string{"command", "args"} {
				for _, v := range b.Value.Get(field).Items() {
					if list, found := strings.CutPrefix(v.Str(), "--api-audiences="); found {
						w.audienceFlags = append(w.audienceFlags, strings.Split(list, ",")...)
					} else if issuer, found := strings.CutPrefix(v.Str(), "--service-account-issuer="); found {
						issuers = append(issuers, issuer)
					}
				}
			}
		}
	}
	if len(w.audienceFlags) == 0 {
		w.audienceFlags = append(w.audienceFlags, issuers...)
	}
	return w.audienceFlags
}
