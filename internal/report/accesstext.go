package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// AccessTerminal writes answers about rights for people.
func AccessTerminal(w io.Writer, answers []Access, opts TerminalOptions) error {
	p := newPrinter(w, &verdict.Result{}, opts)
	for i := range answers {
		a := &answers[i]
		if i > 0 {
			p.line("")
		}
		if a.World != "" {
			p.heading(visible(a.World), "")
			p.line("")
		}
		switch {
		case a.Can != nil:
			p.can(a.Can)
		case a.WhoCan != nil:
			p.whoCan(a.WhoCan)
		case a.Who != nil:
			p.who(a.Who)
		}
	}
	if err := p.out.Flush(); err != nil {
		return fmt.Errorf("write answers: %w", err)
	}
	return nil
}

// shownChains is how many ways to one right are told unless somebody wants all.
const shownChains = 5

func (p *printer) can(v *CanView) {
	who, where := visible(v.Identity.Text), whereOf(v.Query)
	switch v.Answer {
	case "allowed":
		p.text("yes  ", alarm, who+" may "+visible(v.Query.Text)+where, bold)
	case "denied":
		p.text("no  ", green, who+" may not "+visible(v.Query.Text)+where, bold)
	default:
		p.text("unknown  ", magenta, "whether "+who+" may "+visible(v.Query.Text)+where, bold)
	}
	if v.Identity.Via != "" {
		p.text("  as  ", dim, visible(v.Identity.Via), plain)
	}
	if v.Bypass != "" {
		p.text("  because  ", dim, visible(v.Bypass), plain)
	}
	if len(v.Within) > 0 {
		p.text("  but in  ", dim, visible(join(v.Within)), plain)
	}
	for _, reason := range v.Reasons {
		p.text("  ?  ", magenta, visible(reason), plain)
	}
	p.chains(v.Chains)
}

// whereOf says where a query asks about.
func whereOf(q queryView) string {
	switch {
	case q.URL != "" || q.Wide:
		return ""
	case q.Namespace != "":
		return " in namespace " + visible(q.Namespace)
	}
	return " everywhere"
}

func (p *printer) chains(list []chainView) {
	shown := list
	if len(shown) > shownChains && !p.opts.Verbose {
		shown = shown[:shownChains]
	}
	for i := range shown {
		c := &shown[i]
		p.line("")
		p.step("  ", c.Binding, "names "+visible(c.Subject.text()))
		p.step("    gives ", c.Role, "")
		if c.Rule != nil {
			p.rule("      by  ", c.Rule, true)
		}
		if c.Doubt != "" {
			p.text("      ?  ", magenta, visible(c.Doubt), plain)
		}
	}
	p.more(len(list)-len(shown), "  ")
}

// step is one object on the way to a right, with its place.
func (p *printer) step(label string, ref refView, note string) {
	text := visible(ref.text())
	if note != "" {
		note = "  " + note
	}
	p.line(p.paint(dim, label), p.paint(bold, cut(text, maxText)), cut(note, maxText), "  ", p.paint(cyan, ref.place()))
}

// rule tells a rule, and what is dangerous about it: why, or by name alone.
func (p *printer) rule(label string, r *ruleView, why bool) {
	text := visible(r.text())
	if r.Written != nil {
		text += "  " + p.paint(cyan, r.Written.place())
	}
	p.line(p.paint(dim, label), cut(text, maxText))
	if !why {
		var ids []string
		for _, d := range r.Dangers {
			ids = append(ids, d.ID)
		}
		if len(ids) > 0 {
			p.line(strings.Repeat(" ", len(label)), p.paint(red, "! "+strings.Join(ids, ", ")))
		}
		return
	}
	for _, d := range r.Dangers {
		p.text(strings.Repeat(" ", len(label))+"! "+d.ID+": ", red, d.Why, plain)
	}
}

func (r *refView) text() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

func (r *refView) place() string {
	switch {
	case r.Shipped:
		return "ships with Kubernetes"
	case r.Location == nil:
		return "was not read"
	}
	return position(r.Location)
}

func (s *subjectView) text() string {
	if s.Namespace == "" {
		return s.Kind + " " + s.Name
	}
	return s.Kind + " " + s.Namespace + "/" + s.Name
}

// text is a rule on one line: "get, list of pods, services in core; named a, b".
func (r *ruleView) text() string {
	text := strings.Join(r.Verbs, ", ")
	if len(r.What) > 0 {
		groups := slices.Clone(r.Groups)
		for i, g := range groups {
			if g == "" {
				groups[i] = "core"
			}
		}
		text += " of " + strings.Join(r.What, ", ")
		if !slices.Equal(groups, []string{"core"}) {
			text += " in " + strings.Join(groups, ", ")
		}
	}
	if len(r.Names) > 0 {
		text += " named " + strings.Join(r.Names, ", ")
	}
	if len(r.URLs) > 0 {
		text += " of URLs " + strings.Join(r.URLs, ", ")
	}
	return text
}

func (p *printer) whoCan(v *WhoCanView) {
	where := whereOf(v.Query)
	if where == " everywhere" {
		where = " in some namespace or everywhere"
	}
	p.text("", plain, count(len(v.Holders), "subject")+" may "+visible(v.Query.Text)+where+", beside the group system:masters, which may do anything", bold)
	own, theirs := v.Holders, []string(nil)
	if !p.opts.Verbose {
		own, theirs = splitShipped(v.Holders)
	}
	p.holders(own)
	if len(theirs) > 0 {
		p.line("")
		p.text("  ", dim, "and "+count(len(theirs), "subject")+" of Kubernetes' own, by what ships with it (-v tells how): "+visible(strings.Join(theirs, ", ")), dim)
	}
	if len(v.Perhaps) > 0 {
		p.line("")
		p.text("unknown  ", magenta, "of "+count(len(v.Perhaps), "subject")+" it is not known", bold)
		p.holders(v.Perhaps)
	}
	for _, reason := range v.Reasons {
		p.text("  ?  ", magenta, "there may be more: "+visible(reason), plain)
	}
}

// splitShipped takes those apart whose every right ships with Kubernetes.
func splitShipped(list []holderView) (own []holderView, shipped []string) {
	for i := range list {
		if slices.ContainsFunc(list[i].Chains, func(c chainView) bool { return !c.Binding.Shipped }) {
			own = append(own, list[i])
		} else {
			shipped = append(shipped, list[i].Subject.text())
		}
	}
	return own, shipped
}

func (p *printer) holders(list []holderView) {
	for i := range list {
		h := &list[i]
		where := "everywhere"
		if !h.Everywhere {
			where = "in " + visible(join(h.Namespaces))
		}
		p.line("")
		note := where
		if h.Subject.From != "" {
			note += "; " + h.Subject.From
		}
		p.line("  ", p.paint(bold, visible(h.Subject.text())), "  ", p.paint(dim, note))
		shown := h.Chains
		if len(shown) > shownChains && !p.opts.Verbose {
			shown = shown[:shownChains]
		}
		for k := range shown {
			c := &shown[k]
			p.step("    ", c.Binding, "gives "+visible(c.Role.text()))
			if c.Rule != nil {
				p.rule("      by  ", c.Rule, p.opts.Verbose)
			}
			if c.Doubt != "" {
				p.text("      ?  ", magenta, visible(c.Doubt), plain)
			}
		}
		p.more(len(h.Chains)-len(shown), "    ")
	}
}

func (p *printer) who(v *WhoView) {
	p.heading(visible(v.Identity.Text), "")
	p.text("  groups     ", dim, visible(join(v.Identity.Groups)), plain)
	if v.Identity.Via != "" {
		p.text("  as         ", dim, visible(v.Identity.Via), plain)
	}
	if v.Account != nil {
		p.text("  written    ", dim, v.Account.place(), plain)
	}
	for i := range v.Workloads {
		p.text("  runs       ", dim, visible(v.Workloads[i].text())+"  "+v.Workloads[i].place(), plain)
	}
	for i := range v.Links {
		p.link(&v.Links[i])
	}
	if v.Bypass != "" {
		p.text("  !  ", red, visible(v.Bypass), plain)
	}
	if v.Unused != "" {
		p.text("  unused     ", yellow, visible(v.Unused), plain)
	}
	for _, reason := range v.Reasons {
		p.text("  ?  ", magenta, "there may be more: "+visible(reason), plain)
	}
	for i := range v.Grants {
		p.grant(&v.Grants[i])
	}
	if len(v.Grants) == 0 {
		p.line("")
		p.line("  no binding that was read gives it anything")
	}
}

func (p *printer) link(l *linkView) {
	label, text := "  acts as    ", visible(l.Cloud)+" in the cloud, by "+visible(l.Kind)
	if l.Into {
		label, text = "  comes from ", visible(l.Cloud)+", "+visible(l.Kind)
	}
	p.text(label, dim, text+"  "+l.Written.place(), plain)
	if l.Note != "" {
		p.text("             ", dim, visible(l.Note), dim)
	}
}

func (p *printer) grant(g *grantView) {
	where := "everywhere"
	if g.Namespace != "" {
		where = "in " + visible(g.Namespace)
	}
	p.line("")
	p.line("  ", p.paint(bold, visible(g.Role.text())), " ", where, "  ", p.paint(dim, g.Role.place()))
	p.step("    by ", g.Binding, "which names "+visible(g.Subject.text()))
	switch {
	case g.Nothing != "":
		p.text("    gives nothing: ", yellow, visible(g.Nothing), plain)
	case g.Within != nil:
		p.text("    superfluous: ", yellow, visible(g.Within.text())+" gives all of it too", plain)
	}
	if g.Doubt != "" {
		p.text("    ?  ", magenta, visible(g.Doubt), plain)
	}
	shown := g.Rules
	if len(shown) > shownPerList && !p.opts.Verbose {
		shown = slices.Clone(shown)
		slices.SortStableFunc(shown, func(a, b ruleView) int { return min(len(b.Dangers), 1) - min(len(a.Dangers), 1) })
		shown = shown[:shownPerList]
	}
	for i := range shown {
		p.rule("      ", &shown[i], true)
	}
	p.more(len(g.Rules)-len(shown), "      ")
}
