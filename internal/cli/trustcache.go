package cli

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/coaming/coaming/internal/cache"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/trust"
)

// Answers about images are kept by what they were made of: the image's name and digest, the policy and all that its files
// hold, the files with bundles. How long one holds, internal/trust says: what was verified stays so, what was missing is
// looked for again soon, and what could not be looked at is not kept.
const (
	keptAnswers     = 10_000
	keptAnswerBytes = 64 << 20
	mostAnswer      = 1 << 20 // bytes of an answer that is kept
	entryAnswer     = "trust.json"
)

// verify asks for the answer, or recalls it.
func (o *imageVerifyOptions) verify(ctx context.Context, env *Env, policy *trust.Policy, image *found, files trust.Files) (*trust.Report, error) {
	now := env.Now()
	store, key := o.answers(env, policy, image, files)
	if store != nil {
		if report := recallTrust(store, key, now); report != nil && !(o.bills && slices.ContainsFunc(report.Attestations, func(a fact.Attestation) bool { return trust.IsBill(&a) })) {
			report.Name = image.Name
			return report, nil
		}
	}
	report, err := policy.Verify(ctx, image.Subject, trust.Both(image.source, files), now)
	if err == nil && store != nil && report.Until != "" {
		if text, err := json.Marshal(report); err == nil && len(text) <= mostAnswer {
			_ = store.Put(key, cache.Entry{entryAnswer: text}) // what cannot be kept is asked again
		}
	}
	return report, err
}

// answers is where the answer would be kept; nil where none is: with --predicates the attestations themselves are wanted,
// and where continuous integration runs, what is in a cache may be a stranger's.
func (o *imageVerifyOptions) answers(env *Env, policy *trust.Policy, image *found, files trust.Files) (*cache.Store, cache.Key) {
	var key cache.Key
	if env.CacheDir == "" || o.noCache || o.predicates != "" || o.revocation || env.Getenv("CI") != "" {
		return nil, key
	}
	hash := sha256.New()
	part := func(text []byte) {
		_, _ = hash.Write([]byte(strconv.Itoa(len(text)) + ":")) // a hash never fails
		_, _ = hash.Write(text)
	}
	for _, word := range []string{"trust 2", env.Version, image.Repository, image.Digest, image.MediaType, strconv.FormatInt(image.Size, 10)} {
		part([]byte(word))
	}
	if _, isLayout := image.source.(*trust.Layout); isLayout {
		part([]byte(image.Name)) // what stands beside the image there may differ from what stands elsewhere
	}
	part(policy.Text)
	for i := range files {
		part(files[i].Body)
	}
	hash.Sum(key[:0])
	return &cache.Store{Dir: filepath.Join(env.CacheDir, "trust"), MostEntries: keptAnswers, MostBytes: keptAnswerBytes}, key
}

// recallTrust is an answer that still holds; nil when there is none.
func recallTrust(store *cache.Store, key cache.Key, now time.Time) *trust.Report {
	entry := store.Get(key)
	if entry == nil {
		return nil
	}
	report := &trust.Report{Trust: fact.Trust{}}
	if json.Unmarshal(entry[entryAnswer], report) != nil {
		return nil
	}
	until, err := time.Parse(time.RFC3339, report.Until)
	if err != nil || !now.Before(until) {
		return nil
	}
	return report
}
