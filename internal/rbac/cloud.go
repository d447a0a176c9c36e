package rbac

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// Link ties an identity of the cluster to one of a cloud.
type Link struct {
	// Provider is "aws", "gcp" or "azure"; Kind names the mechanism.
	Provider, Kind string
	// Cloud is the cloud's side: an ARN, an account, a client id.
	Cloud string
	// Into is set where the cloud's identity enters the cluster; else a workload of the cluster acts
	// in the cloud.
	Into bool
	// Identity is the cluster's side.
	Identity Identity
	// Note says what else it takes, or what is not known of it; "" for most.
	Note string
	// Object and At are where it is written.
	Object *fact.Object
	At     document.Value
}

// The annotations and labels that link a service account, or the pods that run as one, to a cloud
// identity, as the documentation of each mechanism names them.
const (
	irsaKey     = "eks.amazonaws.com/role-arn"
	gcpKey      = "iam.gke.io/gcp-service-account"
	azureKey    = "azure.workload.identity/client-id"
	azureUse    = "azure.workload.identity/use"
	kube2iamKey = "iam.amazonaws.com/role"
	podIDLabel  = "aadpodidbinding"
	podIdentity = "PodIdentityAssociation.eks.services.k8s.aws"
	accessEntry = "AccessEntry.eks.services.k8s.aws"
	awsAuthName = "aws-auth"
)

// SystemNamespace is where aws-auth stands.
const SystemNamespace = "kube-system"

// accountLinks are the annotations of service accounts.
var accountLinks = []struct{ key, provider, kind string }{
	{irsaKey, "aws", "IAM roles for service accounts"},
	{gcpKey, "gcp", "Workload Identity Federation for GKE"},
	{azureKey, "azure", "Microsoft Entra Workload ID"},
}

// LinkKinds are the object kinds that links are read from, beside workloads.
var LinkKinds = []string{"ServiceAccount", "ConfigMap"}

// Links is every link that was read, in the order in which it was read: first those of the cluster's
// workloads into clouds, then those of cloud identities into the cluster.
func (m *Model) Links() []Link {
	var links []Link
	for _, o := range m.inventory.OfKind("ServiceAccount") {
		links = append(links, m.linksOfAccount(o)...)
	}
	for _, w := range m.inventory.Workloads {
		links = append(links, linksOfPods(w)...)
	}
	for _, o := range m.inventory.OfKind(podIdentity) {
		spec := o.Root.Get("spec")
		links = append(links, association(o, spec, spec.Get("roleARN").Str(), spec.Get("namespace").Str(), spec.Get("serviceAccount").Str()))
	}
	links = append(links, m.cloud.links...)
	return append(links, m.entering()...)
}

func (m *Model) linksOfAccount(o *fact.Object) []Link {
	var links []Link
	annotations := o.Root.At("metadata", "annotations")
	for _, l := range accountLinks {
		v := annotations.Get(l.key)
		if v.Text() == "" {
			continue
		}
		link := Link{Provider: l.provider, Kind: l.kind, Cloud: v.Text(), Identity: Account(o.Namespace, o.Name), Object: o, At: v}
		if l.key == azureKey && !m.anyPodUsesAzure(o) {
			link.Note = "no pod that runs as it has the label " + azureUse + ": \"true\", which the mechanism asks for"
		}
		links = append(links, link)
	}
	return links
}

func (m *Model) anyPodUsesAzure(account *fact.Object) bool {
	return slices.ContainsFunc(m.WorkloadsOf(account.Namespace, account.Name), func(w *fact.Workload) bool {
		return w.Labels().Get(azureUse).Text() == "true"
	})
}

func linksOfPods(w *fact.Workload) []Link {
	var links []Link
	add := func(provider, kind, cloud string, at document.Value) {
		if cloud != "" {
			links = append(links, Link{
				Provider: provider, Kind: kind, Cloud: cloud, Identity: Account(w.Object.Namespace, w.ServiceAccount()),
				Note: "by the pods of " + name(w.Object) + " alone", Object: w.Object, At: at,
			})
		}
	}
	role, label := w.Annotations().Get(kube2iamKey), w.Labels().Get(podIDLabel)
	add("aws", "kube2iam or kiam", role.Text(), role)
	add("azure", "AAD Pod Identity", label.Text(), label)
	return links
}

func association(o *fact.Object, at document.Value, role, namespace, account string) Link {
	link := Link{Provider: "aws", Kind: "EKS Pod Identity", Cloud: role, Identity: Account(namespace, account), Object: o, At: at}
	if role == "" {
		link.Cloud, link.Note = "?", "the export does not say which role: take it from describe-pod-identity-association"
	}
	return link
}

// entering is the links from clouds into the cluster: aws-auth, access entries, and the names of
// subjects that only a cloud or an OIDC provider can give.
func (m *Model) entering() []Link {
	links := m.awsAuth()
	for i := range m.cloud.entries {
		e := &m.cloud.entries[i]
		links = append(links, Link{
			Provider: "aws", Kind: "EKS access entry", Cloud: e.Principal, Into: true, Identity: User(e.username(), e.Groups...),
			Note: e.Note, Object: e.Object, At: e.Object.Root,
		})
	}
	seen := map[string]bool{}
	for _, b := range m.bindings().all {
		for i := range b.Subjects {
			s := &b.Subjects[i]
			provider, kind := Provider(s)
			if key := s.Kind + "\x00" + s.Name; kind != "" && !seen[key] && !b.Shipped && s.Value.Exists() {
				seen[key] = true
				links = append(links, Link{Provider: provider, Kind: kind, Cloud: s.Name, Into: true, Identity: s.Identity(), Object: b.Object, At: s.Value})
			}
		}
	}
	return links
}

var (
	guid  = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
	email = regexp.MustCompile(`^[^@\s:/]+@[^@\s:/]+\.[a-zA-Z]+$`)
)

// Provider says by the form of its name where a user or a group comes from; "" for what may be from
// anywhere. The name is all there is to go by: it is a hint and no proof.
func Provider(s *Subject) (provider, kind string) {
	if s.Kind != UserKind && s.Kind != GroupKind {
		return "", ""
	}
	group := s.Kind == GroupKind
	switch n := s.Name; {
	case strings.HasPrefix(n, "system:"):
		return "", ""
	case strings.HasPrefix(n, "arn:aws"):
		return "aws", "an IAM principal"
	case strings.HasPrefix(n, "principal://iam.googleapis.com/"), strings.HasPrefix(n, "principalSet://iam.googleapis.com/"):
		return "gcp", "an identity of a Google workforce or workload pool"
	case strings.HasSuffix(n, ".gserviceaccount.com") && strings.Contains(n, "@"):
		return "gcp", "a Google service account"
	case guid.MatchString(n) && group:
		return "azure", "the object id of a Microsoft Entra group"
	case guid.MatchString(n):
		return "azure", "the object id of a Microsoft Entra user or application"
	case email.MatchString(n) && group:
		return "gcp", "a Google group, or one of an OIDC provider"
	case email.MatchString(n):
		return "", "an e-mail address: a Google or Microsoft Entra account, or one of an OIDC provider"
	case strings.HasPrefix(n, "https://") && strings.Contains(n, "#"):
		return "oidc", "a user of the OIDC issuer " + n[:strings.Index(n, "#")]
	case strings.HasPrefix(n, "oidc:"):
		return "oidc", "an identity of an OIDC provider, by its prefix"
	}
	return "", ""
}

// awsAuth reads the ConfigMap by which the AWS IAM authenticator knows users.
func (m *Model) awsAuth() []Link {
	o := m.inventory.Find("ConfigMap", SystemNamespace, awsAuthName)
	if o == nil {
		return nil
	}
	var links []Link
	for _, part := range []struct{ field, arn string }{{"mapRoles", "rolearn"}, {"mapUsers", "userarn"}} {
		v := o.Root.At("data", part.field)
		if v.Text() == "" {
			continue
		}
		docs, errs := document.Read(document.NewText(v.Text()), 1)
		if len(errs) > 0 || len(docs) != 1 || docs[0].Root().Kind() != document.List {
			links = append(links, Link{Provider: "aws", Kind: awsAuthName, Cloud: "?", Into: true, Note: part.field + " is no list that could be read", Object: o, At: v})
			continue
		}
		for _, entry := range docs[0].Root().Items() {
			links = append(links, awsAuthEntry(o, v, entry, part.arn))
		}
	}
	for _, account := range textItems(o.Root.At("data", "mapAccounts")) {
		links = append(links, Link{
			Provider: "aws", Kind: awsAuthName, Cloud: "arn:aws:iam::" + account + ":*", Into: true,
			Note: "every IAM principal of the account " + account + " is the user of its own ARN", Object: o, At: o.Root.At("data", "mapAccounts"),
		})
	}
	return links
}

func textItems(v document.Value) []string {
	docs, errs := document.Read(document.NewText(v.Text()), 1)
	if len(errs) > 0 || len(docs) != 1 {
		return nil
	}
	var texts []string
	for _, item := range docs[0].Root().Items() {
		texts = append(texts, item.Text())
	}
	return texts
}

func awsAuthEntry(o *fact.Object, at, entry document.Value, arn string) Link {
	var groups []string
	for _, g := range entry.Get("groups").Items() {
		groups = append(groups, g.Text())
	}
	cloud := entry.Get(arn).Text()
	username := cmp.Or(entry.Get("username").Text(), cloud)
	link := Link{Provider: "aws", Kind: awsAuthName, Cloud: cloud, Into: true, Identity: User(username, groups...), Object: o, At: at}
	if strings.Contains(username, "{{") {
		link.Note = "the user name is filled in when it enters"
	}
	return link
}

// Resolve says who in the cluster an identity of a cloud is, and which groups a user's mapping gives it.
// Anything else it leaves as it is. For an IAM principal that nothing maps it returns an error: who that
// is, is not known.
func (m *Model) Resolve(id Identity) (Identity, error) {
	if id.User == "" || id.Account != "" {
		return id, nil
	}
	isARN := strings.HasPrefix(id.User, "arn:aws")
	for _, link := range m.Links() {
		switch {
		case !link.Into || link.Identity.User == "" || link.Kind != awsAuthName && link.Kind != "EKS access entry":
		case isARN && samePrincipal(link.Cloud, id.User):
			mapped := User(link.Identity.User, join(slices.Clone(link.Identity.Groups), id.Groups)...)
			mapped.Via = fmt.Sprintf("%s maps %s", link.Kind, link.Cloud)
			return mapped, nil
		case link.Identity.User == id.User && !isARN:
			id.Groups = join(slices.Clone(id.Groups), link.Identity.Groups)
			id.Via = fmt.Sprintf("%s maps %s to this user", link.Kind, link.Cloud)
		}
	}
	named, _ := m.BindingsOf(&Identity{User: id.User})
	if isARN && len(named) == 0 {
		return id, fmt.Errorf("nothing that was read says who %s is in the cluster", id.User)
	}
	return id, nil
}

// samePrincipal compares ARNs as the authenticator does: the path of a role counts for nothing, and an
// assumed role is the role.
func samePrincipal(a, b string) bool { return canonical(a) == canonical(b) }

func canonical(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return arn
	}
	kind, rest, _ := strings.Cut(parts[5], "/")
	switch kind {
	case "assumed-role":
		rest, _, _ = strings.Cut(rest, "/")
	case "role":
		rest = rest[strings.LastIndex(rest, "/")+1:]
	default:
		return arn
	}
	return strings.ToLower(parts[1] + ":" + parts[4] + ":" + rest)
}
