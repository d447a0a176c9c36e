package rbac

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// Entry is an EKS access entry: who in the cluster an IAM principal is.
type Entry struct {
	Principal string // its ARN
	Username  string // "" for the one that EKS makes of the ARN
	Groups    []string
	Policies  []Policy
	Note      string // what is not known of it
	Object    *fact.Object
}

// Policy is an access policy of an entry, everywhere or in namespaces.
type Policy struct {
	Name       string
	Namespaces []string
	At         document.Value
}

// Cloud is what exports of a cloud tell of its identities in the cluster.
type Cloud struct {
	entries []Entry
	links   []Link
}

// Read adds an export: what the AWS command line prints for describe-access-entry, list-access-entries,
// list-associated-access-policies, describe-pod-identity-association and list-pod-identity-associations,
// or a list of those.
func (c *Cloud) Read(root document.Value, origin *fact.Origin) error {
	if root.Kind() == document.List {
		if root.Len() == 0 {
			return errors.New("an empty list")
		}
		for i, item := range root.Items() {
			if err := c.Read(item, origin); err != nil {
				return fmt.Errorf("item %d: %w", i, err)
			}
		}
		return nil
	}
	known := false
	object := func(v document.Value, kind, name string) *fact.Object {
		return &fact.Object{Root: v, APIVersion: "eks/v1", Kind: kind, Name: name, Origin: origin}
	}
	if v := root.Get("accessEntry"); v.Kind() == document.Map {
		known = true
		e := c.entry(v.Get("principalArn").Str(), object(v, "AccessEntry", v.Get("principalArn").Str()))
		e.Username, e.Note, e.Groups = v.Get("username").Str(), "", nil
		for _, g := range v.Get("kubernetesGroups").Items() {
			e.Groups = append(e.Groups, g.Text())
		}
	}
	if v := root.Get("accessEntries"); v.Kind() == document.List {
		known = true
		for _, item := range v.Items() {
			c.entry(item.Text(), object(item, "AccessEntry", item.Text()))
		}
	}
	if v := root.Get("associatedAccessPolicies"); v.Kind() == document.List {
		known = true
		principal := root.Get("principalArn").Str()
		e := c.entry(principal, object(root, "AccessEntry", principal))
		for _, p := range v.Items() {
			e.Policies = append(e.Policies, policy(p))
		}
	}
	for _, v := range append(items(root.Get("associations")), root.Get("association")) {
		if v.Kind() == document.Map {
			known = true
			o := object(v, "PodIdentityAssociation", v.Get("associationId").Text())
			c.links = append(c.links, association(o, v, v.Get("roleArn").Str(), v.Get("namespace").Str(), v.Get("serviceAccount").Str()))
		}
	}
	if !known {
		return errors.New("it holds neither access entries nor pod identity associations of EKS")
	}
	return nil
}

func items(v document.Value) []document.Value {
	var list []document.Value
	for _, item := range v.Items() {
		list = append(list, item)
	}
	return list
}

func policy(v document.Value) Policy {
	arn := v.Get("policyArn").Str()
	p := Policy{Name: arn[strings.LastIndex(arn, "/")+1:], At: v}
	if v.At("accessScope", "type").Str() == "namespace" {
		p.Namespaces = []string{}
		for _, n := range v.At("accessScope", "namespaces").Items() {
			p.Namespaces = append(p.Namespaces, n.Text())
		}
	}
	return p
}

// entry is the entry of a principal, made when it is new: its groups are not known then.
func (c *Cloud) entry(principal string, o *fact.Object) *Entry {
	i := slices.IndexFunc(c.entries, func(e Entry) bool { return e.Principal == principal })
	if i < 0 {
		i = len(c.entries)
		c.entries = append(c.entries, Entry{Principal: principal, Object: o, Note: "its groups are not in the export: take them from describe-access-entry"})
	}
	return &c.entries[i]
}

// username is the entry's, or what EKS makes of the ARN: a role's holds the session, which is not known.
func (e *Entry) username() string {
	if e.Username != "" {
		return e.Username
	}
	return e.Principal
}

// accessPolicies are the access policies of EKS, and the cluster role that each is modelled on
// (docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html).
var accessPolicies = map[string]string{
	"AmazonEKSClusterAdminPolicy": "cluster-admin",
	"AmazonEKSAdminPolicy":        "admin",
	"AmazonEKSEditPolicy":         "edit",
	"AmazonEKSViewPolicy":         "view",
}

// bindings is what the entry's access policies give, as if they were bindings.
func (e *Entry) bindings() []*Binding {
	var list []*Binding
	for _, p := range e.Policies {
		b := Binding{
			Object: e.Object, RoleKind: "ClusterRole", RoleName: accessPolicies[p.Name],
			Subjects: []Subject{{Kind: UserKind, Name: e.username()}},
		}
		switch b.RoleName {
		case "cluster-admin":
		case "":
			b.RoleKind, b.RoleName = "access policy", p.Name
			b.Doubt = "what the access policy " + p.Name + " allows is not known here"
		default:
			b.Doubt = "the access policy " + p.Name + " is modelled on the ClusterRole " + b.RoleName + " and not equal to it"
		}
		if p.Namespaces == nil {
			list = append(list, &b)
			continue
		}
		for _, namespace := range p.Namespaces {
			in := b
			in.Namespace = namespace
			list = append(list, &in)
		}
	}
	return list
}
