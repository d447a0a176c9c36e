package judge

import (
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/attack"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// Found are verdicts that were made elsewhere: of what images hold.
type Found struct {
	Rules    []verdict.RuleInfo
	Findings []verdict.Finding
	// Passed counts by rule what has no finding.
	Passed map[string]int
	// Images are the images that containers run and volumes hold, by the reference that these name them with: what findings call them
	// (verdict.Vulnerability.Image). What is not among them is not known to run.
	Images map[string]string
	// AtWorkloads puts the findings to where the workloads name the image, not to where the image was read.
	AtWorkloads bool
}

// enter puts the verdicts into the counts, and notes what exceptions want to know of the findings.
func (in *Input) enter(counts tallies, seen *traits) []verdict.Finding {
	for i := range in.Found.Findings {
		f := &in.Found.Findings[i]
		counts.count(f.Rule, f.Verdict)
		if v := f.Vulnerability; v != nil && seen != nil {
			seen.list[f.Fingerprint] = append(seen.list[f.Fingerprint], trait{image: v.Digest})
		}
	}
	for id, n := range in.Found.Passed {
		counts.add(id, verdict.Pass, n)
	}
	return in.Found.Findings
}

// likely is the probability of being exploited within 30 days from which a vulnerability is a step of attackers. FIRST publishes
// probabilities and draws no line; this one is ours.
const likely = 0.1

// flaws are the vulnerabilities that attackers use over the network, by the reference that containers name the image with.
func (in *Input) flaws() map[string][]attack.Flaw {
	byImage := map[string][]attack.Flaw{}
	for i := range in.Found.Findings {
		f := &in.Found.Findings[i]
		v := f.Vulnerability
		if v == nil || f.Verdict != verdict.Fail || !isWayIn(v.Vector) {
			continue
		}
		flaw := attack.Flaw{ID: v.ID, Package: v.Package + "@" + v.Version, Exploited: v.Exploited}
		if v.Likelihood != nil {
			flaw.Likelihood = *v.Likelihood
		}
		if flaw.Exploited || flaw.Likelihood >= likely {
			byImage[v.Image] = append(byImage[v.Image], flaw)
		}
	}
	out := map[string][]attack.Flaw{}
	for reference, image := range in.Found.Images {
		if list := byImage[image]; len(list) > 0 {
			out[reference] = list
		}
	}
	return out
}

// isWayIn reads a CVSS vector: a vulnerability by which somebody comes in is used over the network, and does more than keep a program
// from answering. What has no vector is taken to be one.
func isWayIn(vector string) bool {
	if vector == "" {
		return true
	}
	has := func(metric string) bool { return strings.Contains("/"+vector+"/", "/"+metric+"/") }
	onlyStops := has("C:N") && has("I:N") || has("VC:N") && has("VI:N") // CVSS 2 and 3; CVSS 4
	return has("AV:N") && !onlyStops
}

// runs is where an image runs, and whether attackers come there.
type runs struct {
	workloads []verdict.Subject
	places    []verdict.Location
	exposed   verdict.Certainty
	probes    []verdict.Finding // at the reference of each container that runs or mounts it, to be rated
}

// mostRuns is how many workloads a finding names.
const mostRuns = 100

// locateImages tells of each image that was judged which workloads of this inventory run it, and what that matters to attackers.
func (j *judgement) locateImages(into map[string]*runs) {
	if len(j.Found.Images) == 0 {
		return
	}
	for _, w := range j.Inventory.Workloads {
		if !j.within(w.Object) {
			continue
		}
		var mounts map[string][]*fact.Container
		for ref := range w.References() {
			name, known := j.Found.Images[ref.Image]
			if !known {
				continue
			}
			r := into[name]
			if r == nil {
				r = &runs{exposed: verdict.No}
				into[name] = r
			}
			if ref.Container != nil {
				r.place(w, ref.Name, ref.Value)
				j.note(r, w, ref.Container)
				continue
			}
			if mounts == nil {
				mounts = w.Mounts()
			}
			r.place(w, "", ref.Value)
			for _, c := range mounts[ref.Name] {
				j.note(r, w, c)
			}
		}
	}
	if j.Rate {
		for _, r := range into {
			j.around().graph.Rate(r.probes, nil)
		}
	}
}

// place notes where a workload names the image, for a container or, where that is "", for a volume.
func (r *runs) place(w *fact.Workload, container string, reference document.Value) {
	if l := location(w.Object, reference); len(r.workloads) < mostRuns && !slices.Contains(r.places, l) {
		r.workloads, r.places = append(r.workloads, subjectOf(w.Object, container)), append(r.places, l)
	}
}

func subjectOf(o *fact.Object, container string) verdict.Subject {
	return verdict.Subject{APIVersion: o.APIVersion, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, Container: container}
}

// note tells who comes to a container that runs the image, or may run what it holds.
func (j *judgement) note(r *runs, w *fact.Workload, c *fact.Container) {
	switch j.exposure(w, c) {
	case verdict.Yes:
		r.exposed = verdict.Yes
	case verdict.NotKnown:
		if r.exposed == verdict.No {
			r.exposed = verdict.NotKnown
		}
	case verdict.No:
	}
	o, steps := w.Object, c.Value.Get("image").Steps()
	if begin := len(o.Root.Steps()); len(steps) > begin {
		r.probes = append(r.probes, verdict.Finding{Subject: subjectOf(o, c.Name), Path: o.Root.PathText(steps[begin:])})
	}
}

// exposure says whether a connection from the internet leads to a container.
func (j *judgement) exposure(w *fact.Workload, c *fact.Container) verdict.Certainty {
	if !j.Rate {
		return verdict.NotKnown
	}
	pods := j.around().graph.World.Of(w)
	if pods == nil {
		return verdict.NotKnown
	}
	for _, b := range pods.Containers {
		if b.Name != c.Name || b.Role != c.Role {
			continue
		}
		if doubt, known := j.around().ways[b.Node]; known && doubt == "" {
			return verdict.Yes
		} else if known {
			return verdict.NotKnown
		}
	}
	if j.missedWay(fact.Place(w.Object.Namespace)) != "" {
		return verdict.NotKnown
	}
	return verdict.No
}

// settleImages gives the findings about images what the workloads tell. Who made the findings may share them with others:
// what changes is copied.
func (in *Input) settleImages(found map[string]*runs) {
	if len(found) == 0 {
		return
	}
	in.Found.Findings = slices.Clone(in.Found.Findings)
	for i := range in.Found.Findings {
		f := &in.Found.Findings[i]
		if f.Vulnerability == nil {
			continue
		}
		r := found[f.Vulnerability.Image]
		if r == nil {
			continue
		}
		v := new(verdict.Vulnerability)
		*v = *f.Vulnerability
		v.Workloads, v.Exposed, f.Vulnerability = r.workloads, r.exposed, v
		if in.Found.AtWorkloads && len(r.places) > 0 {
			f.Location, f.Also = r.places[0], r.places[1:]
		}
		for k := range r.probes {
			if risk := r.probes[k].Risk; risk != nil && risk.Score > f.RiskScore() && grave(v) {
				f.Risk = risk
			}
		}
	}
}

// grave says of which vulnerability the risk of its container is told: of all others it would say no more than where they stand.
func grave(v *verdict.Vulnerability) bool {
	return isWayIn(v.Vector) && (v.Exploited || v.Likelihood != nil && *v.Likelihood >= likely)
}
