// Package rbac knows who may do what: the roles and bindings of an inventory, read as the API server's
// RBAC authorizer reads them, with the way by which every right is given. It asks no cluster and judges
// nothing. What it cannot know (a role that was not read, a list that was forbidden) makes an answer
// unknown, never no. Floor 1: judge, the graphs, reports and the command line import it, and rule for
// the meaning of a single rule.
package rbac

import (
	"sync"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// The kinds that rights are made of.
const (
	RoleKind               = "Role.rbac.authorization.k8s.io"
	ClusterRoleKind        = "ClusterRole.rbac.authorization.k8s.io"
	RoleBindingKind        = "RoleBinding.rbac.authorization.k8s.io"
	ClusterRoleBindingKind = "ClusterRoleBinding.rbac.authorization.k8s.io"
)

// Kinds are they: what a live cluster must be asked for.
var Kinds = []string{RoleKind, ClusterRoleKind, RoleBindingKind, ClusterRoleBindingKind}

// Model is the rights of one inventory. It is immutable and safe for concurrent readers; its indexes
// are made when they are first asked for.
type Model struct {
	inventory *fact.Inventory
	gaps      *verdict.GapIndex
	shipped   []*fact.Object
	stock     map[stockID]*fact.Object
	cloud     Cloud

	roles    map[roleKey]*Role
	wide     []*Role // the cluster roles, by name
	bindings func() *bindingIndex
	actions  func() *actionIndex
	running  func() map[string][]*fact.Workload
	budget   int // what aggregation may still cost
	mu       sync.Mutex
}

// Input is what a model is made of.
type Input struct {
	Inventory *fact.Inventory
	Gaps      []verdict.Gap
	// Shipped are the roles and bindings that every cluster has. Of a live cluster they are not
	// looked at: it has told its own.
	Shipped []*fact.Object
	// Cloud is what exports of a cloud say of who is what in the cluster.
	Cloud Cloud
}

// New makes the model of one inventory. Of an inventory with Worlds each is a model of its own.
func New(in Input) *Model {
	m := &Model{
		inventory: in.Inventory, gaps: verdict.IndexGaps(in.Gaps), shipped: in.Shipped, cloud: in.Cloud,
		roles: map[roleKey]*Role{}, budget: aggregationBudget, stock: indexStock(in.Shipped),
	}
	if in.Inventory.Live {
		m.shipped = nil
	}
	m.listRoles()
	m.bindings = sync.OnceValue(m.indexBindings)
	m.actions = sync.OnceValue(m.indexActions)
	m.running = sync.OnceValue(m.indexRunning)
	return m
}

// Inventory is what the model was made of.
func (m *Model) Inventory() *fact.Inventory { return m.inventory }

// Place is where a value of an object was read. What a server sent has no lines.
func Place(o *fact.Object, at document.Value) verdict.Location {
	l := verdict.Location{Source: o.Origin.Source, File: o.Origin.File, Rendered: o.Origin.Rendered}
	if !o.Origin.Served {
		l.Line, l.Column = at.Position()
	}
	return l
}
