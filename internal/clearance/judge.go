package clearance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/coaming/coaming/internal/assay"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/hold"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// SubjectOf is an image that is kept, as it is put to the advisories.
func SubjectOf(r *hold.Record, products []string) *assay.Subject {
	return &assay.Subject{
		Image: &r.Image, Name: r.Name, Products: products,
		Location: verdict.Location{Source: "image:" + r.Image.Name, File: filepath.ToSlash(r.Image.Name)},
	}
}

// JudgeRules asks the rules on images about one image that is kept.
func JudgeRules(r *hold.Record, rules []*rule.Compiled, told rule.Settings, now time.Time) *verdict.Result {
	inventory := fact.NewInventory(nil, "", false)
	inventory.Images = []*fact.Image{&r.Image}
	return judge.Judge(judge.Input{Inventory: inventory, Rules: rules, Coverage: r.Coverage, Settings: told, Now: now, Width: 1})
}

// judge says what is wrong with an image on one platform: what is published about its packages, what the rules say of it, and
// what could not be looked at.
func (c *Clearance) judge(r *hold.Record) ([]verdict.Finding, error) {
	c.bench.take()
	defer c.bench.giveBack()
	if err := assay.SettleBase(&r.Image, nil, c.bases); err != nil {
		return nil, err
	}
	tried, err := c.bench.bench.Try(SubjectOf(r, nil))
	if err != nil {
		return nil, err
	}
	findings := tried.Findings
	for i := range r.Coverage.Gaps {
		findings = append(findings, unread(r, &r.Coverage.Gaps[i]))
	}
	if len(c.bench.rules) > 0 {
		findings = append(findings, JudgeRules(r, c.bench.rules, c.bench.told, c.Now()).Findings...)
	}
	return compact(findings), nil
}

// unread says that what was not read of an image may hold anything.
func unread(r *hold.Record, g *verdict.Gap) verdict.Finding {
	sum := sha256.Sum256([]byte(strings.Join([]string{"unread", r.Name, g.Location.File, g.Message}, "\x00")))
	return verdict.Finding{
		Verdict: verdict.Unknown, Rule: assay.RuleID, Practice: assay.Rule.Practice, Severity: assay.Rule.Severity,
		Fingerprint: hex.EncodeToString(sum[:8]), Subject: verdict.Subject{Kind: "Image", Name: r.Name}, Location: g.Location, Path: g.Location.File,
		Message: "whether what was not read holds packages with published vulnerabilities: " + g.Message, Reason: g.Message,
	}
}

// compact gives findings texts of their own, each once: those that they were made with are parts of larger ones.
func compact(findings []verdict.Finding) []verdict.Finding {
	texts := map[string]string{}
	own := func(text *string) {
		if *text == "" {
			return
		}
		same, found := texts[*text]
		if !found {
			same = strings.Clone(*text)
			texts[same] = same
		}
		*text = same
	}
	for i := range findings {
		f := &findings[i]
		for _, text := range []*string{&f.Message, &f.Reason, &f.Path, &f.Subject.Name, &f.Location.Source, &f.Location.File} {
			own(text)
		}
		if v := f.Vulnerability; v != nil {
			for _, text := range []*string{&v.ID, &v.Summary, &v.FixedIn, &v.Vector, &v.Place, &v.Image, &v.Digest} {
				own(text)
			}
			v.Aliases, v.Advisories = slices.Clone(v.Aliases), slices.Clone(v.Advisories)
			for _, list := range [][]string{v.Aliases, v.Advisories} {
				for n := range list {
					own(&list[n])
				}
			}
		}
	}
	return slices.Clip(findings)
}

// merge puts the findings of several platforms together, each fault once.
func merge(lists [][]verdict.Finding) []verdict.Finding {
	if len(lists) == 1 {
		return lists[0]
	}
	type fault struct {
		fingerprint string
		verdict     verdict.Verdict
	}
	seen := map[fault]bool{}
	var all []verdict.Finding
	for _, list := range lists {
		for i := range list {
			f := &list[i]
			key := fault{f.Fingerprint, f.Verdict}
			if !seen[key] {
				seen[key] = true
				all = append(all, *f)
			}
		}
	}
	return all
}

// knownAs is what is known of the image of a digest, judged by what it is judged by now; nil where nothing is, or not before
// the context ends.
func (c *Clearance) knownAs(ctx context.Context, r *reference, digest string) *known {
	key := r.at(digest)
	if k := c.memory.image(key); k != nil && k.generation == c.generation.Load() {
		return k
	}
	if c.Store == nil {
		return nil
	}
	select {
	case found := <-c.judging.DoChan(key, func() (any, error) { return c.judgeKept(key, digest), nil }):
		k, _ := found.Val.(*known)
		return k
	case <-ctx.Done():
		return nil
	}
}

// judgeKept judges what is kept of an image; nil where not all of it is.
func (c *Clearance) judgeKept(key, digest string) (k *known) {
	defer func() {
		if broken := recover(); broken != nil {
			c.Log.Error("judging an image that is kept broke off", "image", key, "error", broken)
			k = nil
		}
	}()
	kept := c.kept(key)
	if kept == nil {
		return nil
	}
	c.judges <- struct{}{}
	defer func() { <-c.judges }()
	records := make([]*hold.Record, 0, len(kept.Platforms))
	for i := range kept.Platforms {
		p := &kept.Platforms[i]
		r := c.Store.Image(p.Key)
		if r == nil || r.Image.Contents == nil {
			return nil // it went away, and is read again
		}
		r.Image.Contents.Trust = p.Vouching
		records = append(records, r)
	}
	k, err := c.judgeAll(records, digest)
	if err != nil {
		c.Log.Error("an image that is kept could not be judged", "image", key, "error", err)
		return nil
	}
	k.read, k.until = kept.Read, kept.Until
	c.memory.put(key, k)
	c.counts.rejudged.Add(1)
	return k
}

func (c *Clearance) judgeAll(records []*hold.Record, digest string) (*known, error) {
	generation := c.generation.Load() // before: what changes meanwhile is noticed
	var lists [][]verdict.Finding
	for _, r := range records {
		findings, err := c.judge(r)
		if err != nil {
			return nil, err
		}
		lists = append(lists, findings)
	}
	return &known{digest: digest, findings: merge(lists), generation: generation}, nil
}
