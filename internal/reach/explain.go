package reach

import (
	"fmt"
	"io"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// Reason is one thing that decides over a connection.
type Reason struct {
	// Direction is "egress" for what is decided at the source, "ingress" at the target, "mesh" by the
	// proxy before the target.
	Direction string
	// Policy is what decides; nil where there is none, and Text says so.
	Policy *fact.Object
	// Rule is where the rule stands in the policy; "" where the policy denies what none of its rules allows.
	Rule string
	// Action is "allow", "deny" or "pass"; Sure is false where it is not known whether it is meant.
	Action string
	Sure   bool
	Ports  Ports
	// Text is one sentence for people.
	Text string
}

// Explain tells which policies and rules decide what one endpoint reaches of another, in the order
// in which they are asked.
func (n *Network) Explain(from, to int) []Reason {
	reasons := append(n.explainHalf(egress, from, to), n.explainHalf(ingress, to, from)...)
	reasons = append(append(reasons, n.explainHalf(istio, to, from)...), n.explainHalf(linkerd, to, from)...)
	if n.sharesNode(from, to) {
		reasons = append(reasons, Reason{
			Direction: ingress.String(), Action: allow.String(), Ports: AllPorts(),
			Text: "one end is on its node's network: the API leaves open whether policies tell it from the node, which always reaches its own pods",
		})
	}
	return reasons
}

func (n *Network) explainHalf(d direction, subject, peer int) []Reason {
	own := n.Endpoints[subject]
	if own.Kind != Pods {
		return nil
	}
	policies := n.policiesFor(subject, d)
	var reasons []Reason
	if d.ofMesh() {
		if reasons = n.explainBypass(d, subject); len(policies) == 0 {
			return reasons
		}
	}
	if len(policies) == 0 {
		return []Reason{{Direction: d.String(), Action: allow.String(), Sure: true, Ports: AllPorts(), Text: "no policy is for it, and so all is allowed"}}
	}
	only := newSet(len(n.Endpoints))
	only.add(peer)
	n.decideFor(policies, d, own, only, func(p *policy, r *rule, a action, sure bool, ports Ports) {
		reason := Reason{Direction: d.String(), Policy: p.object, Action: a.String(), Sure: sure, Ports: ports}
		switch {
		case p.doubt != "":
			reason.Text = p.doubt
		case r == nil:
			reason.Text = "selects it, and none of its rules allows these"
		default:
			reason.Rule = r.path
			if r.object != nil {
				reason.Policy = r.object
			}
			if r.narrows != "" {
				reason.Text = "only " + r.narrows
			}
		}
		if n := len(reasons); n == 0 || p.doubt == "" || reasons[n-1].Policy != p.object {
			reasons = append(reasons, reason)
		}
	})
	return reasons
}

// mostPairs bounds how many pairs of endpoints are explained in one text.
const mostPairs = 20

// WriteExplanation writes, for every pair of two sets, what is decided on the ports and by what, and then the
// ways in.
func (n *Network) WriteExplanation(w io.Writer, from, to Set, ports Ports) error {
	var b strings.Builder
	pairs := 0
	for i := range from.All() {
		for j := range to.All() {
			if n.Endpoints[i].Kind != Pods && n.Endpoints[j].Kind != Pods {
				continue
			}
			if pairs++; pairs > mostPairs {
				continue
			}
			a := n.Between(i, j)
			open, unknown := a.Open.Intersect(ports), a.Unknown.Intersect(ports)
			fmt.Fprintf(&b, "%s -> %s\n", n.Title(n.one(i), mostNames), n.Title(n.one(j), mostNames))
			fmt.Fprintf(&b, "  open: %s; unknown: %s; closed: %s\n", open, unknown, ports.Minus(open).Minus(unknown))
			for _, r := range n.Explain(i, j) {
				if hit := r.Ports.Intersect(ports); !hit.Empty() {
					fmt.Fprintf(&b, "  %-7s %s\n", r.Direction, r.line(hit))
				}
			}
		}
	}
	if pairs > mostPairs {
		fmt.Fprintf(&b, "and %d more pairs: name fewer ends\n", pairs-mostPairs)
	}
	ways := n.waysBetween(from, to, ports)
	for i := range ways {
		fmt.Fprintf(&b, "way in   %s\n", ways[i].text(n))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// line is a reason for people.
func (r *Reason) line(ports Ports) string {
	word := r.Action
	if !r.Sure {
		word = "maybe " + word
	}
	text := word + " " + ports.String()
	if r.Policy != nil {
		text += " by " + describe(r.Policy)
	}
	if r.Rule != "" {
		text += " " + r.Rule
	}
	if r.Policy != nil && r.Policy.Origin != nil {
		line, _ := r.Policy.Root.Position()
		text += fmt.Sprintf(" (%s:%d)", r.Policy.Origin.File, line)
	}
	if r.Text != "" {
		text += ": " + r.Text
	}
	return text
}

func (n *Network) one(i int) Set {
	s := newSet(len(n.Endpoints))
	s.add(i)
	return s
}
