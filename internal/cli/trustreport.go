package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/trust"
	"github.com/coaming/coaming/internal/verdict"
)

// writeTrust writes the answer about one image.
func writeTrust(out io.Writer, r *trust.Report, format string) error {
	if format == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(struct {
			*trust.Report
			Verdict verdict.Verdict `json:"verdict"`
		}{r, r.Verdict()})
	}
	w := bufio.NewWriter(out)
	line := func(format string, words ...any) { _, _ = fmt.Fprintf(w, format+"\n", words...) }
	line("%s", printable(r.Name))
	line("%s", r.Digest)
	for _, d := range r.Demands {
		line("\n%s: %s\n  %s", d.Verdict, printable(d.Name), printable(d.Why))
	}
	if len(r.Signatures)+len(r.Attestations) > 0 {
		line("\nVerified:")
	}
	for i := range r.Signatures {
		line("  signature by %s", vouch(&r.Signatures[i]))
	}
	for i := range r.Attestations {
		a := &r.Attestations[i]
		line("  attestation of %s by %s", printable(kindWord(a)), vouch(&a.Signature))
		if p := a.Provenance; p != nil {
			line("    %s", provenanceWords(p))
			for _, doubt := range p.Doubts {
				line("    doubtful: %s", printable(doubt))
			}
		}
	}
	if len(r.Rejected) > 0 {
		line("\nNot counted (%d):", len(r.Rejected))
	}
	for i := range r.Rejected {
		line("  %s (%s): %s", printable(r.Rejected[i].Place), r.Rejected[i].Form, printable(r.Rejected[i].Why))
	}
	if len(r.Unseen) > 0 {
		line("\nNot looked at, and so unknown (%d):", len(r.Unseen))
	}
	for _, why := range r.Unseen {
		line("  %s", printable(why))
	}
	return w.Flush()
}

func kindWord(a *fact.Attestation) string {
	if a.Kind == "other" {
		return a.PredicateType
	}
	return a.Kind + " (" + a.PredicateType + ")"
}

// vouch says who signed, by what means and when.
func vouch(s *fact.Signature) string {
	var text strings.Builder
	text.WriteString(s.Signer + ", " + s.Form)
	if s.Identity != "" {
		text.WriteString(", " + s.Identity + " of " + s.Issuer)
	} else if len(s.Key) > 16 {
		text.WriteString(", key " + s.Key[:16])
	}
	if s.Time != "" {
		text.WriteString(", " + s.Time + map[string]string{"log": " by the log", "timestamp": " by a timestamp", "signer": " as the signer says"}[s.Clock])
	}
	for _, note := range s.Notes {
		text.WriteString("; " + note)
	}
	return printable(text.String())
}

func provenanceWords(p *fact.Provenance) string {
	var words []string
	for _, part := range []struct{ name, text string }{
		{"built by", p.Builder}, {"from", p.Source}, {"at", p.Revision}, {"commit", p.Commit}, {"claimed", p.LevelClaimed},
	} {
		if part.text != "" {
			words = append(words, part.name+" "+part.text)
		}
	}
	words = append(words, fmt.Sprintf("SLSA build level %d verified", p.Level))
	return printable(strings.Join(words, ", "))
}

// writePredicates writes what the attestations say, a file each, by their kind and their order.
func writePredicates(dir string, r *trust.Report) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write predicates: %w", err)
	}
	var errs []error
	for i, text := range r.Predicates {
		name := fmt.Sprintf("%02d-%s.json", i+1, r.Attestations[i].Kind)
		errs = append(errs, os.WriteFile(filepath.Join(dir, name), text, 0o644))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("write predicates: %w", err)
	}
	return nil
}
