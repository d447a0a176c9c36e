package advisory

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// maxFacts is how many CVEs one of the catalogues may name.
const maxFacts = 5_000_000

// JoinKEV reads CISA's catalogue of known exploited vulnerabilities in its JSON form.
func (b *Builder) JoinKEV(r io.Reader) error {
	var catalogue struct {
		Vulnerabilities []struct {
			ID string `json:"cveID"`
		} `json:"vulnerabilities"`
	}
	if err := json.NewDecoder(r).Decode(&catalogue); err != nil {
		return fmt.Errorf("read KEV catalogue: %w", err)
	}
	if len(catalogue.Vulnerabilities) == 0 || len(catalogue.Vulnerabilities) > maxFacts {
		return fmt.Errorf("read KEV catalogue: it names %d vulnerabilities", len(catalogue.Vulnerabilities))
	}
	for _, v := range catalogue.Vulnerabilities {
		if !strings.HasPrefix(v.ID, "CVE-") {
			return fmt.Errorf("read KEV catalogue: %.100q is no CVE", v.ID)
		}
		b.facts(v.ID).exploited = true
	}
	return nil
}

// JoinEPSS reads FIRST's scores: CSV with the columns cve and epss, after a comment with the model's version.
func (b *Builder) JoinEPSS(r io.Reader) error {
	lines := csv.NewReader(r)
	lines.Comment, lines.ReuseRecord, lines.FieldsPerRecord = '#', true, -1
	head, err := lines.Read()
	if err != nil {
		return fmt.Errorf("read EPSS scores: %w", err)
	}
	cve, epss := slices.Index(head, "cve"), slices.Index(head, "epss")
	if cve < 0 || epss < 0 {
		return errors.New("read EPSS scores: the first line names no columns cve and epss")
	}
	for range maxFacts {
		fields, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read EPSS scores: %w", err)
		}
		if len(fields) <= max(cve, epss) || !strings.HasPrefix(fields[cve], "CVE-") {
			return fmt.Errorf("read EPSS scores: line %q", fields)
		}
		score, err := strconv.ParseFloat(fields[epss], 64)
		if err != nil || !(score >= 0 && score <= 1) {
			return fmt.Errorf("read EPSS scores: %s: %q is no probability", fields[cve], fields[epss])
		}
		b.facts(strings.Clone(fields[cve])).likelihood = score
	}
	return fmt.Errorf("read EPSS scores: over %d lines", maxFacts)
}

// JoinCVSS reads lines of a CVE, its base score, its CVSS vector, and whatever follows, separated by tabs. A vector
// gives its own score; without one the score that stands there counts.
func (b *Builder) JoinCVSS(r io.Reader) error {
	lines := bufio.NewScanner(r)
	n := 0
	for lines.Scan() {
		n++
		fields := strings.Split(lines.Text(), "\t")
		if lines.Text() == "" || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) < 3 || !strings.HasPrefix(fields[0], "CVE-") || n > maxFacts {
			return fmt.Errorf("read CVSS scores: line %d is no CVE, score and vector", n)
		}
		if score, ok := Score(fields[2]); ok && score > 0 {
			f := b.facts(fields[0])
			f.vector, f.score = fields[2], score
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read CVSS scores: %w", err)
	}
	return nil
}
