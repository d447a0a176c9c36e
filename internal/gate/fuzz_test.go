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

// Of the rules that FuzzVerdict asks those that match one of these fail closed, the others open.
const differing = `  mode: enforce
  rules: [{severity: high, mode: enforce, onError: fail}]
`

// alone are the rules that judge an object by itself.
func alone() []*rule.Compiled {
	return slices.DeleteFunc(slices.Clone(compiled()), func(r *rule.Compiled) bool { return admission.Unjudged(r) != "" || len(judge.Around(r)) > 0 })
}

// FuzzVerdict sends any object in a sound review, as the API server makes them of what people send, and judges it directly, too: at each
// of the gate's paths it is let in exactly where no enforced rule fails, and none that fails closed is unknown.
func FuzzVerdict(f *testing.F) {
	rules := alone()
	r := ruling(f, differing, nil, func(o *admission.Options) { o.Rules = rules })
	plan := r.Desk.Plan
	g := New(Options{Certificates: newCertificate(f), Load: func(context.Context) (*Ruling, error) { return r, nil }})
	if err := g.load(f.Context()); err != nil {
		f.Fatal(err)
	}
	handler := g.handler()
	whole, err := catalog.Rules()
	if err != nil {
		f.Fatal(err)
	}
	for i, r := range whole {
		for _, e := range slices.Concat(r.Bad, r.Good) {
			f.Add(e[0].AppendJSON(nil), []byte(nil), "shop", byte(i))
		}
	}
	f.Add([]byte(`{"apiVersion":"v1","kind":"Pod","spec":`+privileged+`}`), []byte(`{"apiVersion":"v1","kind":"Pod","spec":`+plain+`}`), "shop", byte(0))
	f.Fuzz(func(t *testing.T, object, old []byte, namespace string, path byte) {
		o := &struct{ APIVersion, Kind string }{}
		if json.Unmarshal(object, o) != nil || o.Kind == "" {
			return
		}
		class := []string{"", "/ignore", "/fail"}[path%3]
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
			return // the old object is none
		}
		answer := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/validate"+class, bytes.NewReader(body))
		answer.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, answer)
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
		if got.Response.AuditAnnotations["unfinished"] != "" {
			if got.Response.Allowed && class != "/ignore" {
				t.Fatalf("what was not judged to its end is let in: %s", body)
			}
			return
		}
		refused := func(text []byte) string {
			at := enforcement.Place{Namespace: namespace, LabelsKnown: true}
			for id, v := range scanned(text, namespace, rules) {
				r := rules[slices.IndexFunc(rules, func(r *rule.Compiled) bool { return r.ID == id })]
				s := plan.Of(r.Rule, at)
				if (class == "" || s.Fail == (class == "/fail")) && (v == verdict.Fail || v == verdict.Unknown && s.Fail) {
					return id
				}
			}
			return ""
		}
		if o.Kind == "Namespace" && group == "" {
			return // it is a place itself
		}
		why := refused(object)
		switch {
		case slices.Contains(enforcement.SystemNamespaces, namespace):
			if !got.Response.Allowed {
				t.Fatalf("the system's is refused: %s", body)
			}
		case len(old) == 0 && got.Response.Allowed != (why == ""):
			t.Fatalf("allowed %t, though a scan says %q of %s", got.Response.Allowed, why, body)
		case len(old) > 0 && !got.Response.Allowed && why == "":
			t.Fatalf("refused, though a scan says nothing of %s", body)
		case len(old) > 0 && got.Response.Allowed && why != "" && refused(old) == "" && !bytes.Contains(old, []byte("deletionTimestamp")):
			t.Fatalf("let in, though it is worse than before by %q: %s", why, body)
		}
	})
}
