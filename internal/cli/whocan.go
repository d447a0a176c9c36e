package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/report"
)

func whoCanCommand(env *Env) *cobra.Command {
	o := &accessOptions{}
	cmd := &cobra.Command{
		Use:   "who-can VERB RESOURCE [PATH...|-]",
		Short: "List everybody who may do something, and by which binding, role and rule",
		Long: `List every user, group and service account that bindings let do something: in the namespace of -n, or, without it, in any
namespace and everywhere.

` + whatIs + `

Exit codes: 0 somebody may; 1 nobody may, but for the group system:masters; 2 wrong usage or an internal error; 3 the list may
not be whole, because something was not looked at.`,
		Example: `  coaming who-can get secrets deploy/
  coaming who-can create pods/exec -n prod --cluster
  coaming who-can get /metrics cluster.coaming --format json`,
		Args:              argsOf(2, "VERB RESOURCE", "coaming who-can get secrets deploy/"),
		ValidArgsFunction: completeQuery(0),
		RunE:              func(cmd *cobra.Command, args []string) error { return runWhoCan(cmd.Context(), env, o, args) },
	}
	o.register(cmd)
	o.registerQuery(cmd)
	return cmd
}

func runWhoCan(ctx context.Context, env *Env, o *accessOptions, args []string) error {
	if err := o.check(env, args[2:]); err != nil {
		return err
	}
	worlds, gaps, err := o.worlds(ctx, env, args[2:], nil)
	if err != nil {
		return err
	}
	hintVerb(env, args[0])
	var answers []report.Access
	code := exitNo
	for i := range worlds {
		w := &worlds[i]
		q, err := o.query(w, args[0], args[1])
		if err != nil {
			return err
		}
		holders := w.model.WhoCan(&q)
		answers = append(answers, report.Access{World: w.name, WhoCan: report.NewWhoCan(&holders), Gaps: gaps})
		switch {
		case len(holders.Reasons)+len(holders.Perhaps) > 0:
			code = exitUnclear
		case len(holders.Holders) > 0 && code == exitNo:
			code = exitYes
		}
	}
	if err := o.answer(env, answers); err != nil {
		return err
	}
	return exitAnswer(code)
}
