package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
	"github.com/coaming/coaming/internal/source"
)

// asking is how long each kind of question about rights is asked.
const asking = time.Second

// access measures questions about rights, on one goroutine, about a cluster that was read.
func (b *bench) access(ctx context.Context, pods int) error {
	inputs, _, err := b.cluster(ctx, pods)
	if err != nil {
		return err
	}
	r, err := source.Files(ctx, source.FileOptions{Paths: []string{inputs["files"]}})
	if err != nil {
		return fmt.Errorf("read cluster: %w", err)
	}
	inventory := fact.NewInventory(r.Objects, catalog.Newest, false)
	start := time.Now()
	m := rbac.New(rbac.Input{Inventory: inventory, Gaps: r.Coverage.Gaps, Shipped: catalog.Shipped()})
	m.WhoCan(&rbac.Query{Verb: "get", Resource: "secrets"}) // makes the indexes
	fmt.Printf("rights of %d pods: indexed in %v; ", pods, time.Since(start).Round(time.Millisecond))
	who, what := subjects(inventory), asked(inventory)
	random := rand.New(rand.NewPCG(seed, uint64(pods)))
	fmt.Printf("can: %.0f a second, ", perSecond(func() {
		m.Decide(&who[random.IntN(len(who))], &what[random.IntN(len(what))])
	}))
	fmt.Printf("can with every way: %.0f a second, ", perSecond(func() {
		m.Can(&who[random.IntN(len(who))], &what[random.IntN(len(what))])
	}))
	fmt.Printf("who-can: %.0f a second\n", perSecond(func() { m.WhoCan(&what[random.IntN(len(what))]) }))
	return nil
}

// perSecond is how often something is done in a second.
func perSecond(do func()) float64 {
	start, n := time.Now(), 0
	for time.Since(start) < asking {
		do()
		n++
	}
	return float64(n) / time.Since(start).Seconds()
}

// subjects are the accounts of a cluster, and some people.
func subjects(inventory *fact.Inventory) []rbac.Identity {
	list := []rbac.Identity{rbac.User("ann", "sso:shop"), rbac.User("bob", "sso:platform-000"), rbac.User("eve")}
	for _, o := range inventory.OfKind("ServiceAccount") {
		list = append(list, rbac.Account(o.Namespace, o.Name))
	}
	return list
}

// asked are questions about every resource and some verbs, in every namespace and everywhere.
func asked(inventory *fact.Inventory) []rbac.Query {
	namespaces := []string{""}
	for _, o := range inventory.OfKind("Namespace") {
		namespaces = append(namespaces, o.Name)
	}
	var list []rbac.Query
	for i, resource := range catalog.Resources() {
		for k, verb := range []string{"get", "list", "create", "patch", "delete"} {
			q := rbac.Query{Verb: verb, Group: resource.Group, Resource: resource.Name}
			if q.Wide = !resource.Namespaced; resource.Namespaced {
				q.Namespace = namespaces[(i*5+k)%len(namespaces)]
			}
			list = append(list, q)
		}
	}
	return list
}
