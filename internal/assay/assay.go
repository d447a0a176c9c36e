// Package assay puts what images hold to what is published: packages and advisories in, findings out, each
// with its layer, its origin and the version that mends it, and advice on what clears the most. It is pure: the
// index of advisories and the catalogued image are handed in, no clock is read, and the same input gives the
// same findings. What nobody can answer is an unknown finding, never none. judge decides what exceptions and
// baselines make of the findings.
package assay

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/purl"
	"github.com/coaming/coaming/internal/verdict"
)

// RuleID is the rule of all findings about packages.
const RuleID = "vulnerable-package"

// Rule is what reports tell of it. Its severity is that of a vulnerability nobody has rated.
var Rule = verdict.RuleInfo{
	ID: RuleID, Title: "Package with a published vulnerability", Practice: "vuln", Severity: verdict.Medium,
	Why: "What is published is tried: attackers search for programs with known flaws, and for the exploited ones the tools are there for " +
		"everybody. A package in an image can be used by whoever comes to run commands beside it, even where nothing calls it.",
	Remedy: "Upgrade the package to the version that is named, or build the image again on a base that has it; leave out what is not needed.",
	Maps: map[string][]string{
		"nsa": {"application-security"}, "mitre": {"T1190"}, "owasp": {"K02"},
	},
}

// Judges is what the rule is asked about.
const Judges = "each package of an image, by the index of advisories (coaming image scan, coaming scan --images)"

// Subject is one image that is put to the advisories.
type Subject struct {
	Image *fact.Image
	// Name is what the image is called in findings and fingerprints, without tag and digest: a build of tomorrow has the same.
	Name string
	// Location is where the image was read.
	Location verdict.Location
	// Products are more names by which statements (VEX) may mean it.
	Products []string
}

// Tried is what came of one image.
type Tried struct {
	Findings []verdict.Finding
	// Passed is how many packages have no published vulnerability, Left how many were left to the distribution that owns them.
	Passed, Left int
}

// Try puts one image to the advisories.
func (b *Bench) Try(s *Subject) (*Tried, error) {
	groups := groupsOf(s.Image)
	questions := make([]advisory.Package, len(groups))
	for i, g := range groups {
		questions[i] = g.question
	}
	rulings, err := b.rule(questions, productsOf(s))
	if err != nil {
		return nil, err
	}
	t := &Tried{}
	doubts := map[doubt][]int{}
	for i, r := range rulings {
		if r.left {
			t.Left++
			continue
		}
		for _, reason := range r.unknown {
			k := doubt{groups[i].question.Ecosystem, reason}
			doubts[k] = append(doubts[k], i)
		}
		open := len(r.unknown) > 0
		for n := range r.findings {
			f := s.finding(groups[i], &r.findings[n])
			f.Vulnerability.ExploitedUnknown = b.NoKEV
			t.Findings = append(t.Findings, f)
			open = true
		}
		switch {
		case open:
		case b.Stale() != "":
			k := doubt{groups[i].question.Ecosystem, b.Stale()}
			doubts[k] = append(doubts[k], i)
		default:
			t.Passed++
		}
	}
	for k, places := range doubts {
		t.Findings = append(t.Findings, s.unknown(k, groups, places))
	}
	slices.SortFunc(t.Findings, func(a, b verdict.Finding) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	return t, nil
}

// productsOf are the names by which VEX statements may mean the image.
func productsOf(s *Subject) []string {
	list := slices.Clone(s.Products)
	for _, name := range []string{s.Image.Digest, s.Name, s.Image.Name} {
		if name != "" && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	if s.Image.Digest != "" {
		// github.com/package-url/purl-spec, type oci: the name is the last part of the repository.
		list = append(list, "pkg:oci/"+strings.ToLower(s.Name[strings.LastIndexByte(s.Name, '/')+1:])+"@"+s.Image.Digest)
	}
	return list
}

// group is what advisories know as one package of an image: all that a distribution built from one source, or
// one package of a language at one place.
type group struct {
	question  advisory.Package
	installed []string // names of the distribution's packages, sorted
	managed   bool     // by a distribution's package manager
	place     string
	layer     int
}

// groupsOf arranges an image's packages as advisories name them.
func groupsOf(img *fact.Image) []*group {
	type key struct{ ecosystem, name, version, place string }
	var list []*group
	byKey := map[key]*group{}
	for i := range img.Packages {
		p := &img.Packages[i]
		q := advisory.Installed(p)
		k := key{q.Ecosystem, q.Name, q.Version, p.Place}
		managed := !purl.IsLanguage(p.Ecosystem)
		if managed {
			k.place = ""
		}
		g := byKey[k]
		if g == nil {
			g = &group{question: q, managed: managed, place: k.place, layer: p.Since}
			byKey[k] = g
			list = append(list, g)
		}
		g.layer = min(g.layer, p.Since)
		if managed && !slices.Contains(g.installed, p.Name) {
			g.installed = append(g.installed, p.Name)
		}
		if q.Owner == "" {
			g.question.Owner = "" // one of them is nobody's
		}
	}
	for _, g := range list {
		slices.Sort(g.installed)
	}
	return list
}

// finding is one vulnerability in one group as a verdict.
func (s *Subject) finding(g *group, f *advisory.Finding) verdict.Finding {
	v := &verdict.Vulnerability{
		ID: f.Vulnerability, Aliases: f.Aliases, Advisories: f.Advisories, Summary: f.Summary,
		Ecosystem: g.question.Ecosystem, Package: g.question.Name, Version: g.question.Version, Installed: g.installed, Place: g.place,
		FixedIn: f.FixedIn, Unrated: !f.Rated, Score: f.Score, Vector: f.Vector, Exploited: f.Exploited,
		Image: s.Image.Name, Digest: s.Image.Digest, Layer: g.layer, Origin: OriginOf(s.Image, g.layer),
		Exposed: verdict.NotKnown, InUse: verdict.NotKnown,
	}
	if f.Likelihood >= 0 {
		v.Likelihood = &f.Likelihood
	}
	if !f.Published.IsZero() {
		v.Published = f.Published.Format(time.DateOnly)
	}
	severity := f.Severity
	if !f.Rated {
		severity = Rule.Severity
	}
	out := verdict.Finding{
		Fingerprint: fingerprint(s.Name, f.Vulnerability, g), Verdict: verdict.Fail, Rule: RuleID, Practice: Rule.Practice, Severity: severity,
		Subject: verdict.Subject{Kind: "Image", Name: s.Name}, Message: message(v), Path: g.path() + "/" + f.Vulnerability,
		Location: s.Location, Vulnerability: v,
	}
	if x := f.Suppressed; x != nil {
		out.Verdict = verdict.Exempt
		out.Reason = fmt.Sprintf("%s: %s", x.Source, strings.TrimSpace(string(x.Status)+" "+x.Reason))
		out.Exemption = &verdict.Exemption{Grant: verdict.GrantVEX, Location: verdict.Location{Source: "files", File: x.Source}, Reason: x.Reason}
	}
	return out
}

// message says what is wrong in one sentence.
func message(v *verdict.Vulnerability) string {
	text := v.Package + " " + v.Version + " has " + v.ID
	switch {
	case v.FixedIn != "":
		text += ", fixed in " + v.FixedIn
	default:
		text += ", for which no fixed version is named"
	}
	if v.Exploited {
		text += "; it is known to be exploited"
	}
	if v.Summary != "" {
		text += ": " + v.Summary
	}
	return text
}

// doubt is why packages of an ecosystem are unknown.
type doubt struct{ ecosystem, reason string }

// unknown is what nobody can say about some packages.
func (s *Subject) unknown(k doubt, groups []*group, places []int) verdict.Finding {
	var names []string
	for _, i := range places {
		names = append(names, groups[i].question.Name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	const most = 5
	list := strings.Join(names[:min(most, len(names))], ", ")
	if len(names) > most {
		list += fmt.Sprintf(" and %d more", len(names)-most)
	}
	ecosystem := cmp.Or(k.ecosystem, "an ecosystem that nothing tells")
	g := &group{question: advisory.Package{Ecosystem: k.ecosystem}}
	return verdict.Finding{
		Fingerprint: fingerprint(s.Name, "unknown "+k.reason, g), Verdict: verdict.Unknown, Rule: RuleID, Practice: Rule.Practice, Severity: Rule.Severity,
		Subject: verdict.Subject{Kind: "Image", Name: s.Name}, Reason: k.reason, Path: g.path(), Location: s.Location,
		Message: fmt.Sprintf("whether %s of %s have published vulnerabilities: %s", plural(len(names), "package"), ecosystem, list),
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// path is where the group stands in the image, without versions: "npm/lodash (srv/node_modules/lodash/package.json)".
func (g *group) path() string {
	text := g.question.Ecosystem
	if g.question.Name != "" {
		text += "/" + g.question.Name
	}
	if g.place != "" {
		text += " (" + g.stablePlace() + ")"
	}
	return text
}

// stablePlace is the place without the version, which some package managers put into it.
func (g *group) stablePlace() string {
	if len(g.question.Version) < 2 {
		return g.place
	}
	return strings.ReplaceAll(g.place, g.question.Version, "*")
}

// fingerprint outlives a build and an upgrade that does not mend: it is of the image's name, the vulnerability, the package and its
// place, not of versions, digests or the distribution's release.
func fingerprint(image, vulnerability string, g *group) string {
	ecosystem, _, _ := strings.Cut(g.question.Ecosystem, ":")
	parts := []string{RuleID, image, vulnerability, ecosystem, g.question.Name, g.stablePlace()}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:8])
}
