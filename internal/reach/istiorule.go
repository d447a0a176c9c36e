package reach

import (
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// istioReader reads the rules of one AuthorizationPolicy.
type istioReader struct {
	n      *Network
	policy *policy
	action action
}

// clause is what a part of a rule asks for: of the peer, of the port, and whether of HTTP.
type clause struct {
	peers some
	// nameless is the peers where the proxy takes no TLS, and so knows nobody.
	nameless some
	ports    Ports
	named    bool // whether it asks for an identity
	http     bool
}

func (r *istioReader) everything() clause {
	all := sureOf(r.n.everything())
	return clause{peers: all, nameless: all, ports: tcpPorts}
}

func (c clause) and(o clause) clause {
	return clause{c.peers.and(o.peers), c.nameless.and(o.nameless), c.ports.Intersect(o.ports), c.named || o.named, c.http || o.http}
}

// rules are those that one rule comes to: one for every source with every operation.
func (r *istioReader) rules(item document.Value, path string) []rule {
	when := r.everything()
	for i, v := range item.Get("when").Items() {
		when = when.and(r.condition(v.Get("key").Str(), v.Get("values"), v.Get("notValues"), at(path+".when", i)))
	}
	sources := []clause{r.everything()}
	if list := item.Get("from"); list.Len() > 0 {
		sources = nil
		for i, v := range list.Items() {
			sources = append(sources, r.source(v.Get("source"), at(path+".from", i)+".source"))
		}
	}
	operations := []clause{r.everything()}
	if list := item.Get("to"); list.Len() > 0 {
		operations = nil
		for i, v := range list.Items() {
			operations = append(operations, r.operation(v.Get("operation"), at(path+".to", i)+".operation"))
		}
	}
	var clauses []clause
	http := false
	for _, s := range sources {
		for _, o := range operations {
			c := when.and(s).and(o)
			clauses = append(clauses, c)
			http = http || c.http
		}
	}
	var list []rule
	for _, c := range clauses {
		// A rule that allows and reads HTTP anywhere is left out where HTTP is not spoken; one that
		// denies loses what it says of HTTP.
		speaks := anySpeech
		switch {
		case c.http && r.action == allow:
			speaks = onlyHTTP
		case http && r.action == allow:
			speaks = allHTTP
		case c.http:
			speaks = allButHTTP
		}
		list = append(list, r.split(c, speaks, path)...)
	}
	return list
}

// split makes two rules of a clause that asks for an identity, where a proxy of the mesh may know none.
func (r *istioReader) split(c clause, speaks speech, path string) []rule {
	one := rule{path: path, action: r.action, peers: c.peers, ports: portChoice{fixed: c.ports, speaks: speaks}}
	if speaks != anySpeech {
		one.narrows = "the HTTP requests that it names"
	}
	if !c.named || !r.n.plaintext {
		return []rule{one}
	}
	other := one
	one.ports.tls, other.ports.tls, other.peers = withTLS, withoutTLS, c.nameless
	return []rule{one, other}
}

// refuse notes that the API server, or Istio's own check of it, would not take the policy.
func (r *istioReader) refuse(path, fault string) { r.policy.doubt = path + " " + fault }

func (r *istioReader) source(v document.Value, path string) clause {
	c := r.everything()
	if v.Kind() != document.Map {
		r.refuse(path, "is not there")
		return c
	}
	for _, pair := range sourceFields {
		c = c.and(r.condition(pair[0], v.Get(pair[0]), v.Get(pair[1]), path+"."+pair[0]))
	}
	return c
}

// httpOperations are the fields of an operation that only requests of HTTP have.
var httpOperations = []string{"hosts", "notHosts", "methods", "notMethods", "paths", "notPaths"}

func (r *istioReader) operation(v document.Value, path string) clause {
	c := r.condition("ports", v.Get("ports"), v.Get("notPorts"), path+".ports")
	if v.Kind() != document.Map {
		r.refuse(path, "is not there")
	}
	for _, field := range httpOperations {
		c.http = c.http || v.Get(field).Len() > 0
	}
	return c
}

// condition is what a field, or the key of a condition, asks for: one of the values, and none of the others.
func (r *istioReader) condition(key string, values, not document.Value, path string) clause {
	c := r.everything()
	if values.Len()+not.Len() == 0 {
		return c
	}
	switch {
	case key == "ports" || key == "destination.port":
		if values.Len() > 0 {
			c.ports = r.ports(values, path)
		}
		c.ports = c.ports.Minus(r.ports(not, path))
	case key == "ipBlocks" || key == "source.ip":
		if values.Len() > 0 {
			c.peers = r.blocks(values, path)
		}
		c.peers = c.peers.and(r.blocks(not, path).not(r.n.everything()))
		c.nameless = c.peers
	case key == "remoteIpBlocks" || key == "remote.ip" || key == "destination.ip" || key == "connection.sni" || strings.HasPrefix(key, "experimental."):
		c.peers = c.peers.doubted() // what a header or the client's greeting says
		c.nameless = c.peers
	case key == "requestPrincipals" || strings.HasPrefix(key, "request."):
		c.http = true
	case istioTrials(key, values, "") != nil || istioTrials(key, not, "") != nil:
		c.named = true
		if values.Len() > 0 {
			c.peers = r.named(key, values)
			c.nameless = newSome(len(r.n.Endpoints))
		}
		c.peers = c.peers.and(r.named(key, not).not(r.n.everything()))
	default:
		r.refuse(path, "asks for "+strconv.Quote(key)+", which is not known")
	}
	return c
}

// named is the peers whose connections carry an identity that is asked for.
func (r *istioReader) named(key string, values document.Value) some {
	all := newSome(len(r.n.Endpoints))
	for _, t := range istioTrials(key, values, fact.Place(r.policy.object.Namespace)) {
		all.merge(r.n.identified(t))
	}
	return all.and(r.n.clients[istio])
}

func (r *istioReader) blocks(values document.Value, path string) some {
	all := newSome(len(r.n.Endpoints))
	for _, v := range values.Items() {
		p, ok := parseBlock(v.Str())
		if !ok {
			r.refuse(path, "holds what is neither an address nor a CIDR")
			continue
		}
		all.merge(r.n.addressPeers(block{cidr: p}))
	}
	return all
}

func (r *istioReader) ports(values document.Value, path string) Ports {
	var ports Ports
	for _, v := range values.Items() {
		number, err := strconv.Atoi(v.Text())
		if err != nil || number < 0 || number > lastPort {
			r.refuse(path, "holds what is no port")
			continue
		}
		ports = ports.Union(PortRange(TCP, number, number))
	}
	return ports
}

// readsHTTP says whether a rule of a policy asks for anything that only requests of HTTP have.
func readsHTTP(o *fact.Object) bool {
	for _, r := range o.Root.At("spec", "rules").Items() {
		for _, f := range r.Get("from").Items() {
			if v := f.Get("source"); v.Get("requestPrincipals").Len()+v.Get("notRequestPrincipals").Len() > 0 {
				return true
			}
		}
		for _, t := range r.Get("to").Items() {
			for _, field := range httpOperations {
				if t.At("operation", field).Len() > 0 {
					return true
				}
			}
		}
		for _, w := range r.Get("when").Items() {
			if strings.HasPrefix(w.Get("key").Str(), "request.") {
				return true
			}
		}
	}
	return false
}
