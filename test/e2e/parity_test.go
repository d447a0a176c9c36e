package e2e

import (
	"testing"

	"github.com/coaming/coaming/test/webhook"
)

// threeWays drives every example of the catalogue through a scan, the exported policies in the real API server, and a gate over TLS, and
// demands one verdict of them. A rule that is no native policy is asked of the other two; one that only a whole cluster or an image
// tells is counted with the reason.
func (j *policyJudges) threeWays(t *testing.T) {
	x := webhook.NewExamples(t)
	var cases []*webhook.Case
	x.Sent = func(c *webhook.Case) { cases = append(cases, c) }
	x.Compare()
	var objects []sent
	for _, c := range cases {
		objects = append(objects, sent{name: c.Rule.ID + ", " + c.Name, rule: c.Rule.ID, object: c.Object})
	}
	judged := 0
	for i, answer := range j.answers(t, objects) {
		c := cases[i]
		if c.Told { // the policies are exported for the newest version and without settings: so is the scan that they are held to
			j.compare(t, objects[i], j.ours(c.Object), answer)
			continue
		}
		j.compare(t, objects[i], c.Scan, answer)
		if answer.refused == "" {
			judged++
		}
	}
	x.Tell()
	t.Logf("%d objects were judged by scan, policies and webhook", judged)
	if judged < 1500 || j.counts["of them refusals"] < 5000 {
		t.Error("that is too little to prove anything")
	}
}
