package gate_test

import (
	"testing"

	"github.com/coaming/coaming/test/webhook"
)

// TestGateAgreesWithScan sends every object of every example of the catalogue to a gate over TLS, with the example's other objects as its
// cluster, and demands of every rule that is asked the verdict of a scan of the example. What cannot be sent is counted by its reason.
func TestGateAgreesWithScan(t *testing.T) {
	x := webhook.NewExamples(t)
	x.Compare()
	x.Tell()
	if x.Counts["verdicts of scan and gate that agree"] < 100_000 || x.Counts["faults that scan and gate agree on"] < 2_000 {
		t.Error("that is too little to prove anything")
	}
}
