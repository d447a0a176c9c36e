package trust

import (
	"fmt"
	"slices"
	"strings"

	kjson "sigs.k8s.io/json"

	"github.com/coaming/coaming/internal/fact"
)

// Provenances of SLSA, versions 0.1 and 0.2 (slsa.dev/spec/v0.2/provenance) and 1 (slsa.dev/spec/v1.0/provenance), and
// summaries of verifications (slsa.dev/spec/v1.0/verification_summary).
type (
	artefact struct {
		URI    string            `json:"uri"`
		Digest map[string]string `json:"digest"`
	}
	oldProvenance struct {
		Builder struct {
			ID string `json:"id"`
		} `json:"builder"`
		BuildType  string     `json:"buildType"`
		Materials  []artefact `json:"materials"`
		Invocation struct {
			ConfigSource artefact `json:"configSource"`
		} `json:"invocation"`
		Recipe struct {
			Type string `json:"type"`
		} `json:"recipe"`
		Metadata struct {
			ID string `json:"buildInvocationId"`
			// version 0.2 spells it with a capital D in some generators
			Same string `json:"buildInvocationID"`
		} `json:"metadata"`
	}
	newProvenance struct {
		Definition struct {
			BuildType    string     `json:"buildType"`
			Dependencies []artefact `json:"resolvedDependencies"`
			External     external   `json:"externalParameters"`
		} `json:"buildDefinition"`
		Run struct {
			Builder struct {
				ID string `json:"id"`
			} `json:"builder"`
			Metadata struct {
				ID string `json:"invocationId"`
			} `json:"metadata"`
		} `json:"runDetails"`
	}
	// external are the parameters of the build types that are in wide use: GitHub's workflows
	// (actions.github.io/buildtypes/workflow/v1), and generators that say source or repository.
	external struct {
		Workflow struct {
			Repository string `json:"repository"`
			Ref        string `json:"ref"`
		} `json:"workflow"`
		Source raw `json:"source"`
	}
	summary struct {
		Verifier struct {
			ID string `json:"id"`
		} `json:"verifier"`
		Result string   `json:"verificationResult"`
		Levels []string `json:"verifiedLevels"`
	}
)

// parseProvenance reads what a provenance says. Fields that have another form than SLSA's are an error: half a
// provenance would name a builder and hide the source.
func parseProvenance(predicateType string, text []byte) (*fact.Provenance, error) {
	read := func(into any) error {
		if err := kjson.UnmarshalCaseSensitivePreserveInts(text, into); err != nil {
			return fmt.Errorf("its provenance cannot be read: %w", err)
		}
		return nil
	}
	switch {
	case strings.HasPrefix(predicateType, "https://slsa.dev/verification_summary/"):
		var s summary
		if err := read(&s); err != nil {
			return nil, err
		}
		claimed := strings.Join(s.Levels, ", ")
		if s.Result != "PASSED" {
			claimed = ""
		}
		return &fact.Provenance{Builder: "", LevelClaimed: claimed, Invocation: s.Verifier.ID}, nil
	case strings.HasPrefix(predicateType, "https://slsa.dev/provenance/v0."):
		var p oldProvenance
		if err := read(&p); err != nil {
			return nil, err
		}
		out := &fact.Provenance{Builder: p.Builder.ID, BuildType: p.BuildType + p.Recipe.Type, Invocation: p.Metadata.ID + p.Metadata.Same}
		at := p.Invocation.ConfigSource
		if at.URI == "" {
			at = source(p.Materials, "")
		}
		locate(out, at, "")
		return out, nil
	}
	var p newProvenance
	if err := read(&p); err != nil {
		return nil, err
	}
	out := &fact.Provenance{Builder: p.Run.Builder.ID, BuildType: p.Definition.BuildType, Invocation: p.Run.Metadata.ID}
	said := p.Definition.External.Workflow.Repository
	if said == "" {
		said = p.Definition.External.source()
	}
	at := source(p.Definition.Dependencies, said)
	if at.URI == "" {
		at.URI = said
	}
	locate(out, at, p.Definition.External.Workflow.Ref)
	return out, nil
}

// source reads a parameter that generators write as a text or as an artefact.
func (e *external) source() string {
	var text string
	if len(e.Source) > 0 && kjson.UnmarshalCaseSensitivePreserveInts(e.Source, &text) == nil {
		return text
	}
	var at artefact
	if len(e.Source) > 0 && kjson.UnmarshalCaseSensitivePreserveInts(e.Source, &at) == nil {
		return at.URI
	}
	return ""
}

// source is the material that the image was built from: that of the repository that is said, else the first one of git.
func source(list []artefact, said string) artefact {
	for _, a := range list {
		if said != "" && repository(a.URI) == repository(said) {
			return a
		}
	}
	if said != "" {
		return artefact{}
	}
	at := slices.IndexFunc(list, func(a artefact) bool {
		return strings.HasPrefix(a.URI, "git+") || strings.HasSuffix(repository(a.URI), ".git") || a.Digest["gitCommit"] != "" || a.Digest["sha1"] != ""
	})
	if at < 0 {
		return artefact{}
	}
	return list[at]
}

// locate says where the source is: its repository, the revision that was asked for, the commit that this was.
func locate(p *fact.Provenance, at artefact, ref string) {
	p.Source, p.Revision = repository(at.URI), ref
	if _, after, ok := strings.Cut(strings.TrimPrefix(at.URI, "git+"), p.Source); ok && p.Revision == "" {
		p.Revision = strings.TrimPrefix(strings.TrimPrefix(after, ".git"), "@")
	}
	for _, kind := range []string{"gitCommit", "sha1"} {
		if p.Commit == "" {
			p.Commit = at.Digest[kind]
		}
	}
}
