package admission

import (
	"cmp"
	"slices"

	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/verdict"
)

// images asks what is known of the images that the object is to run, and was not to run before.
func (t *trial) images(q *request, o *fact.Object, class Class, out *Outcome) {
	setting := t.Plan.ImagesAt(t.at)
	if !class.takes(setting.Setting) {
		setting.Mode = enforcement.Off
	}
	if setting.Mode == enforcement.Off && (len(t.court.images) == 0 || t.Clearance == nil) {
		return
	}
	var before []string
	if q.operation == "UPDATE" {
		before = imagesOf(q.subject(q.old))
	}
	images := slices.DeleteFunc(imagesOf(o), func(image string) bool { return slices.Contains(before, image) })
	if len(images) == 0 {
		return
	}
	var cleared []Cleared
	why := "the gate was not told to look into images (--images)"
	if t.Clearance != nil {
		cleared, why = t.Clearance.Clear(t.ctx, images, t.at), "no answer came"
	}
	var found []verdict.Finding
	for i, image := range images {
		c := Cleared{State: Failed, Why: why}
		if i < len(cleared) {
			c = cleared[i]
		}
		if c.State == Known {
			found = append(found, t.excused(t.violating(c.Findings, &setting), c.Findings)...)
			continue
		}
		t.unseen(image, &c, &setting, out)
	}
	for _, f := range found {
		s := setting.Setting
		if t.byID[f.Rule] != nil {
			s = t.court.images[f.Rule]
		}
		out.add(s, &f, t.byID[f.Rule])
	}
}

// imagesOf are the images that an object's containers run and its volumes hold, each once, in their order.
func imagesOf(o *fact.Object) []string {
	var list []string
	seen := map[string]bool{} // an object of some MB names ten thousands
	for _, w := range fact.NewInventory([]*fact.Object{o}, "", true).Workloads {
		for r := range w.References() {
			if !seen[r.Image] {
				seen[r.Image] = true
				list = append(list, r.Image)
			}
		}
	}
	return list
}

// violating is what of an image's findings the plan minds, as copies.
func (t *trial) violating(findings []verdict.Finding, setting *enforcement.ImageSetting) []verdict.Finding {
	var list []verdict.Finding
	for i := range findings {
		f := findings[i]
		if f.Verdict != verdict.Fail && f.Verdict != verdict.Unknown {
			continue
		}
		if t.byID[f.Rule] != nil {
			if _, asked := t.court.images[f.Rule]; asked {
				list = append(list, f)
			}
			continue
		}
		if setting.Mode == enforcement.Off || setting.FailOn == nil {
			continue
		}
		if f.Verdict == verdict.Unknown { // whatever is asked of it: what nobody could look at may be that
			list = append(list, f)
			continue
		}
		switch met := setting.FailOn.Meets(&f); met { //nolint:exhaustive // of the others there is nothing to tell
		case verdict.Unknown:
			f.Verdict, f.Reason = verdict.Unknown, cmp.Or(f.Reason, "what "+setting.FailOn.String()+" asks is not known of it")
			list = append(list, f)
		case verdict.Fail:
			list = append(list, f)
		}
	}
	return list
}

// excused lets exceptions speak for what the plan minds of an image; they count all that was found in it, as in a scan.
func (t *trial) excused(minded, found []verdict.Finding) []verdict.Finding {
	grant := t.granting(t.excusingImages, "", nil)
	if grant == nil || len(grant(minded)) == 0 {
		return minded
	}
	infos := map[string]bool{}
	in := judge.Input{
		Inventory: fact.NewInventory(nil, t.Version, true), Granted: grant, Lifetime: t.Lifetime, Now: t.Now(), Terse: true, Uncounted: true,
	}
	for i := range found {
		if f := &found[i]; !infos[f.Rule] {
			infos[f.Rule] = true
			in.Found.Rules = append(in.Found.Rules, verdict.RuleInfo{ID: f.Rule, Practice: f.Practice, Severity: f.Severity})
		}
	}
	in.Found.Findings = slices.Clone(found) // which others share
	exempt := map[string]verdict.Finding{}
	for _, f := range judge.Judge(in).Findings {
		if f.Verdict == verdict.Exempt {
			exempt[f.Fingerprint] = f
		}
	}
	for i := range minded {
		if f, is := exempt[minded[i].Fingerprint]; is && minded[i].Verdict == verdict.Fail {
			minded[i] = f
		}
	}
	return minded
}

// unseen tells of an image of which nothing is known, be it that nobody has looked into it yet or that nobody could: who may name an
// image may name one that cannot be read.
func (t *trial) unseen(image string, c *Cleared, setting *enforcement.ImageSetting, out *Outcome) {
	f := &verdict.Finding{
		Verdict: verdict.Unknown, Rule: "image-unseen", Subject: verdict.Subject{Kind: fact.ImageKind, Name: image},
		Message: "image " + short(image) + " was not looked at", Reason: cmp.Or(c.Why, "it is waiting for its turn"),
	}
	s := setting.Setting
	if s.Mode == enforcement.Off {
		s = t.strictest()
	}
	switch setting.Unseen {
	case enforcement.UnseenAudit:
		s.Mode = min(s.Mode, enforcement.Audit)
	case enforcement.UnseenDeny, enforcement.UnseenWait: // who waited in vain knows no more
		s.Fail = true
	}
	if s.Mode != enforcement.Off {
		out.add(s, f, nil)
	}
}

// strictest is how the strictest of the rules on what images hold does.
func (t *trial) strictest() (strictest enforcement.Setting) {
	for _, s := range t.court.images {
		if s.Mode > strictest.Mode || s.Mode == strictest.Mode && s.Fail {
			strictest = s
		}
	}
	return strictest
}
