package rbac

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// Identity is who asks: a name and groups, as the API server's authentication gives them to a request.
type Identity struct {
	// User is the user name; "" when only a group is asked about.
	User   string
	Groups []string
	// Namespace and Account are set of a service account.
	Namespace, Account string
	// Via says by what link a cloud identity came to be this one; "" for none.
	Via string
}

// The groups and names that the API server gives by itself
// (k8s.io/apiserver pkg/authentication/user and pkg/authentication/serviceaccount).
const (
	authenticated   = "system:authenticated"
	unauthenticated = "system:unauthenticated"
	anonymous       = "system:anonymous"
	masters         = "system:masters"
	nodes           = "system:nodes"
	nodePrefix      = "system:node:"
	accountPrefix   = "system:serviceaccount:"
	accountGroup    = "system:serviceaccounts"
)

// Account is the identity of a service account.
func Account(namespace, name string) Identity {
	namespace = fact.Place(namespace)
	return Identity{
		User: accountName(namespace, name), Groups: []string{accountGroup, accountGroup + ":" + namespace, authenticated},
		Namespace: namespace, Account: name,
	}
}

func accountName(namespace, name string) string { return accountPrefix + namespace + ":" + name }

// User is the identity of a user of that name and of groups that somebody else says it is in. The
// groups that the API server adds by itself are added.
func User(name string, groups ...string) Identity {
	if rest, found := strings.CutPrefix(name, accountPrefix); found {
		if namespace, account, found := strings.Cut(rest, ":"); found && !strings.Contains(account, ":") {
			id := Account(namespace, account)
			id.Groups = join(id.Groups, groups)
			return id
		}
	}
	id := Identity{User: name, Groups: slices.Clone(groups)}
	switch {
	case name == anonymous:
		id.Groups = join(id.Groups, []string{unauthenticated})
	case strings.HasPrefix(name, nodePrefix):
		id.Groups = join(id.Groups, []string{nodes, authenticated})
	case !slices.Contains(id.Groups, unauthenticated):
		id.Groups = join(id.Groups, []string{authenticated})
	}
	return id
}

// Group is what being in a group gives, whoever is in it.
func Group(name string) Identity {
	id := Identity{Groups: []string{name}}
	if strings.HasPrefix(name, accountGroup+":") {
		id.Groups = append(id.Groups, accountGroup)
	}
	if name != unauthenticated {
		id.Groups = join(id.Groups, []string{authenticated})
	}
	return id
}

func join(list, more []string) []string {
	for _, s := range more {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// String is the identity as people name it.
func (id *Identity) String() string {
	switch {
	case id.Account != "":
		return "ServiceAccount " + id.Namespace + "/" + id.Account
	case id.User != "":
		return "User " + id.User
	case len(id.Groups) > 0:
		return "Group " + id.Groups[0]
	}
	return "nobody"
}

func (id *Identity) in(group string) bool { return slices.Contains(id.Groups, group) }

// IsNode says whether the Node authorizer, too, has a say on what it may do
// (k8s.io/kubernetes pkg/auth/nodeidentifier).
func (id *Identity) IsNode() bool { return strings.HasPrefix(id.User, nodePrefix) && id.in(nodes) }

// IsMaster says whether the API server lets it do anything before any authorizer is asked.
func (id *Identity) IsMaster() bool { return id.in(masters) }

// ParseIdentity reads who is meant: "sa:NAMESPACE/NAME", "system:serviceaccount:NAMESPACE:NAME",
// "user:NAME", "group:NAME", "anonymous", or a user's name as it is. A service account without a
// namespace, "sa:NAME", is of the one given, or of default.
func ParseIdentity(text, namespace string, groups []string) (Identity, error) {
	kind, rest, found := strings.Cut(text, ":")
	if !found {
		kind = ""
	}
	switch strings.ToLower(kind) {
	case "sa", "serviceaccount":
		if before, after, found := strings.Cut(rest, "/"); found {
			namespace, rest = before, after
		}
		if rest == "" || strings.ContainsAny(rest, ":/") || strings.ContainsAny(namespace, ":/") {
			return Identity{}, fmt.Errorf("%q names no service account: write sa:NAMESPACE/NAME", text)
		}
		return User(accountName(fact.Place(namespace), rest), groups...), nil
	case "user":
		if rest == "" {
			return Identity{}, fmt.Errorf("%q names no user: write user:NAME", text)
		}
		return User(rest, groups...), nil
	case "group":
		if rest == "" {
			return Identity{}, fmt.Errorf("%q names no group: write group:NAME", text)
		}
		id := Group(rest)
		id.Groups = join(id.Groups, groups)
		return id, nil
	}
	switch text {
	case "":
		return Identity{}, errors.New("nobody is named: write user:NAME, group:NAME or sa:NAMESPACE/NAME")
	case "anonymous":
		return User(anonymous, groups...), nil
	}
	return User(text, groups...), nil
}
