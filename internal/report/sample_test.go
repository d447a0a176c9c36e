package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/coaming/coaming/internal/verdict"
)

// sample is a hand-made result with every kind of entry that a report must know.
func sample() *verdict.Result {
	return &verdict.Result{
		Findings: sampleFindings(),
		Rules: []verdict.RuleInfo{
			{
				ID: "host-path", Title: "Pod mounts a directory of its node", Practice: "pod", Severity: verdict.High,
				Why:    "A hostPath volume shows the node's files to the pod.",
				Remedy: "Use a volume of another type.", Maps: map[string][]string{"mitre": {"T1611"}, "pss": {"baseline"}},
			},
			{
				ID: "namespace-default-deny", Title: "Namespace has no default-deny policy", Practice: "net",
				Severity: verdict.Medium, Why: "Without one every pod reaches every other.\n",
				Remedy: "Add a NetworkPolicy that selects all pods and allows nothing.",
			},
			{
				ID: "privileged-container", Title: "Container runs privileged", Practice: "pod", Severity: verdict.Critical,
				Why:    "A privileged container holds every capability and sees the host's devices; escaping it is one mount away.",
				Remedy: "Remove securityContext.privileged and add back only the capabilities that are needed.",
				Maps:   map[string][]string{"cis": {"5.2.2"}, "mitre": {"T1611"}, "pss": {"baseline"}},
			},
			{
				ID: "read-only-root", Title: "Root file system is writable", Practice: "pod", Severity: verdict.Low,
				Why: "A writable root lets an intruder leave tools behind.", Remedy: "Set securityContext.readOnlyRootFilesystem: true.",
			},
			{
				ID: "wildcard-verbs", Title: "Role grants every verb", Practice: "rbac", Severity: verdict.High,
				Why: "It grants what nobody thought of, today and after the next upgrade.", Remedy: "Name the verbs that are used.",
			},
		},
		Tally: []verdict.Tally{
			{Practice: "pod", Rules: 3, Pass: 1204, Fail: 6, Exempt: 1},
			{Practice: "rbac", Rules: 1, Pass: 3, Fail: 1, Unknown: 2},
			{Practice: "net", Rules: 1, Unknown: 1},
			{Practice: "image"},
		},
		Coverage: sampleCoverage(),
		Ledger:   sampleLedger(),
	}
}

// sampleLedger has an exception of every standing, and a baseline.
func sampleLedger() *verdict.Ledger {
	entry := func(line int, standing verdict.Standing, found int) verdict.LedgerEntry {
		return verdict.LedgerEntry{
			Exception: verdict.Exception{
				Rules: []string{"host-path"}, Owner: "ops@shop.example", Reason: "the log shipper needs it",
				Expires: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), Grant: verdict.GrantFile,
				Location: verdict.Location{Source: "files", File: ".coaming/exceptions.yaml", Line: line, Column: 3},
			},
			Standing: standing, Findings: found,
		}
	}
	inline := entry(58, verdict.Applied, 1)
	inline.Grant, inline.Location.File = verdict.GrantComment, "base/payments/deployment.yaml"
	refused := entry(20, verdict.Refused, 40)
	refused.Problem, refused.Advice = "it would excuse 40 findings and names 3 at most", "Narrow its scope, or raise atMost once somebody has looked at each."
	hostile := entry(3, verdict.Unused, 0)
	hostile.Owner, hostile.Location.File = "a\x1b[31mb\u202e", "odd/\x1b]8;;x#\n.yaml"
	return &verdict.Ledger{
		Exceptions: []verdict.LedgerEntry{entry(3, verdict.Applied, 1), entry(9, verdict.Expired, 2), inline, refused, hostile, entry(31, verdict.Unasked, 0)},
		Baseline: &verdict.BaselineLedger{File: "baseline.txt", Entries: 300, Old: 0, Graver: 3, Unasked: 7, Fixed: []verdict.BaselineEntry{
			{Fingerprint: "0123456789abcdef", Rule: "host-path", Severity: verdict.High, Subject: "Pod/shop/gone", Line: 12},
		}},
	}
}

func sampleFindings() []verdict.Finding {
	checkout := verdict.Subject{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "payments", Name: "checkout"}
	in := func(s verdict.Subject, container string) verdict.Subject { s.Container = container; return s }
	at := func(line, column int) verdict.Location {
		return verdict.Location{Source: "files", File: "base/payments/deployment.yaml", Line: line, Column: column}
	}
	role := verdict.Subject{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole", Name: "ops"}
	find := func(n int, v verdict.Verdict, rule, practice string, s verdict.Severity) verdict.Finding {
		return verdict.Finding{Fingerprint: fmt.Sprintf("%016x", 0x3f2a9c0d11e84b00+n), Verdict: v, Rule: rule, Practice: practice, Severity: s}
	}

	readOnly := func(n int, container string, line int) verdict.Finding {
		f := find(n, verdict.Fail, "read-only-root", "pod", verdict.Low)
		f.Subject, f.Location = in(checkout, container), at(line, 9)
		f.Message = "container " + container + " has a writable root file system"
		f.Path = "spec.template.spec.containers[" + container + "]"
		f.Excerpt = &verdict.Excerpt{First: line, Marked: line, Lines: []string{"      - name: " + container, ""}}
		return f
	}
	privileged := find(2, verdict.Fail, "privileged-container", "pod", verdict.Critical)
	privileged.Subject, privileged.Location = in(checkout, "app"), at(31, 25)
	privileged.Message = "container app runs privileged"
	privileged.Path = "spec.template.spec.containers[app].securityContext.privileged"
	privileged.Excerpt = &verdict.Excerpt{First: 29, Marked: 31, Lines: []string{
		"          image: shop/checkout:1.4", "          securityContext:", "            privileged: true", "          ports:",
	}}

	privileged.Risk = &verdict.Risk{
		Score: 96, ExposedFrom: []string{"internet"}, LeadsTo: []string{"cluster-admin", "node"}, Paths: 3, Needed: true,
		Why: "a step of attackers: Leave a privileged container; reached from the internet; a\x1b[31mb|<i>",
	}
	privileged.Also = []verdict.Location{
		{Source: "kustomize:overlays/prod", File: "overlays/prod", Line: 40, Column: 25, Rendered: true},
		{Source: "cluster:prod", File: "/apis/apps/v1/namespaces/payments/deployments/checkout"},
	}

	exempt := find(4, verdict.Exempt, "host-path", "pod", verdict.High)
	exempt.Subject, exempt.Location = checkout, at(61, 11)
	exempt.Message, exempt.Path = "volume logs shows /var/log of the node", "spec.template.spec.volumes[logs].hostPath"
	exempt.Exemption = &verdict.Exemption{Grant: verdict.GrantComment, Location: verdict.Location{Source: "files", File: "base/payments/deployment.yaml", Line: 58, Column: 3}}
	exempt.Reason = "excused by ops@shop.example until 2027-01-01: the log shipper needs it"

	exempt.Risk = &verdict.Risk{Score: 15, Why: "attackers from the internet come there"}

	rendered := find(5, verdict.Fail, "host-path", "pod", verdict.High)
	rendered.Subject = verdict.Subject{APIVersion: "v1", Kind: "Pod", Namespace: "shop", Name: "agent"}
	rendered.Location = verdict.Location{Source: "helm:shop", File: "chart/templates/agent.yaml", Line: 12, Column: 7, Rendered: true}
	rendered.Message, rendered.Path = "volume root shows / of the node", "spec.volumes[root].hostPath"
	rendered.Excerpt = &verdict.Excerpt{First: 11, Marked: 12, Lines: []string{"    - name: root", "      hostPath: {path: /}"}}

	hostile := find(6, verdict.Fail, "host-path", "pod", verdict.High)
	hostile.Subject = verdict.Subject{APIVersion: "v1", Kind: "Pod", Name: "a\x1b[31mb\u202egnp"}
	hostile.Location = verdict.Location{Source: "files", File: "odd/ä 100%\x1b]8;;x#\n.json", Line: 1, Column: 155}
	hostile.Message = "volume [a](https://evil.example) {0} \x9b\xff shows /"
	hostile.Path = "spec.volumes[[a](x)]"
	hostile.Excerpt = &verdict.Excerpt{First: 1, Marked: 1, Lines: []string{
		`{"kind":"Pod","metadata":{"name":"日本語😀` + strings.Repeat("x", 80) + "\u202e\u200b" + `"},"a":"` + "\x1b[2J" + `"},"spec":{"volumes":[{"hostPath":"/"}]}` + strings.Repeat(" ", 3) + strings.Repeat("y", 200),
	}}

	wildcard := find(7, verdict.Fail, "wildcard-verbs", "rbac", verdict.High)
	wildcard.Subject = role
	wildcard.Location = verdict.Location{Source: "cluster:prod", File: "/apis/rbac.authorization.k8s.io/v1/clusterroles/ops"}
	wildcard.Message, wildcard.Path = "rule 2 grants every verb on secrets", "rules[1].verbs"

	unknown := func(n int, rule, practice string, s verdict.Severity, message, reason string) verdict.Finding {
		f := find(n, verdict.Unknown, rule, practice, s)
		f.Subject, f.Message, f.Reason, f.Path = role, message, reason, "aggregationRule"
		f.Location = wildcard.Location
		return f
	}
	lists := "the credentials may not list ClusterRole.rbac.authorization.k8s.io"
	alone := find(10, verdict.Unknown, "namespace-default-deny", "net", verdict.Medium)
	alone.Subject = verdict.Subject{APIVersion: "v1", Kind: "Namespace", Name: "payments"}
	alone.Location = verdict.Location{Source: "files", File: "base/namespaces.yaml", Line: 4, Column: 1}
	alone.Message = "whether namespace payments has a default-deny policy"
	alone.Reason = "base/broken.yaml does not parse and may hold a NetworkPolicy"

	return []verdict.Finding{
		alone, readOnly(1, "app", 28), privileged, readOnly(3, "proxy", 44), exempt, readOnly(11, "migrate", 70),
		rendered, hostile, wildcard,
		unknown(8, "wildcard-verbs", "rbac", verdict.High, "what the aggregated rules grant", lists),
		unknown(9, "host-path", "pod", verdict.High, "what the aggregated rules reach", lists),
	}
}

func sampleCoverage() verdict.Coverage {
	c := verdict.Coverage{
		Sources: []string{"files", "helm:shop", "cluster:prod"},
		Files:   1204, Documents: 30, Objects: 28, Workloads: 14, Rules: 5, Evaluations: 4210,
		Gaps: []verdict.Gap{
			{
				Code: verdict.GapSyntax, Location: verdict.Location{Source: "files", File: "base/broken.yaml", Line: 3, Column: 4},
				Message: "mapping values are not allowed here", Remedy: "Correct the YAML.",
			},
			{
				Code: verdict.GapForbidden, Location: verdict.Location{Source: "cluster:prod", File: "/api/v1/secrets"},
				Message: "the credentials may not list Secret", Remedy: "Grant list on secrets, or leave them out with --skip-secrets.",
				Kinds: []string{"Secret"}, Namespace: "payments",
			},
			{Code: verdict.GapUnreachable, Location: verdict.Location{Source: "cluster:dev"}, Message: "connection refused"},
		},
		Exclusions: []verdict.Exclusion{
			{What: "tests/", Reason: "excluded by --exclude", Count: 12},
			{What: "kube-system", Reason: "belongs to the cluster itself"},
		},
	}
	for i := range 12 {
		c.Gaps = append(c.Gaps, verdict.Gap{
			Code: verdict.GapTemplate, Location: verdict.Location{Source: "files", File: fmt.Sprintf("legacy/templates/t%02d.yaml", i)},
			Message: "holds {{ }} and belongs to no chart that was rendered", Remedy: "Name the chart's directory as a source.",
		})
	}
	return c
}

// compared is the sample, compared with an earlier result and with the controls of a framework.
func compared() *verdict.Result {
	res := sample()
	for i := range res.Findings {
		res.Findings[i].Change = []verdict.Change{verdict.Unchanged, verdict.New, verdict.Changed}[i%3]
		if f := &res.Findings[i]; f.Change == verdict.Changed {
			f.Was = &verdict.Was{Verdict: f.Verdict, Severity: verdict.Medium}
		}
	}
	for i := range res.Coverage.Gaps[:2] {
		res.Coverage.Gaps[i].Known = true
	}
	fixed, unseen := sample().Findings[3], sample().Findings[5]
	fixed.Fingerprint, unseen.Fingerprint, unseen.Reason = "00000000000000f1", "00000000000000f2", "not among this time's sources: other/a.yaml"
	res.Diff = &verdict.Diff{
		Against: "old <1>.json", New: 4, Changed: 3, Unchanged: 4, Fixed: []verdict.Finding{fixed}, NotLookedAt: []verdict.Finding{unseen},
	}
	res.ByRule = []verdict.RuleTally{{Rule: "host-path", Pass: 3, Fail: 2, Exempt: 1}, {Rule: "read-only-root", Pass: 7}}
	res.Frameworks = []verdict.FrameworkResult{{ID: "own", Title: "Own <controls>", Version: "1", Source: "here", Controls: []verdict.ControlResult{
		{ID: "1", Title: "Whole", Status: verdict.ControlFail, Rules: []string{"host-path"}, Pass: 3, Fail: 2, Exempt: 1, Subjects: 2, Findings: []string{"3f2a9c0d11e84b06"}},
		{ID: "1.1", PartOf: "1", Title: "Part", Status: verdict.ControlPass, Rules: []string{"read-only-root"}, Pass: 7},
		{ID: "1.2", PartOf: "1", Title: "Doubt", Status: verdict.ControlUnknown, Rules: []string{"wildcard-verbs"}, Reason: "It may stand in a|b.", Unknown: 1},
		{ID: "2", Title: "By hand", Status: verdict.ControlManual, Rules: []string{}, Manual: "Ask @somebody."},
		{ID: "3", Title: "Not judged", Status: verdict.ControlNotJudged, Rules: []string{}, Reason: "No rule judges it."},
		{ID: "4", Title: "Nothing there", Status: verdict.ControlNotApplicable, Rules: []string{"x"}},
		{ID: "5", Title: "Excused", Status: verdict.ControlExempt, Rules: []string{"host-path"}, Exempt: 1, Subjects: 1},
	}}}
	return res
}

// empty is the result of a scan that found nothing to judge.
func empty() *verdict.Result {
	return &verdict.Result{Coverage: verdict.Coverage{Sources: []string{"files"}, Files: 3, Documents: 2, Rules: 5}}
}

// clean is the result of a scan with nothing to say.
func clean() *verdict.Result {
	res := sample()
	res.Findings, res.Coverage.Gaps, res.Coverage.Exclusions, res.Ledger = nil, nil, nil, nil
	res.Tally = []verdict.Tally{{Practice: "pod", Rules: 5, Pass: 40}}
	return res
}

// many is a result of n findings over n/10 objects in n/50 files.
func many(n int) *verdict.Result {
	res := sample()
	like := res.Findings
	res.Findings = make([]verdict.Finding, n)
	for i := range res.Findings {
		f := like[i%len(like)]
		f.Fingerprint = fmt.Sprintf("%016x", i)
		f.Subject.Name = fmt.Sprintf("app-%d", i/10)
		f.Location.File = fmt.Sprintf("base/%d/deployment.yaml", i/50)
		res.Findings[i] = f
	}
	return res
}
