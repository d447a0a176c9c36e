package trust

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/sbom"
	"github.com/coaming/coaming/internal/verdict"
)

// IsBill says whether an attestation is a bill of materials.
func IsBill(a *fact.Attestation) bool { return a.Kind == "spdx" || a.Kind == "cyclonedx" }

// Bill reads the bill of materials that the attestation of that number holds.
func (r *Report) Bill(i int) (*fact.Image, *verdict.Coverage, error) {
	if i >= len(r.Predicates) {
		return nil, nil, errors.New("what it says was not kept")
	}
	text := r.Predicates[i]
	var wrapped struct{ Data json.RawMessage }
	if json.Unmarshal(text, &wrapped) == nil && len(wrapped.Data) > 0 {
		text = wrapped.Data // as older clients of sigstore wrap what they attest
	}
	var plain string
	if json.Unmarshal(text, &plain) == nil {
		text = []byte(plain) // tag-value of SPDX, or JSON within a text
	}
	return sbom.Read("the attestation of "+r.Attestations[i].Signer, bytes.NewReader(text), sbom.Limits{})
}

// Of is the answer as rules read it of the image that was asked about, the attested bills of materials compared with it.
func (r *Report) Of(img *fact.Image) *fact.Vouching {
	bills := make([]fact.Bill, len(r.Attestations))
	for i := range r.Attestations {
		if !IsBill(&r.Attestations[i]) {
			continue
		}
		listed, _, err := r.Bill(i)
		if err != nil {
			bills[i].Unread = err.Error()
			continue
		}
		bills[i].Read, bills[i].Packages = true, len(listed.Packages)
		bills[i].Missing, bills[i].Extra = sbom.Compare(listed.Packages, img.Packages)
	}
	return r.Vouching(bills)
}
