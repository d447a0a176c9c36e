package advisory

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// Builder gathers records and what is known of CVEs elsewhere, and writes an index of them. The same
// records give the same bytes, in whatever order they come.
type Builder struct {
	sources []Source
	records map[string]*Record
	cves    map[string]*cveFacts
}

// cveFacts is what other catalogues say of a CVE.
type cveFacts struct {
	exploited  bool
	likelihood float64 // below 0 when not known
	vector     string
	score      float64
}

// NewBuilder begins an index.
func NewBuilder() *Builder {
	return &Builder{records: map[string]*Record{}, cves: map[string]*cveFacts{}}
}

// Add takes the records of one source. Of records with the same id the one changed last counts; what was withdrawn
// is left out, whatever others say of it.
func (b *Builder) Add(source Source, records []*Record) {
	source.Records = 0
	for _, r := range records {
		source.Records++
		old := b.records[r.ID]
		if old == nil || old.Modified.Before(r.Modified) || old.Modified.Equal(r.Modified) && r.Withdrawn {
			b.records[r.ID] = r
		}
		if r.Withdrawn || old != nil {
			source.Skipped++
		}
	}
	b.sources = append(b.sources, source)
}

func (b *Builder) facts(cve string) *cveFacts {
	f := b.cves[cve]
	if f == nil {
		f = &cveFacts{likelihood: -1}
		b.cves[cve] = f
	}
	return f
}

// vulnerability is one vulnerability under all its names.
type vulnerability struct {
	id      string
	aliases []string
	facts   cveFacts
}

// vulnerabilities joins the names that mean the same one, and gives for each name the one it means.
func (b *Builder) vulnerabilities(records []*Record) map[string]*vulnerability {
	parent := map[string]string{}
	root := func(name string) string {
		for parent[name] != "" && parent[name] != name {
			name = parent[name]
		}
		return name
	}
	for _, r := range records {
		if r.alias || len(r.names) == 0 {
			parent[r.ID] = cmp.Or(parent[r.ID], r.ID)
		}
		for _, name := range r.names {
			parent[name] = cmp.Or(parent[name], name)
			if r.alias {
				a, c := root(r.ID), root(name)
				if rankName(a) > rankName(c) || rankName(a) == rankName(c) && a > c {
					a, c = c, a
				}
				if a != c {
					parent[c] = a
				}
			}
		}
	}
	all := map[string]*vulnerability{}
	for _, name := range slices.Sorted(maps.Keys(parent)) {
		top := root(name)
		v := all[top]
		if v == nil {
			v = &vulnerability{id: top, facts: cveFacts{likelihood: -1}}
			all[top] = v
		}
		if name != top {
			v.aliases = append(v.aliases, name)
			all[name] = v
		}
		if f := b.cves[name]; f != nil {
			v.facts.exploited = v.facts.exploited || f.exploited
			v.facts.likelihood = max(v.facts.likelihood, f.likelihood)
			if f.score > v.facts.score {
				v.facts.score, v.facts.vector = f.score, f.vector
			}
		}
	}
	return all
}

// rankName is which of its names a vulnerability goes by: its CVE, its GHSA, any other.
func rankName(name string) int {
	switch {
	case strings.HasPrefix(name, "CVE-"):
		return 0
	case strings.HasPrefix(name, "GHSA-"):
		return 1
	}
	return 2
}

// packed is an index on its way to the file.
type packed struct {
	about                About
	names, records, pkgs encoder
	keys                 []byte
	nameRefs             map[*vulnerability]ref
}

// Write writes the index. created is when, sequence which of its keeper's indexes this is.
func (b *Builder) Write(w io.Writer, created time.Time, sequence int64) (*About, error) {
	var records []*Record
	for _, id := range slices.Sorted(maps.Keys(b.records)) {
		if r := b.records[id]; !r.Withdrawn {
			records = append(records, r)
		}
	}
	if s := created.Unix(); s < 0 || s > lastSecond {
		return nil, fmt.Errorf("an index cannot be made in the year %d", created.Year())
	}
	if len(records) == 0 {
		return nil, errors.New("no advisories: an index of none would call everything unknown")
	}
	p := &packed{nameRefs: map[*vulnerability]ref{}}
	sources := slices.Clone(b.sources)
	slices.SortFunc(sources, func(a, c Source) int {
		return cmp.Or(strings.Compare(a.Name, c.Name), strings.Compare(a.SHA256, c.SHA256))
	})
	p.about = About{Created: created.Unix(), Sequence: sequence, Records: len(records), Sources: sources}
	all := b.vulnerabilities(records)
	p.count(all)
	entries := gather(records)
	p.open(entries, all)
	entries = slices.DeleteFunc(entries, func(e *entry) bool { return len(e.claims) == 0 })
	p.tellUnnamed(records)
	places := p.packRecords(entries, all)
	p.packPackages(entries, places)
	if err := p.write(w); err != nil {
		return nil, fmt.Errorf("write advisory index: %w", err)
	}
	return &p.about, nil
}

// noLikelihood stands where none is known.
const noLikelihood = math.MaxUint16

// count says how much is known of the vulnerabilities.
func (p *packed) count(all map[string]*vulnerability) {
	for name, v := range all {
		if v.id != name {
			continue
		}
		p.about.Vulnerabilities++
		if v.facts.exploited {
			p.about.Exploited++
		}
		if v.facts.likelihood >= 0 {
			p.about.Likelihoods++
		}
		if v.facts.score > 0 {
			p.about.Scores++
		}
	}
}

// name packs a vulnerability when it is first named.
func (p *packed) name(v *vulnerability) ref {
	if r, packed := p.nameRefs[v]; packed {
		return r
	}
	start := len(p.names)
	p.names.text(v.id)
	p.names.texts(v.aliases)
	flags := byte(0)
	if v.facts.exploited {
		flags = 1
	}
	p.names.byte(flags)
	likelihood := uint64(noLikelihood)
	if v.facts.likelihood >= 0 {
		likelihood = uint64(math.Round(v.facts.likelihood * (noLikelihood - 1)))
	}
	p.names.number(likelihood)
	p.names.byte(tenths(v.facts.score))
	p.names.text(v.facts.vector)
	r := ref{uint64(start), uint64(len(p.names) - start)}
	p.nameRefs[v] = r
	return r
}

// packRecords packs the records in the order in which the packages name them.
func (p *packed) packRecords(entries []*entry, all map[string]*vulnerability) map[*Record]ref {
	places := map[*Record]ref{}
	for _, e := range entries {
		for _, c := range e.claims {
			if _, packed := places[c.record]; !packed {
				start := len(p.records)
				p.packRecord(c.record, all)
				places[c.record] = ref{uint64(start), uint64(len(p.records) - start)}
			}
		}
	}
	return places
}

// vulnerabilitiesOf are those that a record is about.
func vulnerabilitiesOf(r *Record, all map[string]*vulnerability) []*vulnerability {
	names := r.names
	if r.alias || len(names) == 0 {
		names = []string{r.ID}
	}
	var about []*vulnerability
	for _, name := range names {
		if v := all[name]; !slices.Contains(about, v) {
			about = append(about, v)
		}
	}
	return about
}

func (p *packed) packRecord(r *Record, all map[string]*vulnerability) {
	about := vulnerabilitiesOf(r, all)
	places := make([]ref, len(about))
	for i, v := range about {
		places[i] = p.name(v)
	}
	last := ref{}
	p.records.number(uint64(len(places)))
	for _, place := range places {
		p.records.ref(place, &last)
	}
	p.records.text(r.ID)
	day := uint64(0)
	if seconds := r.published.Unix(); seconds > 0 {
		day = uint64(seconds / (24 * 60 * 60))
	}
	p.records.number(day)
	p.records.text(r.summary)
	score, _ := Score(r.vector)
	p.records.byte(tenths(score))
	p.records.text(r.vector)
}
