package judge_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/image"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/signature"
	"github.com/coaming/coaming/internal/trust"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/specimen"
)

// demanding are the rules that judge what a policy of trust demands. The others compare what is attested with the image.
var demanding = map[string]bool{
	"image-unsigned": true, "image-signed-by-stranger": true, "image-signatures-too-few": true, "image-provenance-unattested": true, "image-builder-untrusted": true,
	"image-source-untrusted": true, "image-provenance-doubtful": true, "image-slsa-level-low": true, "image-sbom-unattested": true, "image-attestation-missing": true,
}

// beside is what stands beside an image of a test, and what of it could not be looked at.
type beside struct {
	list   []trust.Evidence
	unseen []string
}

func (b beside) Evidence(context.Context, string) ([]trust.Evidence, []string, error) {
	return b.list, b.unseen, nil
}

// notary signs with the key of a name.
type notary struct {
	t      *testing.T
	dir    string
	digest string
}

func (n *notary) key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	key := ed25519.NewKeyFromSeed(seed[:])
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(n.dir, name+".pub"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600); err != nil {
		n.t.Fatal(err)
	}
	return key
}

func (n *notary) sign(name string) trust.Evidence {
	payload, err := signature.Claim{Reference: "registry.example.com/shop/web", Digest: n.digest}.Payload()
	if err != nil {
		n.t.Fatal(err)
	}
	sig := base64.StdEncoding.EncodeToString(ed25519.Sign(n.key(name), payload))
	return trust.Evidence{Form: trust.Cosign, Place: "signature by " + name, Body: payload, Annotations: map[string]string{signature.Annotation: sig}}
}

func (n *notary) attest(name, predicateType, predicate string) trust.Evidence {
	statement := fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"web","digest":{"sha256":%q}}],"predicateType":%q,"predicate":%s}`,
		strings.TrimPrefix(n.digest, "sha256:"), predicateType, predicate)
	signed := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(signature.InTotoType), signature.InTotoType, len(statement), statement)
	body, err := json.Marshal(map[string]any{
		"payloadType": signature.InTotoType, "payload": statement, "signatures": []map[string]any{{"sig": ed25519.Sign(n.key(name), signed)}},
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return trust.Evidence{Form: trust.DSSE, Place: "attestation by " + name, Body: body}
}

// TestTrustRulesDecideAsVerify puts policies and evidence together at random, and holds the rules to what 'image verify' says of
// the same: as many fails as demands that fail, and unknown where a demand is.
func TestTrustRulesDecideAsVerify(t *testing.T) {
	rules := trustRules(t)
	described := specimen.Values(t, "{files: {/app: {elf: {}}}}")[0]
	img, err := image.Specimen(described)
	if err != nil {
		t.Fatal(err)
	}
	n := &notary{t, t.TempDir(), img.Digest}
	for _, name := range []string{"release", "qa", "ci", "mallory"} {
		n.key(name)
	}
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same cases each time
	told, broken := map[verdict.Verdict]int{}, map[string]int{}
	for range 600 {
		policy := randomPolicy(t, random, n.dir)
		from := randomEvidence(random, n)
		report, err := policy.Verify(t.Context(), trust.Subject{Repository: "registry.example.com/shop/web", Digest: img.Digest, MediaType: "m", Size: 1}, from, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		img.Contents.Trust = report.Vouching(nil)
		res := judge.Judge(judge.Input{Inventory: &fact.Inventory{Images: []*fact.Image{img}}, Rules: rules, Now: time.Now()})
		fails, unknown := map[string]int{}, 0
		for _, f := range res.Findings {
			if demanding[f.Rule] && f.Verdict == verdict.Fail {
				fails[f.Path]++
				broken[f.Rule]++
			} else if demanding[f.Rule] {
				unknown++
			}
		}
		want := map[string]bool{} // what two entries demand in the same words is one finding
		for _, d := range report.Demands {
			told[d.Verdict]++
			if d.Verdict == verdict.Fail {
				want[d.Name] = true
			}
		}
		v := report.Verdict()
		if total := sum(fails); total != len(want) || (v == verdict.Unknown) != (unknown > 0) || (v == verdict.Pass) != (total+unknown == 0) {
			t.Fatalf("verify says %s, the rules %v and %d unknown:\n%+v\n%+v", v, fails, unknown, report.Demands, res.Findings)
		}
	}
	for _, v := range []verdict.Verdict{verdict.Pass, verdict.Fail, verdict.Unknown} {
		if told[v] < 50 {
			t.Errorf("only %d demands are %s", told[v], v)
		}
	}
	for id := range demanding {
		if broken[id] == 0 && id != "image-provenance-doubtful" { // that takes a certificate, which keys have not
			t.Errorf("%s was never broken", id)
		}
	}
}

func sum(of map[string]int) (n int) {
	for _, one := range of {
		n += one
	}
	return n
}

func trustRules(t *testing.T) []*rule.Compiled {
	t.Helper()
	brief, err := catalog.Brief()
	if err != nil {
		t.Fatal(err)
	}
	all, err := catalog.Compile(brief)
	if err != nil {
		t.Fatal(err)
	}
	var list []*rule.Compiled
	for _, r := range all {
		if r.EachName != "" && r.EachPath[0] == "trust" {
			list = append(list, r)
		}
	}
	if len(list) < len(demanding) {
		t.Fatalf("only %d rules read who vouches for images", len(list))
	}
	return list
}

func randomPolicy(t *testing.T, random *rand.Rand, dir string) *trust.Policy {
	t.Helper()
	signers := map[string]*trust.Signer{"release": {Keys: []string{"release.pub"}}, "qa": {Keys: []string{"qa.pub"}}, "ci": {Keys: []string{"ci.pub"}}}
	if random.IntN(2) == 0 {
		signers["ci"].Builds = []trust.Build{{Builder: "https://ci.example.com/*", Level: 3}}
	}
	var entries []*trust.Entry
	for range 1 + random.IntN(2) {
		e := &trust.Entry{Repositories: []string{"registry.example.com/**"}, Signers: []string{"release", "qa"}}
		wanted := random.IntN(3)
		e.Signatures = &wanted
		for i := random.IntN(3); i >= 0; i-- {
			w := trust.Wanted{Type: []string{"provenance", "sbom", "spdx", "vex", "https://example.com/review/v1"}[random.IntN(5)], Signers: []string{"ci"}}
			if w.Type == "provenance" {
				w.Builders = [][]string{nil, {"https://ci.example.com/**"}}[random.IntN(2)]
				w.Sources = [][]string{nil, {"https://example.com/shop/*"}}[random.IntN(2)]
				w.Level = random.IntN(4)
			}
			e.Attestations = append(e.Attestations, w)
		}
		entries = append(entries, e)
	}
	p, err := trust.NewPolicy(signers, entries, dir, trust.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func randomEvidence(random *rand.Rand, n *notary) beside {
	var b beside
	for _, name := range []string{"release", "qa", "ci", "mallory"} {
		if random.IntN(2) == 0 {
			b.list = append(b.list, n.sign(name))
		}
	}
	who := func() string { return []string{"ci", "ci", "ci", "qa", "mallory"}[random.IntN(5)] }
	if random.IntN(3) > 0 {
		host, owner := []string{"ci.example.com", "laptop.example.org"}[random.IntN(2)], []string{"shop", "mallory"}[random.IntN(2)]
		b.list = append(b.list, n.attest(who(), "https://slsa.dev/provenance/v1", fmt.Sprintf(
			`{"buildDefinition":{"externalParameters":{"source":"https://example.com/%s/web"}},"runDetails":{"builder":{"id":"https://%s/build"}}}`, owner, host)))
	}
	for _, predicateType := range []string{"https://spdx.dev/Document", "https://openvex.dev/ns", "https://example.com/review/v1"} {
		if random.IntN(3) > 0 {
			b.list = append(b.list, n.attest(who(), predicateType, "{}"))
		}
	}
	if random.IntN(4) == 0 {
		b.unseen = []string{"the registry did not list its referrers"}
	}
	return b
}

// TestNobodyAsksForTrust demands that images of which no policy says anything are not judged by it, and that a rule of one's own
// that reads it all the same is unknown.
func TestNobodyAsksForTrust(t *testing.T) {
	for _, r := range judgeImage(t, "{files: {/app: {elf: {}}}}").Findings {
		if demanding[r.Rule] || strings.Contains(r.Rule, "sbom") {
			t.Errorf("%s: %s", r.Rule, r.Message)
		}
	}
	res := judgeImage(t, `{files: {/app: {elf: {}}}, trust: {attestations: [{name: ci, kind: spdx, bill: {read: true}}], unseen: [the registry was away]}}`)
	if f := findings(res, "image-sbom-incomplete"); len(f) != 1 || f[0].Verdict != verdict.Unknown || !strings.Contains(f[0].Reason, "the registry was away") {
		t.Errorf("of what was not all seen: %+v", f)
	}
}
