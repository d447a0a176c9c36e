package report

import "github.com/coaming/coaming/internal/verdict"

// The part of SARIF 2.1.0 that is written, in the order of the standard's sections.
type (
	sarifText struct {
		Text string `json:"text"`
	}
	sarifHelp struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown"`
	}
	sarifArtifact struct { // §3.4
		URI    string `json:"uri"`
		BaseID string `json:"uriBaseId,omitempty"`
	}
	sarifBase struct {
		Description sarifText `json:"description"`
	}
	sarifRunProperties struct { // §3.14
		Tally    []verdict.Tally  `json:"coaming/tally"`
		Coverage verdict.Coverage `json:"coaming/coverage"`
	}
	sarifResult struct { // §3.27
		RuleID       string                `json:"ruleId"`
		RuleIndex    *int                  `json:"ruleIndex,omitempty"`
		Kind         string                `json:"kind"`
		Level        string                `json:"level"`
		Baseline     string                `json:"baselineState,omitempty"` // §3.27.24
		Rank         *float64              `json:"rank,omitempty"`          // §3.27.25
		Message      sarifText             `json:"message"`
		Locations    []sarifLocation       `json:"locations"`
		Related      []sarifLocation       `json:"relatedLocations,omitempty"` // the same fault of the same object, read again
		Fingerprints sarifFingerprints     `json:"partialFingerprints"`
		Suppressions []sarifSuppression    `json:"suppressions"` // on every result or on none (§3.27.23)
		Properties   sarifResultProperties `json:"properties"`
	}
	sarifFingerprints struct {
		V1 string `json:"coaming/v1"`
	}
	sarifResultProperties struct {
		Verdict  verdict.Verdict `json:"coaming/verdict"`
		Severity string          `json:"coaming/severity"`
		Reason   string          `json:"coaming/reason,omitempty"`
		Risk     string          `json:"coaming/risk,omitempty"`
	}
	sarifLocation struct { // §3.28
		Physical *sarifPhysical `json:"physicalLocation,omitempty"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
		Message  *sarifText     `json:"message,omitempty"`
	}
	sarifPhysical struct { // §3.29
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
		Context  *sarifRegion  `json:"contextRegion,omitempty"`
	}
	sarifRegion struct { // §3.30
		StartLine   int        `json:"startLine"`
		StartColumn int        `json:"startColumn,omitempty"`
		EndLine     int        `json:"endLine,omitempty"`
		Snippet     *sarifText `json:"snippet,omitempty"`
	}
	sarifLogical struct { // §3.33
		Name      string `json:"name"`
		Qualified string `json:"fullyQualifiedName"`
		Kind      string `json:"kind"`
	}
	sarifSuppression struct { // §3.35
		Kind          string `json:"kind"`
		Status        string `json:"status"`
		Justification string `json:"justification,omitempty"`
	}
	sarifDescriptor struct { // §3.49
		ID         string               `json:"id"`
		Name       string               `json:"name,omitempty"`
		Short      sarifText            `json:"shortDescription"`
		Full       sarifText            `json:"fullDescription"`
		Help       sarifHelp            `json:"help"`
		Config     sarifConfig          `json:"defaultConfiguration"`
		Properties *sarifRuleProperties `json:"properties,omitempty"`
	}
	sarifRuleProperties struct {
		Tags             []string            `json:"tags"`
		SecuritySeverity string              `json:"security-severity"`
		Practice         string              `json:"coaming/practice,omitempty"`
		Maps             map[string][]string `json:"coaming/maps,omitempty"`
	}
	sarifConfig struct { // §3.50
		Level string `json:"level"`
	}
	sarifReference struct { // §3.52
		ID string `json:"id"`
	}
	sarifNotification struct { // §3.58
		Descriptor sarifReference      `json:"descriptor"`
		Level      string              `json:"level"`
		Message    sarifText           `json:"message"`
		Locations  []sarifLocation     `json:"locations,omitempty"`
		Properties *sarifGapProperties `json:"properties,omitempty"`
	}
	sarifGapProperties struct {
		Kinds     []string `json:"coaming/kinds,omitempty"`
		Namespace string   `json:"coaming/namespace,omitempty"`
	}
)
