package judge

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// Diff compares a result with an earlier one, by fingerprint, and marks its findings and gaps. What is
// gone is fixed only where its place was looked at again by the same rule; against names the earlier one.
func Diff(earlier, res *verdict.Result, against string) {
	d := &comparison{earlier: earlier, res: res, before: map[string][]*verdict.Finding{}}
	for i := range earlier.Findings {
		f := &earlier.Findings[i]
		d.before[f.Fingerprint] = append(d.before[f.Fingerprint], f)
	}
	out := &verdict.Diff{Against: against, Fixed: []verdict.Finding{}, NotLookedAt: []verdict.Finding{}}
	there := make(map[string]bool, len(res.Findings))
	for i := range res.Findings {
		f := &res.Findings[i]
		there[f.Fingerprint] = true
		switch d.mark(f); f.Change {
		case verdict.New:
			out.New++
		case verdict.Changed:
			out.Changed++
		case verdict.Unchanged:
			out.Unchanged++
		}
	}
	d.markGaps()
	d.prepare()
	for i := range earlier.Findings {
		f := earlier.Findings[i]
		if there[f.Fingerprint] {
			continue
		}
		f.Excerpt, f.Change, f.Was = nil, "", nil
		if why := d.unseen(&f); why != "" {
			f.Reason = why
			out.NotLookedAt = append(out.NotLookedAt, f)
			continue
		}
		f.Reason = ""
		out.Fixed = append(out.Fixed, f)
	}
	res.Diff = out
}

// comparison is what stays the same while two results are compared.
type comparison struct {
	earlier, res *verdict.Result
	before       map[string][]*verdict.Finding
	asked        map[string]bool
	exact        map[string]bool // sources of this time
	folders      []string        // those of them that are files and folders, cleaned
	leftOut      []string        // what was left out now and was not then
}

// mark says how a finding stands to those of its fingerprint.
func (d *comparison) mark(f *verdict.Finding) {
	olds := d.before[f.Fingerprint]
	f.Change, f.Was = verdict.New, nil
	for _, old := range olds {
		if old.Verdict == f.Verdict && old.Severity == f.Severity {
			f.Change = verdict.Unchanged
			return
		}
	}
	if len(olds) > 0 {
		old := olds[0]
		for _, o := range olds {
			if o.Verdict == f.Verdict {
				old = o
			}
		}
		f.Change, f.Was = verdict.Changed, &verdict.Was{Verdict: old.Verdict, Severity: old.Severity}
	}
}

type gapKey struct {
	code                             verdict.GapCode
	source, file, message, namespace string
}

func keyOfGap(g *verdict.Gap) gapKey {
	return gapKey{g.Code, g.Location.Source, g.Location.File, g.Message, g.Namespace}
}

// markGaps marks the gaps that the earlier result has too.
func (d *comparison) markGaps() {
	known := map[gapKey]bool{}
	for i := range d.earlier.Coverage.Gaps {
		known[keyOfGap(&d.earlier.Coverage.Gaps[i])] = true
	}
	gaps := slices.Clone(d.res.Coverage.Gaps)
	for i := range gaps {
		gaps[i].Known = known[keyOfGap(&gaps[i])]
	}
	d.res.Coverage.Gaps = gaps
}

func (d *comparison) prepare() {
	d.asked, d.exact = map[string]bool{}, map[string]bool{}
	for i := range d.res.Rules {
		d.asked[d.res.Rules[i].ID] = true
	}
	for _, s := range d.res.Coverage.Sources {
		d.exact[s] = true
		d.folders = append(d.folders, path.Clean(s))
	}
	before := map[string]int{}
	for _, e := range d.earlier.Coverage.Exclusions {
		before[e.What] += e.Count
	}
	for _, e := range d.res.Coverage.Exclusions {
		if hides[e.What] && e.Count > before[e.What] {
			d.leftOut = append(d.leftOut, e.What)
		}
	}
}

// hides are the exclusions behind which objects may stand that were judged before: what was added to an
// ignore file is not mended by that.
var hides = map[string]bool{
	"files and directories that are ignored": true, "hidden directories": true, "node_modules directories": true,
	"template files of charts": true, "charts that render to nothing": true,
}

// unseen says why it is not known whether an earlier finding is mended; "" when its place was looked at.
func (d *comparison) unseen(f *verdict.Finding) string {
	c := &d.res.Coverage
	switch {
	case !d.asked[f.Rule]:
		return "the rule " + f.Rule + " was not asked this time"
	case f.Practice == "version" && c.Version != d.earlier.Coverage.Version:
		return fmt.Sprintf("it was judged for Kubernetes %s, this time for %s", cmp.Or(d.earlier.Coverage.Version, "an unknown version"), c.Version)
	case len(c.Namespaces) > 0 && !slices.Contains(c.Namespaces, fact.Place(namespaceOf(&f.Subject))):
		return "only other namespaces were judged this time"
	}
	for _, l := range append([]verdict.Location{f.Location}, f.Also...) {
		if !d.within(&l) {
			return "not among this time's sources: " + cmp.Or(l.File, l.Source)
		}
	}
	for i := range c.Gaps {
		if g := &c.Gaps[i]; mayHide(g, f) && (!g.Known || near(g, f)) {
			return "it may stand in what was not looked at: " + g.Place()
		}
	}
	return d.leftBehind(f)
}

// leftBehind says that the finding's object may have been left out on purpose.
func (d *comparison) leftBehind(f *verdict.Finding) string {
	if !served(f.Location.Source) {
		if len(d.leftOut) > 0 {
			return "more was left out this time: " + strings.Join(d.leftOut, ", ")
		}
		return ""
	}
	for _, e := range d.res.Coverage.Exclusions {
		if kindName(e.What) == f.Subject.Kind {
			return "left out this time: " + e.What
		}
	}
	return ""
}

// served says that a source is a cluster or a snapshot of one, where objects have no files.
func served(source string) bool {
	return strings.HasPrefix(source, "cluster:") || strings.HasPrefix(source, "archive:")
}

// within says whether a place of the earlier result belongs to what was read this time.
func (d *comparison) within(l *verdict.Location) bool {
	if served(l.Source) || strings.Contains(l.Source, ":") && d.exact[l.Source] {
		return d.exact[l.Source]
	}
	file := path.Clean(l.File)
	return slices.ContainsFunc(d.folders, func(folder string) bool { return below(file, folder) })
}

// below says whether a file is a folder, or stands in it.
func below(file, folder string) bool {
	switch {
	case file == folder:
		return true
	case folder == ".":
		return !path.IsAbs(file) && file != ".." && !strings.HasPrefix(file, "../") && file != "-"
	case folder == "/":
		return path.IsAbs(file)
	}
	return strings.HasPrefix(file, folder+"/")
}

// mayHide says whether the finding's object may stand in the gap.
func mayHide(g *verdict.Gap, f *verdict.Finding) bool {
	if g.Namespace != "" && f.Subject.Namespace != "" && g.Namespace != f.Subject.Namespace {
		return false
	}
	return len(g.Kinds) == 0 || slices.ContainsFunc(g.Kinds, func(kind string) bool { return kindName(kind) == f.Subject.Kind })
}

// near says whether the gap is where the finding was: in the same file, above it or below it.
func near(g *verdict.Gap, f *verdict.Finding) bool {
	return slices.ContainsFunc(append([]verdict.Location{f.Location}, f.Also...), func(l verdict.Location) bool {
		a, b := path.Clean(g.Location.File), path.Clean(l.File)
		return g.Location.File == "" && g.Location.Source == l.Source || below(a, b) || below(b, a)
	})
}
