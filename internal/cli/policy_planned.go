package cli

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/coaming/coaming/internal/policy"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// writePlanned writes the policies that a plan asks for, or with --list which policy each rule is in.
func (o *policyExportOptions) writePlanned(env *Env, rules []*rule.Compiled) error {
	all := plain(rules)
	list, refused := policy.Planned(all, o.enforced, o.options)
	in := map[string]string{}
	for _, held := range list {
		for _, id := range held.Rules {
			in[id] = held.Name
		}
	}
	if o.list {
		return listPlanned(env.Stdout, all, in, refused)
	}
	off := 0
	for _, r := range all {
		switch why := refused[r.ID]; {
		case why != nil:
			_, _ = fmt.Fprintf(env.Stderr, "not exported: %s: %v\n", r.ID, why)
		case in[r.ID] == "":
			off++
		}
	}
	if off > 0 {
		_, _ = fmt.Fprintf(env.Stderr, "%d rules are off everywhere by the plan\n", off)
	}
	_, _ = fmt.Fprintf(env.Stderr, "%d of %d rules exported for Kubernetes %s\n", len(in), len(all), o.options.Version)
	if len(list) == 0 {
		return &verdict.RemedyError{Err: errors.New("none of the rules can be exported"), Remedy: "See 'coaming policy export --list' for those that can."}
	}
	files := make([]outFile, 0, len(list))
	for _, held := range list {
		text, err := policy.YAML(held.Manifests...)
		if err != nil {
			return err
		}
		files = append(files, outFile{held.Name + ".yaml", text})
	}
	return o.writeFiles(env, files)
}

// offEverywhere is why a rule that could be exported is not.
const offEverywhere = "the plan has it off everywhere"

// listPlanned shows which policy each rule is in.
func listPlanned(w io.Writer, rules []*rule.Rule, in map[string]string, refused map[string]error) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rules {
		switch why := refused[r.ID]; {
		case why != nil:
			_, _ = fmt.Fprintf(table, "%s\tnot exported\t%v\n", r.ID, why)
		case in[r.ID] == "":
			_, _ = fmt.Fprintf(table, "%s\toff\t%s\n", r.ID, offEverywhere)
		default:
			_, _ = fmt.Fprintf(table, "%s\texported\tin %s\n", r.ID, in[r.ID])
		}
	}
	_, _ = fmt.Fprintf(table, "%d rules: %d exported, %d off, %d not exportable\n", len(rules), len(in), len(rules)-len(in)-len(refused), len(refused))
	return table.Flush()
}
