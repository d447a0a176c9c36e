package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// packaged is one package of one image with what is published about it.
type packaged struct {
	image    verdict.Subject
	about    *verdict.Vulnerability // of any of its findings
	count    [grades]int
	risk     int
	findings []*verdict.Finding
}

// shownPackages is how many packages of a page are told with their vulnerabilities before "and N more".
const shownPackages = 20

// splitPackages takes what is about packages out of a list of findings.
func splitPackages(list []verdict.Finding) (packages []*packaged, rest []verdict.Finding) {
	type key struct {
		image                              verdict.Subject
		ecosystem, name, version, at, from string
	}
	byKey := map[key]*packaged{}
	for i := range list {
		f := &list[i]
		v := f.Vulnerability
		if v == nil {
			rest = append(rest, *f)
			continue
		}
		k := key{f.Subject, v.Ecosystem, v.Package, v.Version, v.Place, v.Image}
		p := byKey[k]
		if p == nil {
			p = &packaged{image: f.Subject, about: v}
			byKey[k] = p
			packages = append(packages, p)
		}
		p.count[gradeOf(f)]++
		p.risk = max(p.risk, f.RiskScore())
		p.findings = append(p.findings, f)
	}
	for _, p := range packages {
		slices.SortStableFunc(p.findings, byDanger)
	}
	slices.SortStableFunc(packages, func(a, b *packaged) int {
		return cmp.Or(cmp.Compare(a.about.Image, b.about.Image), worse(&a.count, &b.count), b.risk-a.risk)
	})
	return packages, rest
}

// byDanger puts first what is graver, is exploited, or will be.
func byDanger(a, b *verdict.Finding) int {
	return cmp.Or(int(gradeOf(a))-int(gradeOf(b)), byRisk(a, b), truth(b.Vulnerability.Exploited)-truth(a.Vulnerability.Exploited),
		cmp.Compare(likelihood(b.Vulnerability), likelihood(a.Vulnerability)))
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

func likelihood(v *verdict.Vulnerability) float64 {
	if v.Likelihood == nil {
		return -1
	}
	return *v.Likelihood
}

// packages writes what is published about the packages of each image, the worst first.
func (p *printer) packages(list []*packaged) {
	image, shown, left := "", 0, 0
	tellRest := func() {
		if left > 0 {
			p.line("")
			p.line("  ", p.paint(dim, "and "+count(left, "more package")+": --verbose tells them, "+listedInJSON))
		}
		shown, left = 0, 0
	}
	for i, of := range list {
		if i == 0 || of.about.Image != image {
			tellRest()
			if i > 0 {
				p.line("")
			}
			image = of.about.Image
			p.image(of, list)
		}
		if shown++; shown > shownPackages && !p.opts.Verbose {
			left++
			continue
		}
		p.line("")
		p.packaged(of)
	}
	tellRest()
}

// image writes the heading of one image.
func (p *printer) image(of *packaged, list []*packaged) {
	var sum [grades]int
	for _, other := range list {
		if other.about.Image == of.about.Image {
			for g, n := range other.count {
				sum[g] += n
			}
		}
	}
	p.heading(cut(visible(of.about.Image), maxPlace), shortDigest(of.about.Digest))
	p.line("")
	p.line("  ", p.paint(bold, "packages"), "  ", p.counts(&sum))
	if of.about.Exposed != verdict.NotKnown || len(of.about.Workloads) > 0 {
		p.text("  run by  ", dim, runBy(of.about), plain)
	}
}

// runBy is who runs the image, and whether attackers come there.
func runBy(v *verdict.Vulnerability) string {
	var names []string
	for _, w := range v.Workloads[:min(len(v.Workloads), shownPerList)] {
		names = append(names, visible(w.String()))
	}
	if n := len(v.Workloads) - len(names); n > 0 {
		names = append(names, "and "+thousands(n)+" more")
	}
	text := strings.Join(names, ", ")
	if text == "" {
		text = "none of the workloads that were given"
	}
	return text + "; exposed to the internet: " + string(v.Exposed)
}

func shortDigest(digest string) string {
	algorithm, sum, found := strings.Cut(digest, ":")
	if !found || len(sum) < 12 {
		return visible(digest)
	}
	return visible(algorithm + ":" + sum[:12])
}

// packaged writes one package: what clears the most of it, then each vulnerability on a line.
func (p *printer) packaged(of *packaged) {
	v := of.about
	name := visible(v.Package + " " + v.Version)
	p.line("  ", p.paint(bold, cut(name, maxPlace)), "  ", p.paint(dim, visible(v.Ecosystem)), "  ", p.counts(&of.count))
	if where := whereIn(v); where != "" {
		p.text("    in   ", dim, where, dim)
	}
	if fix := p.upgradeOf(v); fix != "" {
		p.text("    fix  ", dim, fix, plain)
	}
	shown := of.findings
	if len(shown) > shownPerList && !p.opts.Verbose {
		shown = shown[:shownPerList]
	}
	wide := 0
	for _, f := range shown {
		wide = max(wide, widthOf(visible(f.Vulnerability.ID)))
	}
	for _, f := range shown {
		p.vulnerability(f, wide)
	}
	p.more(len(of.findings)-len(shown), "    ")
}

// whereIn is the place and the layer of a package.
func whereIn(v *verdict.Vulnerability) string {
	var parts []string
	if v.Place != "" {
		parts = append(parts, cut(visible(v.Place), maxPlace))
	} else if len(v.Installed) > 0 && (len(v.Installed) != 1 || v.Installed[0] != v.Package) {
		parts = append(parts, "installed as "+visible(strings.Join(v.Installed[:min(len(v.Installed), shownPerList)], ", ")))
	}
	layer := fmt.Sprintf("layer %d", v.Layer)
	if v.Origin != verdict.OriginUnknown {
		layer += " (" + string(v.Origin) + ")"
	}
	return strings.Join(append(parts, layer), ", ")
}

// upgradeOf is the proven advice about the package, "" when there is none.
func (p *printer) upgradeOf(v *verdict.Vulnerability) string {
	for i := range p.res.Advice {
		a := &p.res.Advice[i]
		if a.Kind == "upgrade" && a.Image == v.Image && a.Ecosystem == v.Ecosystem && a.Package == v.Package && a.From == v.Version {
			text := "upgrade to " + visible(a.To) + ": clears " + thousands(a.Clears)
			if a.Leaves > 0 {
				text += ", leaves " + thousands(a.Leaves)
			}
			return text
		}
	}
	return ""
}

// vulnerability writes one vulnerability on a line.
func (p *printer) vulnerability(f *verdict.Finding, wide int) {
	v, look := f.Vulnerability, looks[gradeOf(f)]
	id := visible(v.ID)
	parts := []string{"    ", p.paint(look.style, look.mark+" "+look.word+strings.Repeat(" ", 10-len(look.word))), id, strings.Repeat(" ", wide-widthOf(id)+2)}
	fixed := "no fix named"
	if v.FixedIn != "" {
		fixed = "fixed in " + cut(visible(v.FixedIn), maxPlace)
	}
	parts = append(parts, fixed)
	if signs := signsOf(f); signs != "" {
		parts = append(parts, "  ", p.paint(yellow, signs))
	}
	parts = append(parts, p.paint(dim, "  "+visible(f.Fingerprint)))
	if change := changeWord(f); change != "" {
		parts = append(parts, "  ", p.paint(bold, change))
	}
	p.line(parts...)
	if p.opts.Verbose && v.Summary != "" {
		p.text("      ", plain, visible(v.Summary), dim)
	}
	if f.Reason != "" {
		p.text("      because  ", dim, visible(f.Reason), plain)
	}
	if f.RiskScore() >= tellsRisk || p.opts.Verbose {
		p.risk(f)
	}
}

// signsOf are what makes a vulnerability more than its severity.
func signsOf(f *verdict.Finding) string {
	v := f.Vulnerability
	var list []string
	if v.Unrated {
		list = append(list, "nobody rated it")
	}
	if v.Exploited {
		list = append(list, "exploited")
	}
	if v.Likelihood != nil && *v.Likelihood >= 0.01 {
		list = append(list, fmt.Sprintf("EPSS %.0f%%", 100**v.Likelihood))
	}
	return strings.Join(list, ", ")
}

// remedies tells what clears the most.
func (p *printer) remedies() {
	if len(p.res.Advice) == 0 {
		return
	}
	p.line("")
	p.heading("What clears the most", "judged again as it would be")
	shown := p.res.Advice
	if len(shown) > shownPerList && !p.opts.Verbose {
		shown = shown[:shownPerList]
	}
	for i := range shown {
		a := &shown[i]
		label := fmt.Sprintf("  clears %-6s ", thousands(a.Clears))
		p.text(label, green, visible(a.Do)+adviceTail(a), plain)
	}
	p.more(len(p.res.Advice)-len(shown), "  ")
}

// adviceTail is what is left and brought by an advice.
func adviceTail(a *verdict.Advice) string {
	text := ""
	if a.Leaves > 0 {
		text += "; leaves " + thousands(a.Leaves)
	}
	if a.Brings > 0 {
		text += "; brings " + thousands(a.Brings)
	}
	return text
}
