package gate

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// FuzzReview sends anything at all to the handler: the answer is a review of the same uid, or a 4xx, and what is refused by the
// rules of a scan is not let in.
func FuzzReview(f *testing.F) {
	g := New(Options{Certificates: newCertificate(f), Load: func(context.Context) (*Ruling, error) { return ruling(f, enforcing, nil), nil }})
	if err := g.load(f.Context()); err != nil {
		f.Fatal(err)
	}
	handler := g.handler()
	f.Add([]byte(reviewOf(privileged)), "")
	f.Add([]byte(reviewOf(plain)), "/fail")
	f.Add([]byte(strings.Replace(reviewOf(privileged), "CREATE", "UPDATE", 1)), "/ignore")
	f.Add([]byte(strings.Replace(reviewOf(privileged), `"request":{`, `"request":{"oldObject":{"apiVersion":"v1","kind":"Pod","metadata":{"deletionTimestamp":"x"}},`, 1)), "")
	f.Add([]byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"DELETE"}}`), "")
	f.Add([]byte(reviewOf(`{"containers":{"a":[]},"initContainers":null}`)), "")
	f.Fuzz(func(t *testing.T, body []byte, path string) {
		if path != "/fail" && path != "/ignore" {
			path = ""
		}
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/validate"+path, bytes.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, request)
		if w.Code >= 400 && w.Code < 500 {
			return
		}
		var sent, got struct {
			APIVersion, Kind string
			Request          struct {
				UID, Operation, Namespace, SubResource string
				Kind                                   struct{ Kind, Group string }
				Object                                 json.RawMessage
			}
			Response struct {
				UID     string
				Allowed *bool
				Status  struct{ Message string }
			}
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); w.Code != 200 || err != nil || got.Response.Allowed == nil || got.Kind != "AdmissionReview" {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if json.Unmarshal(body, &sent) != nil {
			return // what the standard library reads otherwise
		}
		if sent.Request.UID != got.Response.UID || !*got.Response.Allowed && got.Response.Status.Message == "" {
			t.Fatalf("the answer is %s", w.Body)
		}
		if *got.Response.Allowed && path != "/fail" && sent.Request.Operation == "CREATE" && sent.Request.SubResource != "status" && !slices.Contains(enforcement.SystemNamespaces, sent.Request.Namespace) &&
			sent.Request.Kind.Kind == "Pod" && scanned(sent.Request.Object, sent.Request.Namespace, compiled())["privileged-container"] == verdict.Fail {
			t.Fatalf("let in: %s", body)
		}
	})
}

// scanned is what a scan of an object alone finds, by rule: the worst of its verdicts; nil for what is no object.
func scanned(object []byte, namespace string, rules []*rule.Compiled) map[string]verdict.Verdict {
	doc, bad := document.ParseJSON(string(object))
	if bad != nil {
		return nil
	}
	o := fact.NewObject(doc.Root(), &fact.Origin{Source: "files", File: "f", Served: true})
	if o.Namespace = namespace; o.GroupKind() == "Namespace" {
		o.Namespace = ""
	}
	found := map[string]verdict.Verdict{}
	for _, f := range judge.Judge(judge.Input{Inventory: fact.NewInventory([]*fact.Object{o}, catalog.Newest, true), Rules: rules, Now: now}).Findings {
		if found[f.Rule] != verdict.Fail {
			found[f.Rule] = f.Verdict
		}
	}
	return found
}

// alone are the rules that judge an object by itself.
func alone() []*rule.Compiled {
	return slices.DeleteFunc(slices.Clone(compiled()), func(r *rule.Compiled) bool { return admission.Unjudged(r) != "" || len(judge.Around(r)) > 0 })
}

// oneRule are gates that enforce a single rule each, so that no other's refusal hides what it lets in; those of every other choice
// fail closed.
type oneRule struct {
	*Gate
	rules   []*rule.Compiled
	handler http.Handler
	made    map[uint16]*Ruling
}

func newOneRule(f *testing.F) *oneRule {
	f.Helper()
	g := New(Options{Certificates: newCertificate(f)})
	return &oneRule{Gate: g, rules: alone(), handler: g.handler(), made: map[uint16]*Ruling{}}
}

// choose has the gate enforce one rule.
func (g *oneRule) choose(t testing.TB, choice uint16) (r *rule.Compiled, closed bool) {
	t.Helper()
	r, closed = g.rules[int(choice/2)%len(g.rules)], choice%2 == 1
	if g.made[choice] == nil {
		onError := map[bool]string{true: "fail", false: "ignore"}[closed]
		g.made[choice] = ruling(t, "  mode: enforce\n  onError: "+onError+"\n", nil, func(o *admission.Options) { o.Rules = []*rule.Compiled{r} })
	}
	g.current.Store(g.made[choice])
	return r, closed
}

// FuzzVerdict sends any object in a sound review, as the API server makes them of what people send, to a gate that enforces one rule, and
// judges it directly, too: at each of the gate's paths it is let in exactly where the rule does not fail, and is not unknown where it
// fails closed; and an update exactly where it is no worse.
func FuzzVerdict(f *testing.F) {
	g := newOneRule(f)
	whole, err := catalog.Rules()
	if err != nil {
		f.Fatal(err)
	}
	for _, r := range whole {
		i := slices.IndexFunc(g.rules, func(one *rule.Compiled) bool { return one.ID == r.ID })
		if i < 0 {
			continue
		}
		for _, e := range slices.Concat(r.Bad, r.Good) {
			f.Add(e[0].AppendJSON(nil), []byte(nil), "shop", uint16(2*i+1), byte(0))
		}
		f.Add(r.Bad[0][0].AppendJSON(nil), r.Good[0][0].AppendJSON(nil), "shop", uint16(2*i), byte(1))
	}
	f.Fuzz(func(t *testing.T, object, old []byte, namespace string, choice uint16, path byte) {
		body, kind := soundReview(object, old, namespace)
		if body == nil || kind == "Namespace" { // which is a place itself
			return
		}
		r, closed := g.choose(t, choice)
		class := []string{"", "/ignore", "/fail"}[path%3]
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/validate"+class, bytes.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		g.handler.ServeHTTP(w, request)
		if w.Code == http.StatusBadRequest {
			return // it says a thing twice, or is not of the kind that the request is about
		}
		var got struct {
			Response struct {
				Allowed          bool
				AuditAnnotations map[string]string
			}
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		allowed := got.Response.Allowed
		if got.Response.AuditAnnotations["unfinished"] != "" {
			if allowed && closed && class != "/ignore" {
				t.Fatalf("what was not judged to its end is let in: %s", body)
			}
			return
		}
		bad := func(text []byte) bool {
			v, found := scanned(text, namespace, []*rule.Compiled{r})[r.ID]
			return found && (v == verdict.Fail || v == verdict.Unknown && closed)
		}
		asked := !slices.Contains(enforcement.SystemNamespaces, namespace) && (class == "" || closed == (class == "/fail"))
		switch {
		case !asked || !bad(object):
			if !allowed {
				t.Fatalf("refused by %s, though a scan says nothing of %s", r.ID, body)
			}
		case len(old) == 0 || !bad(old) && !bytes.Contains(old, []byte("deletionTimestamp")):
			if allowed {
				t.Fatalf("let in, though a scan says %s of %s", r.ID, body)
			}
		}
	})
}

// soundReview is a review of what somebody wants to make, or to change; nil where an API server would make none.
func soundReview(object, old []byte, namespace string) (body []byte, kind string) {
	o := &struct{ APIVersion, Kind string }{}
	if json.Unmarshal(object, o) != nil || o.Kind == "" {
		return nil, ""
	}
	group, version, found := strings.Cut(o.APIVersion, "/")
	if !found {
		group, version = "", o.APIVersion
	}
	request := map[string]any{
		"uid": "u", "operation": "CREATE", "namespace": namespace, "kind": map[string]string{"group": group, "version": version, "kind": o.Kind}, "object": json.RawMessage(object),
	}
	if len(old) > 0 {
		request["operation"], request["oldObject"] = "UPDATE", json.RawMessage(old)
	}
	body, err := json.Marshal(map[string]any{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
	if err != nil {
		return nil, "" // the old object is none
	}
	return body, o.Kind
}
