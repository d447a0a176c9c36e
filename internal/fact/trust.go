package fact

// Trust is who vouches for an image: what was verified, by the signers whom a policy names for it. That
// something stands beside an image is not yet a reason to trust it: what nobody who is trusted has signed is among Rejected.
type Trust struct {
	// Digest is that of the manifest that was asked about.
	Digest string `json:"digest"`
	// Signatures are those of the image itself.
	Signatures []Signature `json:"signatures"`
	// Attestations are signed statements about the image.
	Attestations []Attestation `json:"attestations"`
	// Rejected is what stands beside the image and counts for nothing, with the reason.
	Rejected []Rejection `json:"rejected,omitempty"`
	// Unseen says what could not be looked at. Where it is not empty, something that is missing may be there.
	Unseen []string `json:"unseen,omitempty"`
}

// Signature is one that was verified.
type Signature struct {
	// Signer is who made it, in the policy's words.
	Signer string `json:"signer"`
	// Form is "cosign" (a payload of simple signing), "bundle" (sigstore's), "dsse" or "notation".
	Form string `json:"form"`
	// Key is the SHA-256 of the public key (SubjectPublicKeyInfo) that verified it, in hexadecimal.
	Key string `json:"key,omitempty"`
	// Identity and Issuer are of the certificate: of a keyless signature who logged in and where, of notation's the subjects' names.
	Identity string `json:"identity,omitempty"`
	Issuer   string `json:"issuer,omitempty"`
	// Time is when it was made (RFC 3339), and Clock who says so: "log" and "timestamp" were verified, "signer" is a claim.
	Time  string `json:"time,omitempty"`
	Clock string `json:"clock,omitempty"`
	// Logged says whether a transparency log has it, as was verified.
	Logged bool `json:"logged"`
	// Notes are what the policy tolerates.
	Notes []string `json:"notes,omitempty"`
	// Place is where it was found.
	Place string `json:"place"`
}

// Attestation is a signed statement about an image. Who signed it was verified; what it says is that signer's word.
type Attestation struct {
	Signature
	// Kind is "provenance", "spdx", "cyclonedx", "vex", "vulnerabilities", "summary" (of a verification) or "other".
	Kind string `json:"kind"`
	// PredicateType is the statement's own word for it, a URI.
	PredicateType string      `json:"predicateType"`
	Provenance    *Provenance `json:"provenance,omitempty"`
}

// Provenance is where an image was built from, and by whom (slsa.dev).
type Provenance struct {
	Builder    string `json:"builder"`
	BuildType  string `json:"buildType,omitempty"`
	Source     string `json:"source,omitempty"` // the repository, a URI
	Revision   string `json:"revision,omitempty"`
	Commit     string `json:"commit,omitempty"`
	Invocation string `json:"invocation,omitempty"`
	// Level is the level of SLSA's build track that could be verified, 0 to 3; LevelClaimed is what a statement says of itself.
	Level        int    `json:"level"`
	LevelClaimed string `json:"levelClaimed,omitempty"`
	// Doubts are where the statement and the certificate of who signed it disagree.
	Doubts []string `json:"doubts,omitempty"`
}

// Rejection is a signature or an attestation that counts for nothing.
type Rejection struct {
	Place string `json:"place"`
	Form  string `json:"form"`
	Why   string `json:"why"`
	// Stranger is who made it, where that could be verified, though nobody trusts them.
	Stranger string `json:"stranger"`
}
