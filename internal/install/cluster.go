package install

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/coaming/coaming/internal/drift"
	"github.com/coaming/coaming/internal/verdict"
)

// Cluster is an API server that is asked as whoever the configuration names.
type Cluster struct {
	dynamic   dynamic.Interface
	metadata  metadata.Interface
	discovery *discovery.DiscoveryClient
	kinds     []kind // with the versions that this server has
	// Version is the server's: "1.36".
	Version string
}

// Connect asks the server for its version and for the versions of what may be installed.
func Connect(ctx context.Context, config *rest.Config) (*Cluster, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = 200, 400 // some hundreds of policies are applied at once
	config.WarningHandler = rest.NoWarnings{}
	d, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	asked, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	m, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	version, err := asked.ServerVersionWithContext(ctx)
	if err != nil {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("ask the cluster for its version: %w", err), Remedy: "Name a kubeconfig with --kubeconfig or KUBECONFIG, and a context with --context."}
	}
	c := &Cluster{dynamic: d, metadata: m, discovery: asked, kinds: slices.Clone(kinds)}
	c.Version = version.Major + "." + strings.TrimRight(version.Minor, "+")
	for i := range c.kinds {
		if err := c.version(ctx, asked, &c.kinds[i]); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Offline is a cluster of that version that is not asked: for rendering alone.
func Offline(version string) *Cluster {
	c := &Cluster{Version: version, kinds: slices.Clone(kinds)}
	if !atLeast(version, 36) {
		for i := range c.kinds {
			if c.kinds[i].mutating() {
				c.kinds[i].version = ""
			}
		}
	}
	return c
}

// atLeast says whether a version of Kubernetes 1 has such a minor version.
func atLeast(version string, minor int) bool {
	_, text, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(text)
	return err == nil && n >= minor
}

// Mutating is the version in which the server offers mutating policies with their bindings, "" where it offers none. A server that is not
// asked is taken to offer them from 1.36 on, where they are on by themselves.
func (c *Cluster) Mutating() string {
	policy, binding := c.kindNamed("MutatingAdmissionPolicy"), c.kindNamed("MutatingAdmissionPolicyBinding")
	if policy.version != binding.version {
		return ""
	}
	return policy.version
}

// version finds the version by which the server has a kind, of those that came in the course of time; version is "" where it
// has none.
func (c *Cluster) version(ctx context.Context, asked discovery.DiscoveryInterfaceWithContext, k *kind) error {
	var versions []string
	switch {
	case k.mutating():
		versions = []string{"v1", "v1beta1", "v1alpha1"}
	case k.group == "cert-manager.io":
		versions = []string{"v1"}
	default:
		return nil
	}
	k.version = ""
	for _, v := range versions {
		list, err := asked.ServerResourcesForGroupVersionWithContext(ctx, k.group+"/"+v)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("ask the cluster for %s/%s: %w", k.group, v, err)
		}
		if slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Name == k.resource }) {
			k.version = v
			return nil
		}
	}
	return nil
}

func (c *Cluster) at(k *kind, namespace string) dynamic.ResourceInterface {
	r := c.dynamic.Resource(k.gvr())
	if k.cluster {
		return r
	}
	return r.Namespace(namespace)
}

// apply makes an object be as it is written, whoever else wrote to these fields. Of what is compared strictly it takes out what
// others added, which server-side apply leaves to them: a selector in a webhook exempts as well as its removal.
func (c *Cluster) apply(ctx context.Context, o *Object) error {
	k, err := kindOf(o)
	if err != nil {
		return err
	}
	body, err := json.Marshal(o.Object)
	if err != nil {
		return fmt.Errorf("write %s: %w", named(o), err)
	}
	force := true
	client := c.at(k, o.GetNamespace())
	stored, err := client.Patch(ctx, o.GetName(), types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: manager, Force: &force})
	if err == nil && k.strict && len(drift.Of(o, stored, k.strict)) > 0 {
		whole := o.DeepCopy()
		whole.SetResourceVersion(stored.GetResourceVersion())
		whole.SetAnnotations(stored.GetAnnotations())
		_, err = client.Update(ctx, whole, metav1.UpdateOptions{FieldManager: manager})
	}
	if err != nil {
		return fmt.Errorf("apply %s: %w", named(o), explained(err))
	}
	return nil
}

// explained adds what to do about a refusal.
func explained(err error) error {
	switch {
	case apierrors.IsForbidden(err):
		return &verdict.RemedyError{Err: err, Remedy: "Who installs needs the rights of an administrator: see docs/install.md."}
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err):
		return &verdict.RemedyError{Err: err, Remedy: "The cluster does not have this kind: install what brings it (cert-manager), or leave the value out that asks for it."}
	}
	return err
}

// get is an object as it is there, nil where it is not.
func (c *Cluster) get(ctx context.Context, k *kind, namespace, name string) (*Object, error) {
	if k.version == "" {
		return nil, nil
	}
	o, err := c.at(k, namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", k.name, name, err)
	}
	return o, nil
}

// list is what carries labels, in one namespace or, without one, in all.
func (c *Cluster) list(ctx context.Context, k *kind, namespace, selector string) ([]*Object, error) {
	if k.version == "" {
		return nil, nil
	}
	var objects []*Object
	next := ""
	for {
		page, err := c.at(k, namespace).List(ctx, metav1.ListOptions{LabelSelector: selector, Limit: 500, Continue: next})
		if apierrors.IsNotFound(err) {
			return nil, nil // the kind is not there
		}
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", k.resource, err)
		}
		for i := range page.Items {
			objects = append(objects, &page.Items[i])
		}
		if next = page.GetContinue(); next == "" {
			return objects, nil
		}
	}
}

// remove deletes an object, and what it owns after it; that it is gone already is fine.
func (c *Cluster) remove(ctx context.Context, k *kind, o *Object) error {
	background := metav1.DeletePropagationBackground
	err := c.at(k, o.GetNamespace()).Delete(ctx, o.GetName(), metav1.DeleteOptions{PropagationPolicy: &background})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete %s: %w", named(o), err)
	}
	return nil
}

// kindNamed is the entry of a kind, with the version of this server.
func (c *Cluster) kindNamed(name string) *kind {
	i := slices.IndexFunc(c.kinds, func(k kind) bool { return k.name == name })
	return &c.kinds[i]
}
