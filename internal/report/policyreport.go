package report

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"

	"github.com/coaming/coaming/internal/verdict"
)

// maxPolicyReport bounds one report object in bytes: an API server takes no more than 1.5 MiB, and etcd
// little more.
const maxPolicyReport = 900 << 10

// flavour is one of the two API groups that have the same report under different names.
type flavour struct {
	apiVersion, kind, clusterKind string
	source                        bool // the report itself names its source
}

// OpenReports writes Report objects of openreports.io/v1alpha1, one or more for each namespace, and
// ClusterReport objects for the rest, as a stream of YAML documents for 'kubectl apply'.
func OpenReports(w io.Writer, res *verdict.Result, _ Meta) error {
	return policyReports(w, res, flavour{"openreports.io/v1alpha1", "Report", "ClusterReport", true})
}

// PolicyReports writes PolicyReport and ClusterPolicyReport objects of wgpolicyk8s.io/v1alpha2, likewise.
func PolicyReports(w io.Writer, res *verdict.Result, _ Meta) error {
	return policyReports(w, res, flavour{"wgpolicyk8s.io/v1alpha2", "PolicyReport", "ClusterPolicyReport", false})
}

type (
	policyReport struct {
		kind    string
		source  string
		meta    policyMeta
		summary policySummary
		results [][]byte // each as JSON
	}
	policyMeta struct {
		Name      string            `json:"name"`
		Namespace string            `json:"namespace,omitempty"`
		Labels    map[string]string `json:"labels"`
	}
	policySummary struct {
		Pass  int `json:"pass"`
		Fail  int `json:"fail"`
		Warn  int `json:"warn"`
		Error int `json:"error"`
		Skip  int `json:"skip"`
	}
	policyResult struct {
		Source     string            `json:"source"`
		Policy     string            `json:"policy"`
		Rule       string            `json:"rule,omitempty"`
		Category   string            `json:"category,omitempty"`
		Severity   string            `json:"severity,omitempty"`
		Result     string            `json:"result"`
		Scored     bool              `json:"scored,omitempty"`
		Resources  []policyResource  `json:"resources,omitempty"`
		Message    string            `json:"message,omitempty"`
		Properties map[string]string `json:"properties,omitempty"`
	}
	policyResource struct {
		APIVersion string `json:"apiVersion,omitempty"`
		Kind       string `json:"kind,omitempty"`
		Namespace  string `json:"namespace,omitempty"`
		Name       string `json:"name,omitempty"`
		FieldPath  string `json:"fieldPath,omitempty"`
	}
)

func policyReports(w io.Writer, res *verdict.Result, as flavour) error {
	s := &policyStream{out: bufio.NewWriterSize(w, 1<<16), as: as, rules: rulesByID(res)}
	byNamespace := map[string][]*verdict.Finding{}
	var namespaces []string
	for i := range res.Findings {
		f := &res.Findings[i]
		in := reportNamespace(f)
		if _, seen := byNamespace[in]; !seen {
			namespaces = append(namespaces, in)
		}
		byNamespace[in] = append(byNamespace[in], f)
	}
	s.cluster(res, byNamespace[""])
	slices.Sort(namespaces)
	for _, in := range namespaces {
		if in == "" {
			continue
		}
		s.begin(in)
		for _, f := range byNamespace[in] {
			s.add(s.finding(f))
		}
		s.end()
	}
	if s.err == nil {
		s.err = s.out.Flush()
	}
	if s.err != nil {
		return fmt.Errorf("write report: %w", s.err)
	}
	return nil
}

// dnsLabel is the form of a namespace's name.
var dnsLabel = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// reportNamespace is where a report of the finding may stand: "" for what has no namespace, or none that
// an API server would take.
func reportNamespace(f *verdict.Finding) string {
	if !dnsLabel.MatchString(f.Subject.Namespace) {
		return ""
	}
	return f.Subject.Namespace
}

// policyStream writes reports, each filled up to its bound.
type policyStream struct {
	out   *bufio.Writer
	as    flavour
	rules map[string]*verdict.RuleInfo
	err   error

	now    *policyReport // the one that is being filled
	size   int           // bytes of its results
	number int           // of the reports of its namespace
}

// cluster writes what belongs to no namespace: findings, what was not looked at, and the rules that
// passed everywhere.
func (s *policyStream) cluster(res *verdict.Result, findings []*verdict.Finding) {
	s.begin("")
	for _, f := range findings {
		s.add(s.finding(f))
	}
	if a := res.Coverage.Advisories; a != nil && a.Stale == "" {
		s.add(policyResult{Source: toolName, Policy: "coverage", Rule: "advisories", Result: "pass", Message: AdvisoriesText(a)})
	}
	for i := range res.Coverage.Gaps {
		g := &res.Coverage.Gaps[i]
		s.add(policyResult{
			Source: toolName, Policy: "coverage", Rule: string(g.Code), Result: "error",
			Message:    cut(visible("Not looked at: "+g.Message), maxText),
			Properties: propertiesOf("", &g.Location),
		})
	}
	o := newOutcome(res, verdict.Low, false)
	if why := o.nothingJudged(); why != "" {
		s.add(policyResult{Source: toolName, Policy: "coverage", Rule: noteNothing, Result: "error", Message: "Nothing was judged: " + why})
	}
	for _, t := range res.ByRule {
		if r := s.rules[t.Rule]; r != nil && t.Pass > 0 && t.Fail+t.Unknown+t.Exempt == 0 {
			s.add(policyResult{
				Source: toolName, Policy: visible(r.Practice), Rule: visible(r.ID), Category: visible(r.Practice),
				Severity: min(r.Severity, verdict.Critical).String(), Result: "pass", Scored: true,
				Message: cut(prose(r.Title), maxText) + ": none of " + thousands(t.Pass),
			})
		}
	}
	s.end()
}

// policyWords are the reports' words for our verdicts.
var policyWords = map[verdict.Verdict]string{verdict.Fail: "fail", verdict.Unknown: "error", verdict.Exempt: "skip", verdict.Pass: "pass"}

func (s *policyStream) finding(f *verdict.Finding) policyResult {
	r := policyResult{
		Source: toolName, Policy: visible(f.Practice), Rule: visible(f.Rule), Category: visible(f.Practice),
		Severity: min(f.Severity, verdict.Critical).String(), Result: policyWords[f.Verdict], Scored: true,
		Message: cut(visible(f.Message), maxText),
		Resources: []policyResource{{
			APIVersion: visible(f.Subject.APIVersion), Kind: visible(f.Subject.Kind), Namespace: visible(f.Subject.Namespace),
			Name: cut(visible(f.Subject.Name), maxPlace), FieldPath: cut(visible(f.Path), maxPlace),
		}},
		Properties: propertiesOf(f.Fingerprint, &f.Location),
	}
	if f.Unrated() {
		r.Severity = "" // the schema has no word for it
		r.Properties["severity"] = severityWord(f)
	}
	if r.Policy == "" {
		r.Policy = toolName // the schema wants one
	}
	if f.Reason != "" {
		r.Properties["reason"] = cut(visible(f.Reason), maxText)
	}
	if f.Subject.Container != "" {
		r.Properties["container"] = cut(visible(f.Subject.Container), maxPlace)
	}
	if rule := s.rules[f.Rule]; rule != nil {
		r.Properties["remedy"] = cut(prose(rule.Remedy), maxText)
	}
	return r
}

func propertiesOf(fingerprint string, l *verdict.Location) map[string]string {
	properties := map[string]string{"source": cut(visible(l.Source), maxPlace), "place": cut(position(l), maxPlace)}
	if fingerprint != "" {
		properties["fingerprint"] = fingerprint
	}
	return properties
}

// begin starts the reports of a namespace.
func (s *policyStream) begin(namespace string) {
	s.number = 0
	s.open(namespace)
}

func (s *policyStream) open(namespace string) {
	s.number++
	kind, name, source := s.as.kind, toolName, ""
	if namespace == "" {
		kind = s.as.clusterKind
	}
	if s.number > 1 {
		name += "-" + strconv.Itoa(s.number)
	}
	if s.as.source {
		source = toolName
	}
	s.size = 0
	s.now = &policyReport{
		kind: kind, source: source,
		meta: policyMeta{Name: name, Namespace: namespace, Labels: map[string]string{"app.kubernetes.io/managed-by": toolName}},
	}
}

func (s *policyStream) add(r policyResult) {
	raw, err := json.Marshal(r)
	if err != nil {
		s.err = err
		return
	}
	if s.size += len(raw) + 3; s.size > maxPolicyReport && len(s.now.results) > 0 {
		s.end()
		s.open(s.now.meta.Namespace)
		s.size = len(raw) + 3
	}
	s.now.results = append(s.now.results, raw)
	switch r.Result {
	case "pass":
		s.now.summary.Pass++
	case "fail":
		s.now.summary.Fail++
	case "error":
		s.now.summary.Error++
	case "skip":
		s.now.summary.Skip++
	}
}

// end writes the report that was filled. JSON is YAML too; a result a line is as well to read, and a
// twentieth of the time.
func (s *policyStream) end() {
	if s.err != nil {
		return
	}
	meta, err := json.Marshal(s.now.meta)
	summary, other := json.Marshal(s.now.summary)
	if s.err = errors.Join(err, other); s.err != nil {
		return
	}
	s.out.WriteString("---\napiVersion: " + s.as.apiVersion + "\nkind: " + s.now.kind + "\nmetadata: ")
	s.out.Write(meta)
	if s.now.source != "" {
		s.out.WriteString("\nsource: " + s.now.source)
	}
	s.out.WriteString("\nsummary: ")
	s.out.Write(summary)
	if len(s.now.results) > 0 {
		s.out.WriteString("\nresults:")
	}
	for _, raw := range s.now.results {
		s.out.WriteString("\n- ")
		s.out.Write(raw)
	}
	s.out.WriteString("\n")
}
