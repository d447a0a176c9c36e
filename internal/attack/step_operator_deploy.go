package attack

import (
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/rbac"
)

var operatorDeploy = Step{
	ID: "operator-deploy", Title: "Have a deployment tool apply what one likes", Technique: "T1072",
	Needs:  "an identity that may write what Argo CD or Flux deploys from, and the source of it",
	Gives:  "the identity of the controller that deploys, which is often cluster-admin",
	Why:    "The controller applies what the object points at, with its own rights and not with those of whoever wrote the object. Argo CD's projects, and Flux's default service account, bound it.",
	Fix:    "Give Argo CD's projects their sources and destinations, and start Flux's controllers with --default-service-account.",
	Effort: Easy,
	Find: func(w *World, take func(Taken)) {
		for i := range deployers {
			d := &deployers[i]
			for _, p := range w.Pods {
				if p.Labels().Get(d.label).Str() == d.value && p.isDeployment() {
					w.deploys(d, p, take)
				}
			}
		}
	},
}

// deployer is a controller that applies what its objects point at.
type deployer struct {
	label, value    string // of its pods
	group, resource string
	// sources are the resources that say where from, of which one must be written, too; none where the
	// object says so itself.
	sourceGroup string
	sources     []string
	// own is set where objects in the controller's own namespace alone count.
	own bool
}

var deployers = []deployer{
	{label: "app.kubernetes.io/name", value: "argocd-application-controller", group: "argoproj.io", resource: "applications", own: true},
	{
		label: "app", value: "kustomize-controller", group: "kustomize.toolkit.fluxcd.io", resource: "kustomizations",
		sourceGroup: "source.toolkit.fluxcd.io", sources: []string{"gitrepositories", "ocirepositories", "buckets"},
	},
	{
		label: "app", value: "helm-controller", group: "helm.toolkit.fluxcd.io", resource: "helmreleases",
		sourceGroup: "source.toolkit.fluxcd.io", sources: []string{"helmrepositories", "ocirepositories", "gitrepositories"},
	},
}

func (p *Pods) isDeployment() bool { return p.Object.Group() == "apps" || p.Object.Kind == "Pod" }

func (w *World) deploys(d *deployer, p *Pods, take func(Taken)) {
	seen := map[rbac.Chain]bool{}
	for _, verb := range []string{"create", "update", "patch"} {
		q := rbac.Query{Verb: verb, Group: d.group, Resource: d.resource}
		if d.own {
			q.Namespace = p.Namespace
		}
		holders := w.Rights.WhoCan(&q)
		for i := range holders.Holders {
			for _, c := range holders.Holders[i].Chains {
				key := rbac.Chain{Binding: c.Binding, Subject: c.Subject}
				if seen[key] || c.Binding.Role == nil || w.isEverything(c.Rule, c.Binding) {
					continue
				}
				seen[key] = true
				w.deploysBy(d, p, &c, q, take)
			}
		}
	}
}

// isEverything says whether a rule is cluster-admin's, which needs no detour.
func (w *World) isEverything(r rbac.Rule, b *rbac.Binding) bool {
	return b.Namespace == "" && r.HasVerb("*") && r.HasGroup("*") && r.HasResource("*")
}

func (w *World) deploysBy(d *deployer, p *Pods, c *rbac.Chain, q rbac.Query, take func(Taken)) {
	namespace := c.Binding.Namespace
	r := &Right{Who: HolderOf(c.Subject), Namespace: namespace, Binding: c.Binding, Subject: c.Subject, Rule: c.Rule, Doubt: c.Doubt}
	q.Namespace = namespace
	main := &chain{query: &q, all: []rbac.Chain{*c}, who: r.Who}
	t := Taken{From: r.Who, To: p.Account, Doubt: c.Doubt}
	main.joins(&t)
	if len(d.sources) > 0 && !slices.ContainsFunc(d.sources, func(source string) bool {
		return w.needs(r, &t, rbac.Query{Verb: "create", Group: d.sourceGroup, Resource: source, Namespace: namespace})
	}) {
		return
	}
	t.Evidence = append(t.Evidence, Evidence{p.Object, p.accountValue(), title(p.Object) + " deploys as " + p.Account.Title()})
	switch {
	case p.hasArgument("--default-service-account"):
		t.To = AccountsIn(namespace)
	case d.own && w.bounded(p.Namespace) && t.Doubt == "":
		t.Doubt = "what the projects of Argo CD forbid is not looked at"
	}
	take(t)
}

func (p *Pods) hasArgument(start string) bool {
	for _, b := range p.Containers {
		for _, field := range []string{"command", "args"} {
			for _, v := range b.Value.Get(field).Items() {
				if strings.HasPrefix(v.Str(), start) {
					return true
				}
			}
		}
	}
	return false
}

// bounded says whether every project that was read bounds what may be deployed from where to where.
func (w *World) bounded(namespace string) bool {
	projects := w.Inventory.In("AppProject.argoproj.io", namespace)
	for _, o := range projects {
		if holdsText(o.Root.At("spec", "sourceRepos"), "*") && slices.ContainsFunc(items(o.Root.At("spec", "destinations")), anywhere) {
			return false
		}
	}
	return len(projects) > 0
}

func anywhere(destination document.Value) bool {
	return destination.Get("namespace").Str() == "*" && (destination.Get("server").Str() == "*" || destination.Get("server").Str() == "https://kubernetes.default.svc")
}
