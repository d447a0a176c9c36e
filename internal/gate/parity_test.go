package gate_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/gate"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// everyRule enforces all rules wherever a plan can.
const everyRule = "apiVersion: coaming.dev/v1alpha1\nkind: Enforcement\nspec: {mode: enforce, onError: fail}\n"

// exampleCluster is what stands around the object of an example: the other objects of it.
type exampleCluster struct {
	objects []*fact.Object
	ranging map[string]bool // the kinds that rules ask for in all namespaces, which a gate's watch hands on whole
}

func (c *exampleCluster) Among(namespace string) *judge.Among {
	var list []*fact.Object
	for _, o := range c.objects {
		if o.Namespace == "" || o.Namespace == namespace || c.ranging[o.GroupKind()] {
			list = append(list, o)
		}
	}
	return judge.NewAmong(list, nil)
}

func (c *exampleCluster) Labels(string) (map[string]string, bool) { return map[string]string{}, true }

// parity asks a gate and a scan about the same objects.
type parity struct {
	t       *testing.T
	rules   []*rule.Compiled
	asked   []*rule.Compiled // those that a gate asks
	byID    map[string]*rule.Compiled
	cluster *exampleCluster
	gates   map[string]*asked
	counts  map[string]int
}

// asked is a gate for examples of one version and one set of settings.
type asked struct {
	url    string
	client *http.Client
}

// TestGateAgreesWithScan sends every object of every example of the catalogue to a gate over TLS, with the example's other objects as its
// cluster, and demands of every rule that is asked the verdict of a scan of the example. What cannot be sent is counted by its reason.
func TestGateAgreesWithScan(t *testing.T) {
	all, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	p := &parity{t: t, byID: map[string]*rule.Compiled{}, cluster: &exampleCluster{ranging: map[string]bool{}}, gates: map[string]*asked{}, counts: map[string]int{}}
	if p.rules, err = catalog.Compile(all); err != nil {
		t.Fatal(err)
	}
	for _, r := range p.rules {
		p.byID[r.ID] = r
		if why := admission.Unjudged(r); why != "" {
			p.counts["rules not asked: "+why]++
		} else {
			p.counts["rules asked"]++
			p.asked = append(p.asked, r)
			for _, kind := range judge.Everywhere(r) {
				p.cluster.ranging[kind] = true
			}
		}
	}
	for _, r := range p.rules {
		for i, e := range r.Bad {
			p.example(r, fmt.Sprintf("bad %d", i), true, e)
		}
		for i, e := range r.Good {
			p.example(r, fmt.Sprintf("good %d", i), false, e)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(p.counts)) {
		t.Logf("%5d %s", p.counts[what], what)
	}
	if p.counts["verdicts agreed"] < 100_000 || p.counts["faults agreed"] < 2_000 {
		t.Error("that is too little to prove anything")
	}
}

// example sends every object of one example.
func (p *parity) example(r *rule.Compiled, name string, bad bool, e rule.Example) {
	p.t.Helper()
	if r.Match.Fact == "image" || r.Match.Fact == "cluster" {
		p.counts["examples that are no objects: "+r.Match.Fact]++
		return
	}
	var objects []*fact.Object
	for _, v := range e {
		objects = append(objects, stored(p.t, v))
	}
	g := p.gate(r)
	version := r.ExampleVersion
	if version == "" {
		version = catalog.Newest
	}
	found := false
	sent := 0
	meant := false
	for _, o := range objects {
		switch {
		case catalog.Hidden(o.GroupKind()) != "":
			p.counts["objects not sent: "+catalog.Hidden(o.GroupKind())]++
			continue
		case o.Root.At("metadata", "uid").Exists():
			p.counts["objects not sent: the example is as a server holds it, which nobody creates"]++
			continue
		case o.Root.At("metadata", "deletionTimestamp").Exists():
			p.counts["objects not sent: it is being deleted"]++
			continue
		}
		p.cluster.objects = slices.DeleteFunc(slices.Clone(objects), func(other *fact.Object) bool { return other == o })
		said := p.send(g, o)
		scan := p.scan(r, objects, o, version)
		sent++
		if p.system(o) {
			p.counts["objects that the gate leaves alone: they stand in a namespace of the system"]++
			if len(said) > 0 {
				p.t.Errorf("%s, %s: the gate judges what is of the system", r.ID, name)
			}
			sent--
			continue
		}
		for _, one := range p.asked {
			ours, theirs := scan[one.ID], said[one.ID]
			if ours != theirs {
				p.t.Errorf("%s, %s, %s %s: %s: a scan says %q, the gate %q", r.ID, name, o.Kind, o.Name, one.ID, ours, theirs)
			}
			p.counts["verdicts agreed"]++
			if ours != "" {
				p.counts["faults agreed"]++
			}
			found = found || one == r && theirs != ""
			meant = meant || one == r && ours != ""
		}
	}
	switch {
	case admission.Unjudged(r) != "" || sent < len(objects):
	case meant != bad:
		p.counts["examples that mean a manifest, and say otherwise of an object on a server"]++
	case found != bad:
		p.t.Errorf("%s, %s: the gate finds a fault: %t", r.ID, name, found)
	default:
		p.counts["examples judged as they are meant"]++
	}
}

// system says whether nothing holds where an object is.
func (p *parity) system(o *fact.Object) bool {
	name := o.Namespace
	if o.GroupKind() == "Namespace" {
		name = o.Name
	}
	return slices.Contains(enforcement.SystemNamespaces, name)
}

// stored is an object as the API server hands it on: in a namespace where its kind has one.
func stored(t *testing.T, v document.Value) *fact.Object {
	t.Helper()
	o := fact.NewObject(v, &fact.Origin{})
	if o.Namespace != "" || fact.ClusterScoped(o.GroupKind()) {
		return o
	}
	var content map[string]any
	if err := json.Unmarshal(v.AppendJSON(nil), &content); err != nil {
		t.Fatal(err)
	}
	about, _ := content["metadata"].(map[string]any)
	if about == nil {
		about = map[string]any{}
		content["metadata"] = about
	}
	about["namespace"] = "default"
	text, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	doc, bad := document.ParseJSON(string(text))
	if bad != nil {
		t.Fatal(bad.Message)
	}
	return fact.NewObject(doc.Root(), &fact.Origin{})
}

// scan is what a scan of all objects finds of one, by rule: the worst of its verdicts.
func (p *parity) scan(r *rule.Compiled, objects []*fact.Object, about *fact.Object, version string) map[string]string {
	res := judge.Judge(judge.Input{
		Inventory: fact.NewInventory(objects, version, true), Rules: p.asked, Settings: r.Settings, Now: time.Now(), Terse: true,
		About: func(o *fact.Object) bool { return o == about },
	})
	found := map[string]string{}
	for i := range res.Findings {
		f := &res.Findings[i]
		if found[f.Rule] == "" || f.Verdict == verdict.Fail {
			found[f.Rule] = f.Verdict.String()
		}
	}
	return found
}

// send sends an object to be made, and reads what the answer notes of each rule.
func (p *parity) send(g *asked, o *fact.Object) map[string]string {
	p.t.Helper()
	gv, err := schema.ParseGroupVersion(o.APIVersion)
	if err != nil {
		p.t.Fatal(err)
	}
	gvk := gv.WithKind(o.Kind)
	plural, _ := meta.UnsafeGuessKindToResource(gvk)
	review, err := json.Marshal(map[string]any{
		"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": map[string]any{
			"uid":       "7a1d9a4e-0000-4000-8000-000000000001",
			"kind":      map[string]string{"group": gvk.Group, "version": gvk.Version, "kind": gvk.Kind},
			"resource":  map[string]string{"group": plural.Group, "version": plural.Version, "resource": plural.Resource},
			"name":      o.Name,
			"namespace": o.Namespace,
			"operation": "CREATE",
			"userInfo":  map[string]any{"username": "ann"},
			"object":    json.RawMessage(o.Root.AppendJSON(nil)),
		},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, g.url+"/validate", bytes.NewReader(review))
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := g.client.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	var got struct {
		Response struct {
			Allowed          bool
			AuditAnnotations map[string]string
		}
	}
	if err != nil || answer.StatusCode != http.StatusOK || json.Unmarshal(text, &got) != nil {
		p.t.Fatalf("%s %s: %s: %s %v", o.Kind, o.Name, answer.Status, text, err)
	}
	said := map[string]string{}
	for key, note := range got.Response.AuditAnnotations {
		if p.byID[key] == nil {
			p.t.Errorf("%s %s: the gate notes %q: %s", o.Kind, o.Name, key, note)
		}
		said[key] = "unknown"
		if strings.Contains(note, "enforce: fail: ") {
			said[key] = "fail"
		}
	}
	if got.Response.Allowed != (len(said) == 0) {
		p.t.Errorf("%s %s: allowed %t though it notes %v", o.Kind, o.Name, got.Response.Allowed, said)
	}
	return said
}

// gate is a running gate for the version and the settings of a rule's examples.
func (p *parity) gate(r *rule.Compiled) *asked {
	p.t.Helper()
	version := r.ExampleVersion
	if version == "" {
		version = catalog.Newest
	}
	key := fmt.Sprintf("%s %+v", version, r.Settings)
	if g := p.gates[key]; g != nil {
		return g
	}
	plan, err := enforcement.Read("plan.yaml", everyRule)
	if err != nil {
		p.t.Fatal(err)
	}
	desk := admission.New(admission.Options{
		Plan: plan, Rules: p.rules, Settings: r.Settings, Version: version, Surroundings: p.cluster, Now: time.Now, Width: 1,
	})
	certificate, pool := loopbackCertificate(p.t)
	var l net.ListenConfig
	listener, err := l.Listen(p.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	server := gate.New(gate.Options{
		Listener: listener, Certificates: certificate,
		Load: func(context.Context) (*gate.Ruling, error) {
			return &gate.Ruling{Desk: desk, Timeout: 10 * time.Second}, nil
		},
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(p.t.Context()))
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	p.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			p.t.Errorf("the gate ended: %v", err)
		}
	})
	g := &asked{url: "https://" + listener.Addr().String(), client: &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}, ForceAttemptHTTP2: true,
	}}}
	p.gates[key] = g
	p.counts["gates, by version and settings of examples"]++
	return g
}

// lasting is a certificate that does not change.
type lasting struct{ tls.Certificate }

func (l *lasting) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return &l.Certificate, nil
}
func (l *lasting) Ready() error            { return nil }
func (l *lasting) Run(ctx context.Context) { <-ctx.Done() }

func loopbackCertificate(t *testing.T) (*lasting, *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &lasting{tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: private, Leaf: leaf}}, pool
}
