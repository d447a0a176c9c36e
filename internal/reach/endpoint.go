package reach

import (
	"encoding/binary"
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"sort"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// Kind is what an endpoint is.
type Kind uint8

// The kinds. Node is the node that the pod at the other end runs on, Nodes all others.
const (
	Pods Kind = iota
	Node
	Nodes
	Addresses
)

// Endpoint is a class of what talks: pods, nodes or addresses that no policy tells apart.
type Endpoint struct {
	// Kind is what it is; all that follows is of one kind alone.
	Kind Kind
	// Workloads are the pods of the class; none for other kinds.
	Workloads []*fact.Workload
	// Blocks are its addresses, when it is of those.
	Blocks []netip.Prefix
	// Rest is set for the addresses that no policy names; Public for those of the internet.
	Rest   bool
	Public bool
	// HostNetwork is set for pods that are on their node's network.
	HostNetwork bool

	namespace *namespace
	named     map[namedPort]Ports
	open      bool // what its pods are is not known in full: others fill in the template
	ips       []netip.Prefix
	account   string
	mesh      mesh
	cilium    document.Value // its labels as Cilium sees them, made when first asked for
}

// labels are those of the class's pods, as far as policies read them.
func (e *Endpoint) labels() document.Value { return e.Workloads[0].Labels() }

// namespace is one or several namespaces that no policy tells apart.
type namespace struct {
	name   string // of the first
	labels document.Value
	object *fact.Object // nil when it was not read
	known  bool         // whether its labels were
	pods   Set
}

// label is one of a pod.
type label struct{ key, value string }

// nameLabel is the label that the API server gives every namespace.
const nameLabel = "kubernetes.io/metadata.name"

// words are the labels that policies read: the values that they name, by key.
type words struct {
	values   map[string]map[string]bool
	whole    map[string]bool // keys of which any value may matter
	ports    map[string]bool // names of ports
	own      map[string]bool // namespaces in which policies stand
	listing  map[string]bool // namespaces with services that list their pods by name
	accounts bool            // whether service accounts matter
	trials   map[string][]trial
	tried    map[identity]string
}

// wordsOf collects them from all selectors that stand anywhere in the policies, and from the
// selectors of services.
func (n *Network) wordsOf(objects []*fact.Object) *words {
	w := &words{values: map[string]map[string]bool{}, whole: map[string]bool{}, ports: map[string]bool{}, own: map[string]bool{}, listing: map[string]bool{}, tried: map[identity]string{}}
	w.addTrials(objects)
	if n.meshes[istio] {
		for _, key := range []string{istioInjection, istioRevision, istioDataplane, istioWaypoint} {
			w.whole[key] = true
		}
	}
	for _, o := range objects {
		w.own[fact.Place(o.Namespace)] = true
		w.collect(o.Root.Get("spec"))
		w.collect(o.Root.Get("specs"))
		if o.GroupKind() != networkPolicy && o.Group() != adminGroup && !isMeshKind(o.GroupKind()) {
			w.accounts = true
		}
	}
	for _, o := range n.inventory.OfKind("Service") {
		if exposed(o) || n.behindRoute(o) {
			w.own[fact.Place(o.Namespace)] = true
			if lists(o) {
				w.listing[fact.Place(o.Namespace)] = true
			}
			for key, v := range o.Root.At("spec", "selector").Fields() {
				w.value(key, v.Str())
			}
			for _, p := range o.Root.At("spec", "ports").Items() {
				w.ports[p.Get("targetPort").Str()] = true
			}
		}
	}
	return w
}

func (w *words) value(key, value string) {
	key = strings.TrimPrefix(withoutSource(key), namespaceLabels)
	if key == ciliumNamespace {
		w.own[value] = true
	}
	if w.values[key] == nil {
		w.values[key] = map[string]bool{}
	}
	w.values[key][value] = true
}

// namespaceLabels is what Cilium writes before the keys of a namespace's labels.
const namespaceLabels = "io.cilium.k8s.namespace.labels."

func (w *words) collect(v document.Value) {
	switch v.Kind() { //nolint:exhaustive // of the others there is nothing to do
	case document.Map:
		for key, entry := range v.Fields() {
			switch {
			case key == "matchLabels" && entry.Kind() == document.Map:
				for k, value := range entry.Fields() {
					w.value(k, value.Str())
				}
			case key == "matchExpressions" && entry.Kind() == document.List:
				for _, e := range entry.Items() {
					k := e.Get("key").Str()
					w.value(k, "")
					for _, value := range e.Get("values").Items() {
						w.value(k, value.Str())
					}
				}
			case entry.Kind() == document.String && strings.HasSuffix(strings.ToLower(key), "selector"):
				for _, k := range selectorKeys(entry.Str()) {
					k = strings.TrimPrefix(k, "pcns.")
					if strings.HasPrefix(k, "projectcalico.org/") {
						k = nameLabel
					}
					w.whole[k] = true
				}
			default:
				if strings.Contains(strings.ToLower(key), "port") && entry.Kind() == document.String {
					w.ports[entry.Str()] = true
				}
				w.collect(entry)
			}
		}
	case document.List:
		for _, item := range v.Items() {
			if item.Kind() == document.String {
				w.ports[item.Str()] = true
			}
			w.collect(item)
		}
	}
}

// project writes what of the labels the policies can see: a value that none of them names is as
// good as any other.
func (w *words) project(b []byte, labels document.Value) []byte {
	type pair struct{ key, value string }
	var seen []pair
	for key, v := range labels.Fields() {
		values, named := w.values[key]
		switch {
		case w.whole[key] || values[v.Str()]:
			seen = append(seen, pair{key, "=" + v.Kind().String() + v.Text()})
		case named:
			seen = append(seen, pair{key, "*" + v.Kind().String()})
		}
	}
	slices.SortFunc(seen, func(a, b pair) int { return strings.Compare(a.key, b.key) })
	for _, p := range seen {
		b = append(append(append(append(b, p.key...), 0), p.value...), 0)
	}
	return b
}

// findNamespaces makes the namespaces that workloads and policies stand in.
func (n *Network) findNamespaces(w *words, gaps []verdict.Gap) {
	for i := range gaps {
		if gaps[i].Namespace != "" {
			w.own[gaps[i].Namespace] = true
		}
	}
	classes := map[string]*namespace{}
	add := func(name string) {
		if n.byName[name] != nil {
			return
		}
		ns := &namespace{name: name}
		object := n.inventory.Find("Namespace", "", name)
		ns.object, ns.known = object, object != nil && object.Doubt == ""
		var labels document.Value
		if object != nil {
			labels = object.Labels()
		}
		ns.labels = withLabel(labels, nameLabel, name)
		key := name
		if !w.own[name] {
			key = string(appendAnnotations(w.project([]byte{0, boolByte(ns.known)}, ns.labels), object))
		}
		if classes[key] == nil {
			classes[key] = ns
			n.namespaces = append(n.namespaces, ns)
		}
		n.byName[name] = classes[key]
	}
	for _, o := range n.inventory.Workloads {
		add(fact.Place(o.Object.Namespace))
	}
	for _, o := range n.inventory.OfKind("Namespace") {
		add(o.Name)
	}
	for name := range w.own {
		add(name)
	}
}

// appendAnnotations appends the annotations of a namespace that meshes read.
func appendAnnotations(b []byte, o *fact.Object) []byte {
	for key, v := range annotationsOf(o).Fields() {
		if strings.Contains(key, "linkerd.io/") {
			b = append(append(append(append(b, key...), '='), v.Text()...), 0)
		}
	}
	return b
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// withLabel is labels with one that is always there.
func withLabel(labels document.Value, key, value string) document.Value {
	raw := append(appendJSONString([]byte("{"), key), ':')
	raw = appendJSONString(raw, value)
	for k, v := range labels.Fields() {
		if k != key {
			raw = append(appendJSONString(append(raw, ','), k), ':')
			raw = v.AppendJSON(raw)
		}
	}
	doc, err := document.ParseJSON(string(append(raw, '}')))
	if err != nil {
		return labels
	}
	return doc.Root()
}

// findPods makes the classes of pods.
func (n *Network) findPods(w *words) {
	index := map[string]int{}
	for _, workload := range n.inventory.Workloads {
		ns := n.byName[fact.Place(workload.Object.Namespace)]
		e := &Endpoint{namespace: ns, open: workload.Leaves != fact.Nothing || workload.Doubt() != "", account: workload.ServiceAccount()}
		e.HostNetwork = workload.Spec.Get("hostNetwork").Bool()
		e.named = namedPorts(workload, w)
		e.ips = podAddresses(workload)
		var meshes []byte
		if n.meshes[istio] || n.meshes[linkerd] {
			e.mesh = n.meshOf(workload, ns, e.open)
			meshes = append(append([]byte(e.mesh.key()), 0), w.trialKey(e.mesh.identity)...)
		}
		b := append([]byte(ns.name), 0, boolByte(e.open), boolByte(e.HostNetwork))
		if e.open || generates(workload) {
			b = append(b, workload.Object.Kind...)
		}
		if w.listing[fact.Place(workload.Object.Namespace)] {
			b = append(append(append(b, workload.Object.Kind...), '/'), workload.Object.Name...)
		}
		if w.accounts {
			b = append(append(b, 1), e.account...)
		}
		b = append(w.project(append(b, 0), workload.Labels()), 0)
		b = appendNamed(b, e.named)
		b = appendHostPorts(b, workload)
		b = append(append(b, 0), meshes...)
		b = binary.AppendUvarint(b, uint64(len(e.ips)))
		for _, ip := range e.ips { // of one class are those that lie in the same blocks
			b = binary.AppendUvarint(b, uint64(n.partOf(ip.Addr())))
		}
		i, known := index[string(b)]
		if !known {
			i = len(n.Endpoints)
			index[string(b)] = i
			n.Endpoints = append(n.Endpoints, e)
		}
		n.Endpoints[i].Workloads = append(n.Endpoints[i].Workloads, workload)
		n.byWorkload[workload] = i
	}
}

// podAddresses are those of a lone pod that runs.
func podAddresses(w *fact.Workload) []netip.Prefix {
	if w.Object.GroupKind() != "Pod" {
		return nil
	}
	var list []netip.Prefix
	for _, v := range w.Object.Root.At("status", "podIPs").Items() {
		if p, ok := parseBlock(v.Get("ip").Str()); ok {
			list = append(list, p)
		}
	}
	if p, ok := parseBlock(w.Object.Root.At("status", "podIP").Str()); ok && len(list) == 0 {
		list = append(list, p)
	}
	return list
}

// namedPorts are the ports of a pod that policies name, or all that have a name (containers and restartable init
// containers, as k8s.io/kubernetes pkg/api/v1/pod FindPort).
func namedPorts(w *fact.Workload, known *words) map[namedPort]Ports {
	var named map[namedPort]Ports
	for i := range w.Containers {
		c := &w.Containers[i]
		if c.Role != fact.App && c.Role != fact.Sidecar {
			continue
		}
		for _, v := range c.Value.Get("ports").Items() {
			name := v.Get("name").Str()
			p, ok := ParseProtocol(v.Get("protocol").Str())
			number, isInt := v.Get("containerPort").Int()
			if name == "" || known != nil && !known.ports[name] || !ok || !isInt {
				continue
			}
			if named == nil {
				named = map[namedPort]Ports{}
			}
			key := namedPort{name, p}
			named[key] = named[key].Union(PortRange(p, int(number), int(number)))
		}
	}
	return named
}

func appendNamed(b []byte, named map[namedPort]Ports) []byte {
	var list []string
	for key, ports := range named {
		list = append(list, key.name+"/"+key.protocol.String()+"="+ports.key())
	}
	slices.Sort(list)
	return append(b, strings.Join(list, ";")...)
}

// generated are the labels that controllers give the pods that they make, beside those of the template.
var generated = []string{
	"pod-template-hash", "controller-revision-hash", "pod-template-generation", "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index",
	"job-name", "controller-uid", "batch.kubernetes.io/job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-completion-index",
}

func generates(w *fact.Workload) bool { return w.Object.GroupKind() != "Pod" }

// openLabel says whether a pod of the class may have a label of that key that its template has not.
func (e *Endpoint) openLabel(key string) bool {
	return e.open || generates(e.Workloads[0]) && slices.Contains(generated, key)
}

// findParts cuts all addresses at the borders of the blocks that the policies name.
func (n *Network) findParts(objects []*fact.Object) {
	found := map[netip.Prefix]bool{}
	for _, o := range objects {
		blocksIn(o.Root.Get("spec"), found)
		blocksIn(o.Root.Get("specs"), found)
	}
	for _, o := range n.inventory.OfKind("Service") {
		if exposed(o) {
			for _, p := range serviceClientele(o).blocks {
				found[p] = true
			}
		}
	}
	for i := range n.backends {
		for _, p := range n.backends[i].clientele.blocks {
			found[p] = true
		}
	}
	for _, p := range n.linkerd.networks {
		found[p] = true
	}
	for p := range found {
		if p.Bits() == 0 {
			delete(found, p) // it cuts nothing
		}
	}
	parts, rest := partition(found)
	n.rest = len(parts)
	for i, s := range parts {
		n.parts = append(n.parts, part{s, i})
	}
	for kind, spans := range rest {
		for _, s := range spans {
			n.parts = append(n.parts, part{s, n.rest + kind})
		}
	}
	slices.SortFunc(n.parts, func(a, b part) int { return a.span.first.Compare(b.span.first) })
}

// partOf is the class of an address, by its place in the order of the parts.
func (n *Network) partOf(a netip.Addr) int {
	i := sort.Search(len(n.parts), func(i int) bool { return a.Less(n.parts[i].span.first) })
	return n.parts[i-1].endpoint
}

// findAddresses makes the classes of nodes, and of addresses from the parts.
func (n *Network) findAddresses() {
	n.node = len(n.Endpoints)
	n.nodes = n.node + 1
	n.Endpoints = append(n.Endpoints, &Endpoint{Kind: Node}, &Endpoint{Kind: Nodes})
	spans := map[int][]addresses{}
	for _, p := range n.parts {
		spans[p.endpoint] = append(spans[p.endpoint], p.span)
	}
	at := map[int]int{}
	for _, class := range slices.Sorted(maps.Keys(spans)) {
		at[class] = len(n.Endpoints)
		list := spans[class]
		n.Endpoints = append(n.Endpoints, &Endpoint{Kind: Addresses, Blocks: blocks(list), Rest: class >= n.rest, Public: isPublic(list[0].first)})
	}
	for i := range n.parts {
		n.parts[i].endpoint = at[n.parts[i].endpoint]
	}
}

// index makes the sets by which selectors find endpoints.
func (n *Network) index() {
	size := len(n.Endpoints)
	n.pods, n.hosts, n.outside, n.all = newSet(size), newSet(size), newSet(size), newSet(size)
	for _, ns := range n.namespaces {
		ns.pods = newSet(size)
	}
	for i, e := range n.Endpoints {
		n.all.add(i)
		switch e.Kind { //nolint:exhaustive // of the others there is nothing to do
		case Pods:
			n.pods.add(i)
			e.namespace.pods.add(i)
			if e.HostNetwork {
				n.hosts.add(i)
			}
			n.indexLabels(i, e)
		case Addresses:
			n.outside.add(i)
		}
	}
	n.plain, n.around = n.pods.minus(n.hosts), n.all.minus(n.pods)
}

// indexLabels lists the pods of which not all labels are known, those that controllers label, and all
// pods by their labels.
func (n *Network) indexLabels(i int, e *Endpoint) {
	switch {
	case e.open:
		n.openPods = append(n.openPods, i)
	case generates(e.Workloads[0]):
		n.madePods = append(n.madePods, i)
	}
	for key, v := range e.labels().Fields() {
		l := label{key, v.Str()}
		n.byLabel[l] = append(n.byLabel[l], i)
	}
}

// appendJSONString appends a JSON string.
func appendJSONString(b []byte, s string) []byte {
	raw, err := json.Marshal(s)
	if err != nil {
		return append(b, `""`...)
	}
	return append(b, raw...)
}
