package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/rbac"
	"github.com/coaming/coaming/internal/report"
	"github.com/coaming/coaming/internal/verdict"
)

// whoIs explains how somebody is named.
const whoIs = `WHO is sa:NAMESPACE/NAME, user:NAME, group:NAME, anonymous, a user's name as it is, or the ARN of an IAM principal. The groups
that the API server adds by itself (system:authenticated, system:serviceaccounts) are added; others are named by --group.`

// whatIs explains how a right is named.
const whatIs = `RESOURCE is pods, deployments.apps, pods/exec (a subresource), a kind or a short name, '*' (every resource of every group) or
a path such as /metrics. Without -n it is asked about everywhere.`

func canCommand(env *Env) *cobra.Command {
	o := &accessOptions{}
	cmd := &cobra.Command{
		Use:   "can WHO VERB RESOURCE [PATH...|-]",
		Short: "Say whether somebody may do something, and by which binding, role and rule",
		Long: `Say whether somebody may do something, by the roles and bindings in files, a snapshot or a live cluster: every way with the
binding, the role and the rule.

` + whoIs + `

` + whatIs + `

Exit codes: 0 yes; 1 no; 2 wrong usage or an internal error; 3 not known, because something was not looked at.`,
		Example: `  coaming can sa:shop/cart get secrets -n shop deploy/
  coaming can user:ann create pods/exec -n prod --group dev --cluster
  coaming can group:system:authenticated list nodes cluster.coaming
  coaming can arn:aws:iam::111122223333:role/dev '*' '*' --cluster`,
		Args:              argsOf(3, "WHO VERB RESOURCE", "coaming can sa:shop/cart get secrets -n shop deploy/"),
		ValidArgsFunction: completeQuery(1),
		RunE:              func(cmd *cobra.Command, args []string) error { return runCan(cmd.Context(), env, o, args) },
	}
	o.register(cmd)
	o.registerQuery(cmd)
	o.registerGroups(cmd)
	return cmd
}

// argsOf wants at least n arguments.
func argsOf(n int, what, example string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) >= n {
			return nil
		}
		return &verdict.RemedyError{Err: errors.New("want " + what), Remedy: "As in: " + example}
	}
}

func runCan(ctx context.Context, env *Env, o *accessOptions, args []string) error {
	id, err := rbac.ParseIdentity(args[0], o.namespace, o.groups)
	if err := errors.Join(err, o.check(env, args[3:])); err != nil {
		return err
	}
	worlds, gaps, err := o.worlds(ctx, env, args[3:], nil)
	if err != nil {
		return err
	}
	hintVerb(env, args[1])
	hintAccount(env, worlds, &id)
	var answers []report.Access
	var codes []int
	for i := range worlds {
		w := &worlds[i]
		q, err := o.query(w, args[1], args[2])
		if err != nil {
			return err
		}
		answer := ask(w.model, id, &q)
		answers = append(answers, report.Access{World: w.name, Can: report.NewCan(&answer), Gaps: gaps})
		codes = append(codes, map[rbac.Verdict]int{rbac.Allowed: exitYes, rbac.Denied: exitNo, rbac.Unknown: exitUnclear}[answer.Verdict])
	}
	if err := o.answer(env, answers); err != nil {
		return err
	}
	return worst(codes)
}

// ask answers for whom an identity stands for. Of one that nothing maps into the cluster nothing is known.
func ask(m *rbac.Model, id rbac.Identity, q *rbac.Query) rbac.Answer {
	resolved, err := m.Resolve(id)
	if err != nil {
		return rbac.Answer{Identity: id, Query: *q, Verdict: rbac.Unknown, Reasons: []string{err.Error()}}
	}
	return m.Can(&resolved, q)
}
