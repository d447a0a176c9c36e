package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/attack"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fix"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/verdict"
)

// cutOptions is the configuration of the command cut.
type cutOptions struct {
	attackOptions
	format string
	patch  bool
	beside string
}

// cutFormats are the ways to write a cut.
var cutFormats = map[string]func(io.Writer, []*attack.CutAnswer) error{"text": attack.WriteCutText, "json": attack.WriteCutJSON}

func cutCommand(env *Env) *cobra.Command {
	o := &cutOptions{}
	cmd := &cobra.Command{
		Use:   "cut [PATH...|-]",
		Short: "Name the fewest changes after which no path leads from the internet to cluster-admin",
		Long: `Name the fewest changes after which no certain path is left, and show them as patches of the text that was read. Each was made
on a copy, and the graph of the copy has no path. Changes that would give up an application's own way in are named only where
nothing else helps.

Exit codes: 0 no certain path is there, or none after the changes; 1 some way in is left, which no change of what was read
closes; 2 wrong usage or an internal error; 3 what was not seen may leave paths (0 with --allow-unknown).`,
		Example: `  coaming cut deploy/
  coaming cut --patch deploy/ | git apply
  coaming cut --cluster --to secret --beside patches/`,
		RunE: func(cmd *cobra.Command, args []string) error { return runCut(cmd.Context(), env, o, args) },
	}
	o.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.format, "format", "text", "`FORMAT` of the answer: text or json")
	flags.BoolVar(&o.patch, "patch", false, "write one unified diff alone, for git apply or patch -p1")
	flags.StringVar(&o.beside, "beside", "", "write what cannot be changed in place into this `FOLDER`: JSON patches of a cluster's objects, overlays for charts")
	completeFlag(cmd, "format", "text", "json")
	return cmd
}

func (o *cutOptions) check(env *Env, args []string) error {
	errs := []error{o.attackOptions.check(env, args)}
	if cutFormats[o.format] == nil {
		errs = append(errs, fmt.Errorf("--format: %q is none of text, json", o.format))
	}
	if o.patch && o.format != "text" {
		errs = append(errs, errors.New("--patch and --format exclude each other"))
	}
	return errors.Join(errs...)
}

func runCut(ctx context.Context, env *Env, o *cutOptions, args []string) error {
	if err := o.check(env, args); err != nil {
		return err
	}
	own := &fixOptions{sourceFlags: o.sourceFlags, patch: o.patch || o.format != "text", beside: o.beside}
	s := &surgeon{cutOptions: o, court: &court{fixOptions: own, env: env, args: args}}
	if err := s.read(ctx); err != nil {
		return err
	}
	if err := s.cut(ctx); err != nil {
		return err
	}
	if err := s.write(env); err != nil {
		return err
	}
	return s.exit()
}

// surgeon cuts every environment that was read, and proves the changes of all on one copy.
type surgeon struct {
	*cutOptions
	court     *court
	questions []question
	patients  []patient
	written   *fix.Written
}

// patient is one environment with what is to be changed in it.
type patient struct {
	*question
	cut *attack.Cut
	// routes is which of the routes of a change is taken, by the change's key; refused why none is.
	routes  map[string]int
	refused map[string]bool
	reasons []string
	through []string
}

func (s *surgeon) read(ctx context.Context) error {
	c := s.court
	bar := newProgress(c.env)
	defer bar.clear()
	var err error
	if c.fixed, err = c.readServed(ctx, c.env, c.args, attack.Kinds(), bar.stage("reading")); err != nil {
		return err
	}
	reading, err := c.read(ctx, nil)
	if err != nil {
		return err
	}
	c.version = c.kubeVersion
	for _, known := range []string{reading.Version, catalog.Newest} {
		if c.version == "" {
			c.version = known
		}
	}
	s.questions, err = s.attackOptions.questions(reading)
	for i := range s.questions {
		s.patients = append(s.patients, patient{question: &s.questions[i], routes: map[string]int{}, refused: map[string]bool{}})
	}
	return err
}

// mostRounds bounds how often a cut is made anew because a change cannot be made, or does not help.
const mostRounds = 20

// cut finds the changes and makes them on a copy, without those that cannot be made, until the graphs
// of the copy have no path that was to be cut.
func (s *surgeon) cut(ctx context.Context) error {
	for range mostRounds {
		routes, owners := s.plan()
		var err error
		if s.written, err = fix.Write(routes); err != nil {
			return err
		}
		for i, reason := range s.written.Failed {
			owners[i].reject(reason)
		}
		if len(s.written.Failed) > 0 {
			continue
		}
		again, err := s.examine(ctx)
		if err != nil || !again {
			return err
		}
	}
	return errors.New("the changes that were found do not end the paths: this is a fault of coaming's; please report it")
}

// owner is a change of an environment.
type owner struct {
	*patient
	change *attack.Cutting
	routes int
}

// reject takes the next route of a change, or does without it.
func (o owner) reject(reason string) {
	key := o.change.Key()
	if o.patient.routes[key]++; o.patient.routes[key] >= o.routes && !o.refused[key] {
		o.refused[key] = true
		o.reasons = append(o.reasons, o.change.Title+": "+reason)
	}
}

// plan finds the cuts and, for every change, a route by which it is made.
func (s *surgeon) plan() (routes []fix.Route, owners []owner) {
	for i := range s.patients {
		p := &s.patients[i]
		for refusals := -1; refusals != len(p.refused); {
			refusals = len(p.refused)
			p.cut = p.graph.Cut(p.entries, p.sinks, p.refused)
			p.through = nil
			for _, change := range p.cut.Changes {
				possible, reason := s.routes(change.Change)
				own := owner{p, change, len(possible)}
				at := p.routes[change.Key()]
				if at >= len(possible) {
					own.reject(reason)
					continue
				}
				p.through = append(p.through, possible[at].Through)
			}
		}
		for _, change := range p.cut.Changes {
			possible, _ := s.routes(change.Change)
			routes = append(routes, possible[p.routes[change.Key()]])
			owners = append(owners, owner{p, change, len(possible)})
		}
	}
	return routes, owners
}

// routes are those by which a change reaches what its object, and its twins, were made of.
func (s *surgeon) routes(change *attack.Change) ([]fix.Route, string) {
	finding := verdict.Finding{Fingerprint: change.Key()}
	cases := fix.Collect([]fix.Proposal{{Finding: finding, Object: change.Object, Changes: change.Rules()}}, s.court.trace)
	return cases[0].Routes, cases[0].Refused
}

// examine makes the graphs of the copy. Where a path is left, the changes that were to end its steps do
// not help, and are refused.
func (s *surgeon) examine(ctx context.Context) (again bool, err error) {
	for i := range s.patients {
		s.patients[i].graph.World.Forget()
	}
	reading, err := s.court.readCopy(ctx, s.written.Copy)
	if err != nil {
		return false, err
	}
	after, err := s.attackOptions.questions(reading)
	if err != nil {
		return false, err
	}
	for i := range s.patients {
		p := &s.patients[i]
		at := slices.IndexFunc(after, func(q question) bool { return q.name == p.name })
		if at < 0 || len(p.cut.Left) > 0 {
			continue
		}
		deeds := after[at].graph.Leads(after[at].entries, after[at].sinks)
		if deeds == nil {
			continue
		}
		if !p.blame(deeds) {
			return false, fmt.Errorf("after the changes a path is left that was not there before: %s", describeDeeds(deeds))
		}
		again = true
	}
	return again, nil
}

// blame refuses the changes that were to end one of the steps.
func (p *patient) blame(deeds []attack.Deed) bool {
	found := false
	for _, change := range p.cut.Changes {
		for _, i := range change.Edges {
			e := &p.graph.Edges[i]
			if slices.ContainsFunc(deeds, func(d attack.Deed) bool {
				return d.Step == e.Step && d.Source() == e.Source() && d.Target() == e.Target()
			}) && !p.refused[change.Key()] {
				p.refused[change.Key()] = true
				p.reasons = append(p.reasons, change.Title+": the step can be taken all the same")
				found = true
			}
		}
	}
	return found
}

func describeDeeds(deeds []attack.Deed) string {
	var ids []string
	for _, d := range deeds {
		ids = append(ids, d.Step.ID)
	}
	return strings.Join(ids, ", ")
}

func (s *surgeon) write(env *Env) error {
	var answers []*attack.CutAnswer
	for i := range s.patients {
		p := &s.patients[i]
		answers = append(answers, &attack.CutAnswer{
			World: p.name, Graph: p.graph, From: p.from, To: p.to, Cut: p.cut, Through: p.through, Refused: p.reasons, Notes: p.graph.Notes(p.entries, p.sinks),
		})
	}
	if !s.patch {
		if err := cutFormats[s.format](env.Stdout, answers); err != nil {
			return err
		}
	}
	if s.patch || s.format == "text" {
		for i := range s.written.Result.Files {
			if i == 0 && !s.patch {
				_, _ = io.WriteString(env.Stdout, "\n")
			}
			if err := s.written.Result.Files[i].Diff(env.Stdout, judge.Hides, !s.patch); err != nil {
				return err
			}
		}
	}
	return s.court.writeBeside(env, &s.written.Result)
}

func (s *surgeon) exit() error {
	code := verdict.ExitClean
	for i := range s.patients {
		p := &s.patients[i]
		switch {
		case len(p.cut.Left) > 0:
			code = verdict.ExitFindings
		case (len(p.cut.Doubtful) > 0 || len(p.graph.Notes(p.entries, p.sinks)) > 0) && !s.allowUnknown && code == verdict.ExitClean:
			code = verdict.ExitUnknown
		}
	}
	return exitWith(code, nil)
}
