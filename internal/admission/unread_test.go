package admission_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/verdict"
)

const (
	onlyPrivileged = "  mode: off\n  rules: [{rules: [privileged-container], mode: enforce}]\n"
	alsoAudited    = "  mode: audit\n  rules: [{rules: [privileged-container], mode: enforce}]\n"
)

// deep is a value of that many levels, its entries as managedFields have them.
func deep(levels int) string {
	return strings.Repeat(`{"f:x":`, levels) + "{}" + strings.Repeat("}", levels)
}

// asServed is a review in the order in which the API server writes one.
func asServed(operation, namespace, kind, object, old string) string {
	group, version, name := "", "v1", kind
	if before, after, found := strings.Cut(kind, "."); found {
		name, group = before, after
	}
	text := fmt.Sprintf(`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u-1","kind":{"group":%q,"version":%q,"kind":%q},"name":"a","namespace":%q,"operation":%q,"userInfo":{},"object":%s`,
		group, version, name, namespace, operation, object)
	if old != "" {
		text += `,"oldObject":` + old
	}
	return text + `,"dryRun":false,"options":null}}`
}

func podWith(metadata, spec string) string {
	return `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"shop"` + metadata + `},"spec":` + spec + `}`
}

const (
	plainSpec      = `{"containers":[{"name":"app","image":"a:1"}]}`
	privilegedSpec = `{"containers":[{"name":"app","image":"a:1","securityContext":{"privileged":true}}]}`
)

func managed(fields string) string {
	return `,"managedFields":[{"manager":"m","operation":"Update","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":` + fields + `}]`
}

func containers(n int, last string) string {
	var list strings.Builder
	for i := range n {
		fmt.Fprintf(&list, `{"name":"c%d","image":"a:latest"},`, i)
	}
	return `{"containers":[` + list.String() + last + `]}`
}

// TestOwnDoing demands that nobody comes past an enforced rule by what is hard to read or to judge, and that who does nothing of the kind
// is let in.
func TestOwnDoing(t *testing.T) {
	rollout := func(x string) string {
		return `{"kind":"Rollout","apiVersion":"argoproj.io/v1","metadata":{"name":"a"},"spec":{"x":` + x + `,"template":{"spec":` + privilegedSpec + `}}}`
	}
	const last = `{"name":"last","image":"a","securityContext":{"privileged":true}}`
	role := `{"kind":"Role","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":"a"},"x":` + deep(900) + `}`
	stuck := func(finalizers, x string) string {
		return podWith(fmt.Sprintf(`,"finalizers":[%s],"resourceVersion":"%d"`, finalizers, len(finalizers)), `{"x":`+x+`,"containers":[{"name":"app","image":"a:1"}]}`)
	}
	mistyped := `{"containers":[{"name":"app","image":"a","securityContext":{"privileged":{"x":1}}}]}`
	for name, c := range map[string]struct {
		spec, body string
		says       string // "" for what is let in
	}{
		"deep managedFields":             {onlyPrivileged, asServed("CREATE", "shop", "Pod", podWith(managed(deep(900)), privilegedSpec), ""), "runs privileged"},
		"deeper than any reader":         {onlyPrivileged, asServed("CREATE", "shop", "Pod", podWith(managed(deep(100_000)), privilegedSpec), ""), "runs privileged"},
		"deep managedFields, well":       {onlyPrivileged, asServed("CREATE", "shop", "Pod", podWith(managed(deep(900)), plainSpec), ""), ""},
		"managedFields that say twice":   {onlyPrivileged, asServed("CREATE", "shop", "Pod", podWith(managed(`{"a":1,"a":2}`), privilegedSpec), ""), "runs privileged"},
		"an update with such":            {onlyPrivileged, asServed("UPDATE", "shop", "Pod", podWith(managed(deep(900)), privilegedSpec), podWith(managed(deep(901)), plainSpec)), "runs privileged"},
		"an update that changes nothing": {onlyPrivileged, asServed("UPDATE", "shop", "Pod", podWith(managed(deep(900)), privilegedSpec), podWith(managed(deep(901)), privilegedSpec)), ""},
		"a deep object":                  {onlyPrivileged, asServed("CREATE", "shop", "Rollout.argoproj.io", rollout(deep(900)), ""), "Rollout was not judged, for it cannot be read: JSON: nested too deep (undecided). Here privileged-container is enforced. Make"},
		"a deep object, audited":         {"  mode: audit\n", asServed("CREATE", "shop", "Rollout.argoproj.io", rollout(deep(900)), ""), ""},
		"a deep object of no pods":       {onlyPrivileged, asServed("CREATE", "shop", "Role.rbac.authorization.k8s.io", role, ""), ""},
		"its own rule":                   {"  mode: off\n  rules: [{rules: [role-wildcard], mode: enforce}]\n", asServed("CREATE", "shop", "Role.rbac.authorization.k8s.io", role, ""), "role-wildcard is enforced"},
		"where nothing holds":            {onlyPrivileged, asServed("CREATE", "kube-system", "Rollout.argoproj.io", rollout(deep(900)), ""), ""},
		"said twice":                     {onlyPrivileged, asServed("CREATE", "shop", "Rollout.argoproj.io", rollout(`{"a":1,"a":2}`), ""), "Write each key once."},
		"images":                         {"  mode: off\n  images: [{mode: enforce, unseen: deny}]\n", asServed("CREATE", "shop", "Rollout.argoproj.io", rollout(deep(900)), ""), "images is enforced"},
		"a status":                       {onlyPrivileged, strings.Replace(asServed("UPDATE", "shop", "Pod", stuck("", deep(900)), stuck("", deep(901))), `"operation"`, `"subResource":"status","operation"`, 1), ""},
		"a label by a status":            {onlyPrivileged, strings.Replace(asServed("UPDATE", "shop", "Pod", podWith(`,"labels":{"a":"b"}`, `{"x":`+deep(900)+`}`), podWith("", `{"x":`+deep(900)+`}`)), `"operation"`, `"subResource":"status","operation"`, 1), "cannot be read"},
		"finalizers taken off":           {onlyPrivileged, asServed("UPDATE", "shop", "Pod", stuck("", deep(900)), stuck(`"example.com/x"`, deep(900))), ""},
		"and something else":             {onlyPrivileged, asServed("UPDATE", "shop", "Pod", stuck("", deep(900)), stuck(`"example.com/x"`, deep(901))), "cannot be read"},
		"400 containers":                 {alsoAudited, asServed("CREATE", "shop", "Pod", podWith("", containers(400, last)), ""), "container last runs privileged"},
		"20,000 containers":              {alsoAudited, asServed("CREATE", "shop", "Pod", podWith("", containers(20_000, last)), ""), "container last runs privileged"},
		"400 plain containers":           {alsoAudited, asServed("CREATE", "shop", "Pod", podWith("", containers(400, `{"name":"last","image":"a"}`)), ""), ""},
		"a type that is none":            {onlyPrivileged, asServed("CREATE", "shop", "Pod", podWith("", mistyped), ""), "could not be decided"},
		"more values than are read":      {onlyPrivileged, asServed("CREATE", "shop", "Pod", podWith("", `{"x":[`+strings.Repeat("0,", 1<<20)+`0],"containers":[`+last+`]}`), ""), "more values than are read"},
		"many letters":                   {onlyPrivileged, asServed("CREATE", "shop", "Pod", podWith(`,"annotations":{"a":"`+strings.Repeat(`\u003c`, 3<<20)+`"}`, privilegedSpec), ""), "runs privileged"},
	} {
		d := desk(t, c.spec)
		text, out, err := d.Validate(t.Context(), admission.Ignoring, c.body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := parse(t, text).Response
		if got.Allowed != (c.says == "") || !strings.Contains(got.Status.Message, c.says) || got.Allowed != out.Allowed || len(got.Status.Message) > 32<<10 {
			t.Errorf("%s: allowed %v: %.500s", name, got.Allowed, got.Status.Message)
		}
		if text, _, err := d.Validate(t.Context(), admission.Failing, c.body); err != nil || !parse(t, text).Response.Allowed {
			t.Errorf("%s: by rules of another class: %v %.300s", name, err, text)
		}
	}
}

// TestTooManyExcused demands that what is excused hides nothing behind it.
func TestTooManyExcused(t *testing.T) {
	e := verdict.Exception{
		Rules: []string{"privileged-container"}, Selector: verdict.Selector{Kind: "Pod", Name: "a"}, Namespace: "shop",
		Owner: "o", Reason: "r", Expires: now.AddDate(0, 1, 0), Grant: verdict.GrantFile,
	}
	d := desk(t, "  mode: off\n  rules: [{rules: [privileged-container, host-path], mode: enforce}]\n", func(o *admission.Options) { o.Exceptions = []verdict.Exception{e} })
	body := strings.ReplaceAll(asServed("CREATE", "shop", "Pod", podWith("", containers(3000, `{"name":"last","image":"a"}`)), ""), `"a:latest"`, `"a","securityContext":{"privileged":true}`)
	text, _, err := d.Validate(t.Context(), admission.Everything, body)
	if got := parse(t, text).Response; err != nil || got.Allowed || !strings.Contains(got.Status.Message, "more than 2000 findings") {
		t.Errorf("%v %.300s", err, text)
	}
}

// TestTimeOfLarge demands that a large object for which there is no time is refused, whatever becomes of errors, and a small one is not.
func TestTimeOfLarge(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	d := desk(t, alsoAudited)
	for size, allowed := range map[int]bool{100: true, admission.Large: false} {
		body := asServed("CREATE", "shop", "Pod", podWith(`,"annotations":{"a":"`+strings.Repeat("a", size)+`"}`, plainSpec), "")
		text, _, err := d.Validate(ended, admission.Everything, body)
		if got := parse(t, text).Response; err != nil || got.Allowed != allowed || !allowed && !strings.Contains(got.Status.Message, "takes too long") {
			t.Errorf("%d bytes: %v %.300s", size, err, text)
		}
	}
}

// patience is a context whose time is over when it was asked so often.
type patience struct {
	context.Context //nolint:containedctx // it is one
	left            *int
}

func (p patience) Err() error {
	if *p.left--; *p.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// TestTimeOfHeavy demands that a small object that asks for more work than anybody's is refused where there is no time for it, after the
// same work on every machine, and that nothing is refused for what the machine has no time for.
func TestTimeOfHeavy(t *testing.T) {
	d := desk(t, alsoAudited)
	var volumes, mounts strings.Builder
	for i := range 700 {
		fmt.Fprintf(&volumes, `,{"name":"v%d","hostPath":{"path":"/opt/%[1]d"}}`, i)
		fmt.Fprintf(&mounts, `,{"name":"v%d","mountPath":"/m%[1]d"}`, i)
	}
	many := `{"volumes":[` + volumes.String()[1:] + `],"containers":[{"name":"app","image":"a:1","volumeMounts":[` + mounts.String()[1:] + `]}]}`
	for name, c := range map[string]struct {
		spec    string
		asked   int
		allowed bool
	}{
		"a plain pod": {plainSpec, 10, true},
		"700 volumes, and no time from the beginning": {many, 10, true},
		"700 volumes":                   {many, 1500, false},
		"700 volumes, and all the time": {many, 1 << 30, true},
	} {
		text, _, err := d.Validate(patience{t.Context(), &c.asked}, admission.Everything, asServed("CREATE", "shop", "Pod", podWith("", c.spec), ""))
		if got := parse(t, text).Response; err != nil || got.Allowed != c.allowed || !c.allowed && !strings.Contains(got.Status.Message, "takes too long") {
			t.Errorf("%s: %v %.300s", name, err, text)
		}
	}
}

// TestSmallAndDear demands that four times the items cost about four times the work: what walks all of one list for each item of another
// uses up the time of a review with an object of some KB.
func TestSmallAndDear(t *testing.T) {
	d := desk(t, "  mode: audit\n")
	listed := func(n int, item string) string {
		var list strings.Builder
		for i := range n {
			list.WriteString("," + strings.ReplaceAll(item, "#", strconv.Itoa(i)))
		}
		return "[" + list.String()[1:] + "]"
	}
	mounting := func(volume, mount string) func(int) string {
		return func(n int) string {
			return `{"volumes":` + listed(n, volume) + `,"containers":[{"name":"a","image":"a:1","volumeMounts":` + listed(n, mount) + `}]}`
		}
	}
	of := func(field, item string) func(int) string {
		return func(n int) string {
			return `{"containers":[{"name":"a","image":"a:1",` + strings.Replace(field, "LIST", listed(n, item), 1) + `}]}`
		}
	}
	for name, spec := range map[string]func(int) string{
		"folders of the node": mounting(`{"name":"v#","hostPath":{"path":"/opt/#"}}`, `{"name":"v#","mountPath":"/m#"}`),
		"read-only folders":   mounting(`{"name":"v#","hostPath":{"path":"/opt/#"}}`, `{"name":"v#","mountPath":"/m#","readOnly":true}`),
		"Secrets by subPath":  mounting(`{"name":"v#","secret":{"secretName":"s#"}}`, `{"name":"v#","mountPath":"/m#","subPath":"x"}`),
		"projected tokens":    mounting(`{"name":"v#","projected":{"sources":[{"serviceAccountToken":{"path":"t"}}]}}`, `{"name":"v#","mountPath":"/m#"}`),
		"volumes and containers": func(n int) string {
			return `{"volumes":` + listed(n, `{"name":"v#","hostPath":{"path":"/opt/#"}}`) + `,"containers":` + listed(n, `{"name":"c#","image":"a:1"}`) + `}`
		},
		"variables":    of(`"env":LIST`, `{"name":"V#","value":"$(V#)"}`),
		"ports":        of(`"ports":LIST`, `{"containerPort":#,"hostPort":#}`),
		"words":        of(`"args":LIST`, `"a#"`),
		"capabilities": of(`"securityContext":{"capabilities":{"add":LIST}}`, `"CAP_#"`),
	} {
		cost := func(n int) float64 {
			body := asServed("CREATE", "shop", "Pod", podWith("", spec(n)), "")
			return testing.AllocsPerRun(1, func() {
				if _, _, err := d.Validate(t.Context(), admission.Everything, body); err != nil {
					t.Error(err)
				}
			})
		}
		if few, many := cost(200), cost(800); many > 6*few {
			t.Errorf("%s: %.0f allocations for 200, %.0f for 800", name, few, many)
		} else {
			t.Logf("%s: %.0f allocations for 200, %.0f for 800", name, few, many)
		}
	}
}

// TestBeginning decides by the beginning of a review.
func TestBeginning(t *testing.T) {
	d := desk(t, onlyPrivileged)
	whole := asServed("CREATE", "shop", "Pod", podWith("", plainSpec), "")
	object := strings.Index(whole, `"object":`) + len(`"object":`)
	for n := range len(whole) {
		text, _, err := d.Unread(admission.Ignoring, whole[:n], admission.TooLarge(3<<20))
		if n < object {
			if !admission.IsRefused(err) {
				t.Fatalf("of %s is said %s", whole[:n], text)
			}
			continue
		}
		if got := parse(t, text).Response; err != nil || got.Allowed || got.Status.Code != 403 || !strings.Contains(got.Status.Message, "over 3 MiB") {
			t.Fatalf("of %s is said %v %s", whole[:n], err, text)
		}
	}
	text, _, err := d.Unread(admission.Ignoring, whole, admission.Crowded)
	if got := parse(t, text).Response; err != nil || got.Allowed || got.Status.Code != 429 || got.Status.Reason != "TooManyRequests" {
		t.Errorf("%v %s", err, text)
	}
	for name, body := range map[string]string{
		"another class": whole, "a system namespace": strings.Replace(whole, `"namespace":"shop"`, `"namespace":"kube-system"`, 1),
		"a deletion": strings.Replace(whole, "CREATE", "DELETE", 1), "no pods": strings.Replace(whole, `"kind":"Pod"`, `"kind":"ConfigMap"`, 1),
	} {
		class := admission.Ignoring
		if name == "another class" {
			class = admission.Failing
		}
		if text, _, err := d.Unread(class, body, admission.Crowded); err != nil || !parse(t, text).Response.Allowed {
			t.Errorf("%s: %v %s", name, err, text)
		}
	}
	space := strings.Replace(strings.Replace(whole, `"kind":"Pod"`, `"kind":"Namespace"`, 1), `"namespace":"shop"`, `"namespace":""`, 1)
	labelled := desk(t, "  mode: off\n  rules: [{rules: [privileged-container], mode: off}, {practices: [net, pod], namespaceSelector: {matchLabels: {a: b}}, mode: enforce}]\n")
	if text, _, err := labelled.Unread(admission.Ignoring, space, admission.Crowded); err != nil || parse(t, text).Response.Allowed {
		t.Errorf("labels that nobody read are taken for others: %v %s", err, text)
	}
}

// FuzzBeginning cuts a text anywhere: what it says of a request is what the whole says.
func FuzzBeginning(f *testing.F) {
	d := desk(f, onlyPrivileged)
	f.Add(asServed("CREATE", "shop", "Pod", podWith(managed(deep(3)), plainSpec), ""), 300)
	f.Add(asServed("UPDATE", "shop", "Pod", podWith("", plainSpec), podWith(`,"a":"\"\\"`, plainSpec)), 10_000)
	f.Add(`{"request":{"uid":"\u0041","x":[[{"a":[]}]],"object":{}},"kind":"AdmissionReview"}`, 60)
	f.Fuzz(func(t *testing.T, body string, cut int) {
		beginning := body[:max(min(cut, len(body)), 0)]
		text, out, err := d.Unread(admission.Everything, beginning, admission.Crowded)
		if err != nil {
			if text != nil || !admission.IsRefused(err) {
				t.Fatalf("%v %s", err, text)
			}
			return
		}
		var sent struct {
			Request struct{ UID, Operation, Namespace string }
		}
		var got struct {
			Response struct {
				UID     string
				Allowed bool
			}
		}
		if json.Unmarshal(text, &got) != nil || got.Response.Allowed != out.Allowed {
			t.Fatalf("the answer is %s", text)
		}
		if json.Unmarshal([]byte(body), &sent) == nil && !strings.Contains(strings.ToLower(body), "uid\":null") && strings.Count(strings.ToLower(body), "uid") == 1 &&
			strings.Count(strings.ToLower(body), "request") == 1 && sent.Request.UID != got.Response.UID {
			t.Fatalf("%q is answered as %q", sent.Request.UID, got.Response.UID)
		}
	})
}
