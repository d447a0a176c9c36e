package install

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/coaming/coaming/internal/certificate"
	"github.com/coaming/coaming/internal/drift"
)

// State is how one thing stands.
type State string

// The states: as installed, not as installed, and not to be told.
const (
	OK      State = "ok"
	Wrong   State = "wrong"
	Unknown State = "unknown"
)

// Standing is one thing that was looked at.
type Standing struct {
	Subject string   `json:"subject"`
	State   State    `json:"state"`
	Text    string   `json:"text"`
	Details []string `json:"details,omitempty"`
	Remedy  string   `json:"remedy,omitempty"`
}

const (
	remedyInstall = "Run 'coaming install': it restores what was installed."
	mostDetails   = 10
)

// Status is how an installation stands: of its objects, what is not as it was installed, its replicas and its authority.
// o.Values are those that were kept, o.Native what the plan enforces without the gate.
func (c *Cluster) Status(ctx context.Context, o Options) ([]Standing, error) {
	var list []Standing
	list = append(list, c.replicas(ctx), Standing{}, c.bundleEnds(ctx, o.Now))
	plan, err := c.Prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	for _, group := range []struct {
		subject string
		is      func(k *kind) bool
	}{
		{"webhooks", (*kind).webhook},
		{"native policies", func(k *kind) bool { return k.native }},
		{"rights", func(k *kind) bool { return k.group == "rbac.authorization.k8s.io" }},
		{"objects", func(k *kind) bool {
			return !k.webhook() && !k.native && k.group != "rbac.authorization.k8s.io"
		}},
	} {
		list = append(list, c.compared(ctx, group.subject, plan.Objects, group.is))
	}
	whole := !slices.ContainsFunc(list[2:], func(s Standing) bool { return s.State != OK })
	list[1] = c.running(ctx, whole)
	return list, nil
}

// beneath are the kinds that only refuse: one that was applied by hand, from an export, is nobody's fault.
var beneath = map[string]bool{"ValidatingAdmissionPolicy": true, "ValidatingAdmissionPolicyBinding": true, "ResourceQuota": true, "LimitRange": true}

// compared compares the objects of some kinds with what is there.
func (c *Cluster) compared(ctx context.Context, subject string, wanted []*Object, is func(*kind) bool) Standing {
	s := Standing{Subject: subject, State: OK}
	there := map[key]*Object{}
	for i := range c.kinds {
		k := &c.kinds[i]
		if !is(k) || k.name == "Secret" {
			continue
		}
		list, err := c.own(ctx, k)
		if err != nil {
			s.State = Unknown
			s.Details = append(s.Details, err.Error())
		}
		for _, o := range list {
			there[keyOf(o)] = o
		}
	}
	if s.State == Unknown {
		s.Text, s.Remedy = "they could not be read", "Ask as somebody who may list them."
		return s
	}
	var same, missing, edited, unlabelled int
	for _, want := range wanted {
		k, err := kindOf(want)
		if err != nil || !is(k) {
			continue
		}
		found := there[keyOf(want)]
		delete(there, keyOf(want))
		switch lines := c.drift(ctx, k, want, &found); {
		case found == nil:
			missing++
			s.Details = append(s.Details, named(want)+" was deleted")
		case len(lines) > 0 && others(want):
			unlabelled++
			s.Details = append(s.Details, lacking(want, found))
		case len(lines) > 0:
			edited++
			s.Details = append(s.Details, lines...)
		default:
			same++
		}
	}
	extra, beside, adopt := 0, 0, ""
	for key, o := range there {
		if !installed(o) && beneath[key.kind] {
			beside++
			s.Details = append(s.Details, named(o)+" was not installed, and holds beside what was")
			continue
		}
		if extra++; !installed(o) {
			adopt = " With --adopt it removes what no installation wrote, too."
		}
		s.Details = append(s.Details, named(o)+" is not part of the installation")
	}
	s.Text = fmt.Sprintf("%d as installed", same)
	if missing+edited+extra > 0 {
		s.State, s.Remedy = Wrong, remedyInstall+adopt
		s.Text += fmt.Sprintf(", %d edited, %d missing, %d that nobody asked for", edited, missing, extra)
	}
	if unlabelled > 0 {
		s.State = Wrong
		s.Remedy = strings.TrimSpace(s.Remedy + " " + remedyLabels)
		s.Text += fmt.Sprintf(", %d namespaces lack labels of the plan", unlabelled)
	}
	if beside > 0 {
		s.Text += fmt.Sprintf(", %d beside them that carry our label", beside)
	}
	slices.Sort(s.Details)
	if more := len(s.Details) - mostDetails; more > 0 {
		s.Details = append(s.Details[:mostDetails], fmt.Sprintf("and %d more", more))
	}
	return s
}

// remedyLabels is what to do about namespaces that came, or were labelled otherwise, since they were looked at.
const remedyLabels = "Run 'coaming install': it labels the namespaces that there are then; the gate has no right to."

// others says whether an object is somebody else's, of which an installation sets labels alone: a namespace that the plan has levels of Pod
// Security for.
func others(o *Object) bool { return o.GetKind() == "Namespace" && o.GetName() != Namespace }

// lacking tells which labels of the plan a namespace does not have.
func lacking(want, found *Object) string {
	there := found.GetLabels()
	var list []string
	for name, value := range want.GetLabels() {
		if there[name] != value {
			list = append(list, name+"="+value)
		}
	}
	slices.Sort(list)
	return named(want) + " lacks labels of the plan: " + strings.Join(list, ", ")
}

// drift is what is not as installed in an object; found becomes what is there where its label was taken off.
func (c *Cluster) drift(ctx context.Context, k *kind, want *Object, found **Object) []string {
	if *found == nil {
		o, err := c.get(ctx, k, want.GetNamespace(), want.GetName())
		if err != nil || o == nil {
			return nil
		}
		*found = o
	}
	list := drift.Of(want, *found, k.strict)
	if len(list) == 0 {
		return nil
	}
	d := list[0]
	text := fmt.Sprintf("%s was edited: %s is %s, not %s", named(want), d.Path, orNothing(d.Found), orNothing(d.Want))
	if len(list) > 1 {
		text += fmt.Sprintf(", and %d more", len(list)-1)
	}
	if who := editor(*found, manager, "kube-controller-manager"); who != "" {
		text += " (" + who + ")"
	}
	return []string{text}
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}

func (c *Cluster) replicas(ctx context.Context) Standing {
	s := Standing{Subject: "replicas"}
	o, err := c.get(ctx, c.kindNamed("Deployment"), Namespace, gateName)
	switch {
	case err != nil:
		s.State, s.Text = Unknown, err.Error()
	case o == nil:
		s.State, s.Text, s.Remedy = Wrong, "the Deployment is gone", remedyInstall
	default:
		up, text := rolledOut(o)
		s.State, s.Text = OK, text
		if !up {
			s.State, s.Remedy = Wrong, "See 'kubectl --namespace "+Namespace+" describe pods'."
			if why := c.troubles(ctx); why != "" {
				s.Details = []string{strings.Trim(why, " ()")}
			}
		}
	}
	return s
}

// bundleEnds says until when the API server believes the gate: by the webhooks' own bundle, so that no Secret is read.
func (c *Cluster) bundleEnds(ctx context.Context, now time.Time) Standing {
	s := Standing{Subject: "authority", State: OK}
	o, err := c.get(ctx, c.kindNamed("ValidatingWebhookConfiguration"), "", gateName)
	if err != nil || o == nil {
		s.State, s.Text = Unknown, "there is no webhook configuration to read it from"
		if err != nil {
			s.Text = err.Error()
		}
		return s
	}
	end, err := bundleEnd(o)
	switch {
	case err != nil:
		s.State, s.Text, s.Remedy = Wrong, err.Error(), remedyInstall
	case !now.Before(end):
		s.State, s.Text, s.Remedy = Wrong, "it ended on "+end.UTC().Format(time.DateOnly), remedyInstall
	case now.Add(certificate.AuthorityAhead).After(end):
		s.State, s.Text, s.Remedy = Wrong, "it ends on "+end.UTC().Format(time.DateOnly), "Run 'coaming install': it makes the next, and both hold meanwhile."
	default:
		s.Text = "it holds until " + end.UTC().Format(time.DateOnly)
	}
	return s
}

// bundleEnd is when the last certificate of a configuration's bundle ends, the earliest of its webhooks'.
func bundleEnd(o *Object) (time.Time, error) {
	var end time.Time
	webhooks, _, _ := unstructured.NestedSlice(o.Object, "webhooks")
	for _, item := range webhooks {
		fields, _ := item.(map[string]any)
		text, _, _ := unstructured.NestedString(fields, "clientConfig", "caBundle")
		ends, err := certificate.Ends(decoded(text))
		if err != nil {
			return end, fmt.Errorf("webhook %v: %w", fields["name"], err)
		}
		last := slices.MaxFunc(ends, time.Time.Compare)
		if end.IsZero() || last.Before(end) {
			end = last
		}
	}
	if end.IsZero() {
		return end, errors.New("the configuration has no webhook")
	}
	return end, nil
}

// editor is who wrote to an object last, beside those that may: by the names that clients give themselves.
func editor(o *Object, may ...string) string {
	who, when := "", ""
	for _, f := range o.GetManagedFields() {
		if slices.Contains(may, f.Manager) || f.Subresource != "" || f.Time == nil {
			continue
		}
		if at := f.Time.UTC().Format("2006-01-02T15:04:05Z"); at >= when {
			who, when = f.Manager, at
		}
	}
	if who == "" {
		return ""
	}
	return who + ", " + when
}
