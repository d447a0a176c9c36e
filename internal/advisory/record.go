package advisory

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What one record may hold. The largest real ones have some hundred KiB and some ten thousand versions.
const (
	MaxRecord   = 8 << 20 // bytes of its JSON
	maxAffected = 20_000
	maxEvents   = 10_000
	maxListed   = 200_000 // versions
	maxNames    = 5_000   // aliases and such
	maxImports  = 1_000   // packages of a Go module
	maxName     = 1_000   // bytes of a name or an id
	maxSummary  = 300     // bytes that are kept
)

// Record is one OSV record, less what the index has no use for.
type Record struct {
	ID        string
	Modified  time.Time
	Withdrawn bool

	names     []string // of the vulnerabilities that it is about
	alias     bool     // whether names are other names of this one vulnerability
	summary   string
	published time.Time
	severity  rating
	vector    string
	modules   []string // the module streams that its packages were built for, "nodejs:18"
	affected  []affected
}

// affected is one package and its versions.
type affected struct {
	ecosystem, name string
	severity        rating
	unimportant     bool
	modular         modular
	intervals       []interval
	versions        []string
	lack            lack     // why other versions than these may be affected, too
	imports         []string // the packages of a Go module that are vulnerable
}

// interval is a range of versions: from lower, with it unless over, to upper.
type interval struct {
	lower string // "" is from the beginning
	over  bool   // lower itself is not affected
	upper string
	end   byte
}

// How an interval ends.
const (
	endless   = iota
	before    // upper has the fix
	inclusive // upper is the last affected
	limited   // nothing is said of upper and what comes after it
)

// osvRecord is the JSON of a record (ossf.github.io/osv-schema, 1.7).
type osvRecord struct {
	ID        string        `json:"id"`
	Modified  string        `json:"modified"`
	Published string        `json:"published"`
	Withdrawn string        `json:"withdrawn"`
	Aliases   []string      `json:"aliases"`
	Upstream  []string      `json:"upstream"`
	Related   []string      `json:"related"`
	Summary   string        `json:"summary"`
	Details   string        `json:"details"`
	Severity  []osvSeverity `json:"severity"`
	Affected  []osvAffected `json:"affected"`
	Database  osvSpecific   `json:"database_specific"`
}

type osvSeverity struct {
	Type  string `json:"type"`
	Score string `json:"score"`
}

type osvAffected struct {
	Package struct {
		Ecosystem string `json:"ecosystem"`
		Name      string `json:"name"`
	} `json:"package"`
	Severity  []osvSeverity `json:"severity"`
	Ranges    []osvRange    `json:"ranges"`
	Versions  []string      `json:"versions"`
	Ecosystem osvSpecific   `json:"ecosystem_specific"`
	Database  osvSpecific   `json:"database_specific"`
}

type osvRange struct {
	Type     string              `json:"type"`
	Events   []map[string]string `json:"events"`
	Database osvSpecific         `json:"database_specific"`
}

// osvSpecific is what we know of the objects whose form every database chooses.
type osvSpecific struct {
	severity, urgency string
	over              bool
	imports           []string // paths
}

// UnmarshalJSON takes what it knows and minds nothing else: any JSON is right there.
func (s *osvSpecific) UnmarshalJSON(text []byte) error {
	if len(text) == 0 || text[0] != '{' {
		return nil
	}
	var fields struct {
		Severity any `json:"severity"`
		Urgency  any `json:"urgency"`
		Over     any `json:"introduced_exclusive"`
		Imports  any `json:"imports"`
	}
	if err := json.Unmarshal(text, &fields); err != nil {
		return fmt.Errorf("database_specific: %w", err)
	}
	s.severity, _ = fields.Severity.(string)
	s.urgency, _ = fields.Urgency.(string)
	s.over, _ = fields.Over.(bool)
	imports, _ := fields.Imports.([]any)
	for _, i := range imports {
		of, _ := i.(map[string]any)
		if path, _ := of["path"].(string); path != "" && len(path) <= maxName && len(s.imports) < maxImports {
			s.imports = append(s.imports, path)
		}
	}
	return nil
}

// ParseRecord reads one OSV record. Of a package whose versions it does not tell in a way that can be compared it is kept that it
// names it: then nobody knows.
func ParseRecord(text []byte) (*Record, error) {
	if len(text) > MaxRecord {
		return nil, fmt.Errorf("the record has %d bytes, over %d", len(text), MaxRecord)
	}
	var o osvRecord
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, fmt.Errorf("read OSV record: %w", err)
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("read OSV record %.100q: %w", o.ID, err)
	}
	r := &Record{ID: o.ID, Withdrawn: isWithdrawn(o.Withdrawn), summary: o.summarize(), vector: o.vector(), severity: o.rating()}
	r.Modified, r.published = readTime(o.Modified), readTime(o.Published)
	r.names, r.alias = o.vulnerabilities()
	r.modules = moduleStreams(o.Summary)
	for _, a := range o.Affected {
		some, err := a.read()
		if err != nil {
			return nil, fmt.Errorf("read OSV record %s: %s: %w", o.ID, a.Package.Name, err)
		}
		r.affected = append(r.affected, some)
	}
	return r, nil
}

// readTime reads RFC 3339 with a T or a space; what is neither is the zero time: no record is dropped for its date.
func readTime(text string) time.Time {
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05Z07:00"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t
		}
	}
	return time.Time{}
}

// isWithdrawn takes the zero time, which some databases write, for none.
func isWithdrawn(text string) bool { return text != "" && !strings.HasPrefix(text, "0001-01-01") }

func (o *osvRecord) check() error {
	if o.ID == "" || len(o.ID) > maxName {
		return errors.New("no id, or one without end")
	}
	if len(o.Affected) > maxAffected || len(o.Aliases)+len(o.Upstream)+len(o.Related) > maxNames {
		return errors.New("more packages or aliases than a record may have")
	}
	for _, name := range slices.Concat(o.Aliases, o.Upstream, o.Related) {
		if name == "" || len(name) > maxName {
			return errors.New("an alias that is empty or without end")
		}
	}
	for _, a := range o.Affected {
		if len(a.Versions) > maxListed || len(a.Package.Name) > maxName || len(a.Package.Ecosystem) > maxName {
			return errors.New("a package with more versions, or a longer name, than one may have")
		}
	}
	return nil
}

// summarize is the summary, or the beginning of the details.
func (o *osvRecord) summarize() string {
	text := o.Summary
	if text == "" {
		text, _, _ = strings.Cut(strings.TrimSpace(o.Details), "\n")
	}
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
	if len(text) > maxSummary {
		text = strings.ToValidUTF8(text[:maxSummary], "") + "…"
	}
	return text
}

// vulnerabilities are what the record is about. Mostly it is one vulnerability, whose other names are its aliases. A
// record that names several CVEs, or what it brings downstream, is an advisory of those: none may vanish behind another.
func (o *osvRecord) vulnerabilities() (names []string, alias bool) {
	isCVE := func(name string) bool { return strings.HasPrefix(name, "CVE-") }
	var cves []string
	for _, name := range o.Aliases {
		if isCVE(name) {
			cves = append(cves, name)
		}
	}
	switch {
	case isCVE(o.ID):
		return o.Aliases, true
	case len(o.Upstream) > 0 && len(cves) == 0:
		return preferCVE(o.Upstream, isCVE), false
	case len(cves) > 1 || len(cves) == 1 && isAdvisory(o.ID):
		return cves, false
	case len(cves) == 0 && isAdvisory(o.ID):
		for _, name := range o.Related {
			if isCVE(name) {
				cves = append(cves, name)
			}
		}
		return cves, false
	}
	return o.Aliases, true
}

func preferCVE(names []string, isCVE func(string) bool) []string {
	var cves []string
	for _, name := range names {
		if isCVE(name) {
			cves = append(cves, name)
		}
	}
	if len(cves) > 0 {
		return cves
	}
	return names
}

// advisoryPrefixes begin the ids of distributions' advisories, which may mend several vulnerabilities.
var advisoryPrefixes = []string{"DSA-", "DLA-", "DTSA-", "ALSA-", "ALBA-", "ALEA-", "RHSA-", "RHBA-", "RHEA-", "RLSA-", "RXSA-", "ELSA-", "USN-", "LSN-", "SUSE-", "openSUSE-", "MGASA-", "OESA-", "ALAS"}

func isAdvisory(id string) bool {
	return slices.ContainsFunc(advisoryPrefixes, func(prefix string) bool { return strings.HasPrefix(id, prefix) })
}

func (a *osvAffected) read() (affected, error) {
	to := affected{versions: a.Versions, severity: readRating(a.Ecosystem.urgency), imports: a.Ecosystem.imports}
	for _, word := range []string{a.Ecosystem.severity, a.Database.severity} {
		if to.severity == unrated {
			to.severity = readRating(word)
		}
	}
	for _, s := range a.Severity {
		if !strings.HasPrefix(s.Type, "CVSS") && to.severity == unrated {
			to.severity = readRating(s.Score)
		}
		to.unimportant = to.unimportant || isUnimportant(s.Score)
	}
	to.unimportant = to.unimportant || isUnimportant(a.Ecosystem.urgency)
	to.ecosystem = NormalEcosystem(a.Package.Ecosystem)
	to.name = NormalName(to.ecosystem, a.Package.Name)
	order := schemeOf(to.ecosystem)
	if err := a.readRanges(order, &to); err != nil {
		return to, err
	}
	if order == rpmScheme {
		to.modular = modularOf(to.intervals)
	}
	return to, nil
}

// readRanges reads what can be compared of the ranges, and notes what the rest lacks.
func (a *osvAffected) readRanges(order *scheme, to *affected) error {
	commits, compared := false, false
	for _, r := range a.Ranges {
		if len(r.Events) > maxEvents {
			return errors.New("a range with more events than one may have")
		}
		switch {
		case r.Type == "GIT":
			commits = true
		case order == nil:
			to.lack = unordered
		case r.Type != "SEMVER" && r.Type != "ECOSYSTEM":
			to.lack = incomparable
		default:
			some, err := readEvents(order, r.Events, r.Database.over)
			if err != nil {
				to.lack = incomparable
				continue
			}
			to.intervals, compared = append(to.intervals, some...), true
		}
	}
	to.versions = uncovered(order, to.intervals, to.versions)
	switch {
	case to.lack != complete || compared || len(to.versions) > 0:
	case commits:
		to.lack = commitsAlone
	default:
		to.lack = nothingSaid
	}
	return nil
}

// isUnimportant knows the words for what is no matter of security in a package as it is built: Debian's urgency
// (security-team.debian.org/security_tracker.html) and Ubuntu's priority.
func isUnimportant(word string) bool { return word == "unimportant" || word == "negligible" }
