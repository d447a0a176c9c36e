package reach

import (
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// authorizer finds the authorizations that point at one of Linkerd's Servers.
type authorizer struct {
	n      *Network
	server *fact.Object
	ports  portChoice
	doubt  string
}

func (a *authorizer) rules() []rule {
	var list []rule
	for _, o := range a.n.inventory.In(linkerdPolicy, a.server.Namespace) {
		r := rule{path: "spec.requiredAuthenticationRefs", object: o, action: allow, ports: a.ports}
		switch target, doubted := a.targets(o.Root.At("spec", "targetRef"), o.Namespace); {
		case !target:
			continue
		case doubted != "":
			r.narrows = doubted
			r.peers = a.authenticated(o).doubted()
		default:
			r.peers = a.authenticated(o)
		}
		if o.Doubt != "" {
			r.peers = sureOf(a.n.everything()).doubted()
		}
		list = append(list, r)
	}
	for _, o := range a.n.inventory.In(linkerdOldPolicy, a.server.Namespace) {
		ref := o.Root.At("spec", "server")
		if name := ref.Get("name").Str(); name == "" || name != a.server.Name {
			selector := ref.Get("selector")
			if selector.Kind() != document.Map || !fact.Selects(selector, a.server.Labels()) {
				continue
			}
		}
		peers := a.client(o.Root.At("spec", "client"))
		if o.Doubt != "" {
			peers = sureOf(a.n.everything()).doubted()
		}
		list = append(list, rule{path: "spec.client", object: o, action: allow, peers: peers, ports: a.ports})
	}
	return list
}

// targets says whether a policy points at the Server: itself, its namespace, or a route of it, which
// is only a part of what comes there.
func (a *authorizer) targets(ref document.Value, namespace string) (is bool, doubted string) {
	name := ref.Get("name").Str()
	switch ref.Get("kind").Str() {
	case "Server":
		return name == a.server.Name, ""
	case "Namespace":
		return name == fact.Place(a.server.Namespace), ""
	case "HTTPRoute", "GRPCRoute":
		kind := ref.Get("kind").Str()
		for _, group := range []string{linkerdGroup, gatewayGroup} {
			route := a.n.inventory.Find(kind+"."+group, namespace, name)
			if route == nil || ref.Get("group").Str() != "" && ref.Get("group").Str() != group {
				continue
			}
			for _, parent := range route.Root.At("spec", "parentRefs").Items() {
				if parent.Get("kind").Str() == "Server" && parent.Get("name").Str() == a.server.Name {
					return true, "the requests of " + describe(route)
				}
			}
		}
	}
	return false, ""
}

// authenticated is who satisfies all that a policy requires; everybody when it requires nothing.
func (a *authorizer) authenticated(o *fact.Object) some {
	n := a.n
	all := sureOf(n.everything())
	for _, ref := range o.Root.At("spec", "requiredAuthenticationRefs").Items() {
		namespace := ref.Get("namespace").Str()
		if namespace == "" {
			namespace = fact.Place(o.Namespace)
		}
		name := ref.Get("name").Str()
		switch kind := ref.Get("kind").Str(); kind {
		case "ServiceAccount":
			all = all.and(n.identified(accountTrial(namespace, name)).and(n.clients[linkerd]))
		case "MeshTLSAuthentication", "NetworkAuthentication":
			found := n.inventory.Find(kind+"."+linkerdGroup, namespace, name)
			switch {
			case found == nil && n.inventory.Live:
				return newSome(len(n.Endpoints)) // it is refused, and authorizes nobody
			case found == nil:
				all = all.doubted() // it may stand elsewhere
			case found.Doubt != "":
				all = all.doubted()
			case kind == "MeshTLSAuthentication":
				all = all.and(a.meshed(found))
			default:
				all = all.and(a.networks(found.Root.At("spec", "networks")))
			}
		default:
			a.doubt = describe(o) + " requires a " + kind + ", which is not understood"
		}
	}
	return all
}

// meshed is who has one of the identities that a MeshTLSAuthentication names.
func (a *authorizer) meshed(o *fact.Object) some {
	all := newSome(len(a.n.Endpoints))
	eachIdentity(o, func(t trial) { all.merge(a.n.identified(t)) })
	return all.and(a.n.clients[linkerd])
}

// eachIdentity are the questions that a MeshTLSAuthentication asks.
func eachIdentity(o *fact.Object, add func(trial)) {
	for _, v := range o.Root.At("spec", "identities").Items() {
		add(linkerdTrial(v.Str()))
	}
	for _, ref := range o.Root.At("spec", "identityRefs").Items() {
		namespace := ref.Get("namespace").Str()
		if namespace == "" {
			namespace = fact.Place(o.Namespace)
		}
		switch name := ref.Get("name").Str(); ref.Get("kind").Str() {
		case "ServiceAccount":
			add(accountTrial(namespace, name))
		case "Namespace":
			add(namespaceTrial(name))
		}
	}
}

// networks is who has an address in one of the blocks.
func (a *authorizer) networks(list document.Value) some {
	all := newSome(len(a.n.Endpoints))
	for _, v := range list.Items() {
		b, err := linkerdBlock(v)
		if err != nil {
			a.doubt = err.Error()
			continue
		}
		all.merge(a.n.addressPeers(b))
	}
	return all
}

// linkerdBlock reads a network: a CIDR, or one address, without its exceptions.
func linkerdBlock(v document.Value) (block, error) {
	text := v.Get("cidr").Str()
	if text == "" {
		text = v.Str()
	}
	cidr, ok := parseBlock(text)
	b := block{cidr: cidr}
	if !ok {
		return b, errPlain("a network's cidr is none")
	}
	for _, item := range v.Get("except").Items() {
		e, ok := parseBlock(item.Str())
		if !ok {
			return b, errPlain("a network's except is no CIDR")
		}
		b.except = append(b.except, e)
	}
	return b, nil
}

// client is whom a ServerAuthorization lets in. Without networks Linkerd chooses: all addresses, or the cluster's.
func (a *authorizer) client(v document.Value) some {
	n := a.n
	all := newSome(len(n.Endpoints))
	tls := v.Get("meshTLS")
	switch {
	case v.Get("unauthenticated").Bool():
		all = sureOf(n.everything())
	case tls.Get("unauthenticatedTLS").Bool():
		all.merge(n.clients[linkerd])
		all.merge(sureOf(n.everything()).doubted())
	default:
		eachOldTrial(v, a.server.Namespace, func(t trial) { all.merge(n.identified(t)) })
		all = all.and(n.clients[linkerd])
	}
	if networks := v.Get("networks"); networks.Len() > 0 {
		return all.and(a.networks(networks))
	}
	cluster := n.clusterPeers()
	cluster.merge(sureOf(n.everything()).doubted())
	return all.and(cluster)
}

// eachOldTrial are the questions that the client of a ServerAuthorization asks.
func eachOldTrial(client document.Value, own string, add func(trial)) {
	for _, v := range client.At("meshTLS", "identities").Items() {
		add(linkerdTrial(v.Str()))
	}
	for _, v := range client.At("meshTLS", "serviceAccounts").Items() {
		namespace := v.Get("namespace").Str()
		if namespace == "" {
			namespace = fact.Place(own)
		}
		add(accountTrial(namespace, v.Get("name").Str()))
	}
}

// eachLinkerdTrial are the questions that an object of Linkerd asks.
func eachLinkerdTrial(o *fact.Object, add func(trial)) {
	switch o.GroupKind() {
	case meshTLS:
		eachIdentity(o, add)
	case linkerdOldPolicy:
		eachOldTrial(o.Root.At("spec", "client"), o.Namespace, add)
	case linkerdPolicy:
		for _, ref := range o.Root.At("spec", "requiredAuthenticationRefs").Items() {
			namespace := ref.Get("namespace").Str()
			if namespace == "" {
				namespace = fact.Place(o.Namespace)
			}
			if ref.Get("kind").Str() == "ServiceAccount" {
				add(accountTrial(namespace, ref.Get("name").Str()))
			}
		}
	}
}
