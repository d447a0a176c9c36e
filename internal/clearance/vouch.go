package clearance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/trust"
)

// soon is when who vouches for an image is asked again where the answer was that nobody knows.
const soon = 30 * time.Second

// vouch asks who vouches for the image, as it was read for one platform; nil where nobody is asked, or the policy says nothing of it.
// until is when it must be asked again.
func (v *visit) vouch(ctx context.Context, img *fact.Image) (by *fact.Vouching, until time.Time, err error) {
	name := v.repository.Digest(v.digest).Name()
	if v.Policy == nil || !v.Policy.Names(trust.RepositoryOf(name)) {
		return nil, time.Time{}, nil
	}
	report, err := v.report(ctx, name, img)
	if err != nil {
		return nil, time.Time{}, err
	}
	until, err = time.Parse(time.RFC3339, report.Until)
	if least := v.Now().Add(soon); err != nil || until.Before(least) {
		until = least
	}
	return report.Of(img), until, nil
}

func (v *visit) report(ctx context.Context, name string, img *fact.Image) (*trust.Report, error) {
	unasked := trust.Subject{Name: name, Repository: trust.RepositoryOf(name), Digest: img.Digest}
	beside, subject, err := trust.OpenRegistry(ctx, v.client, name)
	if err != nil {
		return v.Policy.Unasked(unasked, err.Error()), ctx.Err()
	}
	same, err := subject.Within(ctx, beside, img.Digest)
	if err == nil && !same {
		err = errors.New("the image is none of those that the digest names")
	}
	if err != nil {
		return v.Policy.Unasked(unasked, err.Error()), ctx.Err()
	}
	report, err := v.Policy.Verify(ctx, subject, trust.Both(beside, v.Files), v.Now())
	if err != nil {
		return nil, fmt.Errorf("ask who vouches for %s: %w", name, err)
	}
	return report, ctx.Err()
}

// policyKey tells policies apart by all that they hold, and the bundles beside them.
func policyKey(p *trust.Policy, files trust.Files) string {
	if p == nil {
		return ""
	}
	hash := sha256.New()
	_, _ = fmt.Fprintf(hash, "%d\n%s", len(p.Text), p.Text) // a hash never fails
	for i := range files {
		_, _ = fmt.Fprintf(hash, "\n%d\n%s", len(files[i].Body), files[i].Body)
	}
	return hex.EncodeToString(hash.Sum(nil))
}
