package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
	"github.com/coaming/coaming/internal/report"
)

func identityCommand(env *Env) *cobra.Command {
	o := &accessOptions{}
	cmd := &cobra.Command{
		Use:   "identity WHO [PATH...|-]",
		Short: "Tell all that an identity may do, where each right comes from, and which are dangerous or of no use",
		Long: `Tell of a user, a group or a service account every grant with its binding, role and rules, its groups, what runs as it, and the
cloud identities that it is linked with. Rights that give more than they say are marked with the reason; so are grants that give
nothing, that another one gives too, and those of a service account that nothing runs as.

` + whoIs + `

Exit codes: 0 it has grants; 1 it has none; 2 wrong usage or an internal error; 3 there may be more, because something was not
looked at.`,
		Example: `  coaming identity sa:shop/cart deploy/
  coaming identity group:system:authenticated --cluster
  coaming identity arn:aws:iam::111122223333:role/dev cluster.coaming --cloud-export entries.json`,
		Args:              argsOf(1, "WHO", "coaming identity sa:shop/cart deploy/"),
		ValidArgsFunction: completeQuery(1),
		RunE:              func(cmd *cobra.Command, args []string) error { return runIdentity(cmd.Context(), env, o, args) },
	}
	o.register(cmd)
	o.registerGroups(cmd)
	cmd.Flags().StringVarP(&o.namespace, "namespace", "n", "", "the `NAMESPACE` of a service account that is named without one")
	return cmd
}

func runIdentity(ctx context.Context, env *Env, o *accessOptions, args []string) error {
	id, err := rbac.ParseIdentity(args[0], o.namespace, o.groups)
	if err := errors.Join(err, o.check(env, args[1:])); err != nil {
		return err
	}
	worlds, gaps, err := o.worlds(ctx, env, args[1:], fact.PodKinds())
	if err != nil {
		return err
	}
	hintAccount(env, worlds, &id)
	var answers []report.Access
	code := exitNo
	for i := range worlds {
		p := profileOf(worlds[i].model, id)
		answers = append(answers, report.Access{World: worlds[i].name, Who: report.NewWho(&p), Gaps: gaps})
		switch {
		case len(p.Reasons) > 0 || slices.ContainsFunc(p.Grants, func(g rbac.Grant) bool { return g.Doubt != "" }):
			code = exitUnclear
		case len(p.Grants) > 0 && code == exitNo:
			code = exitYes
		}
	}
	if err := o.answer(env, answers); err != nil {
		return err
	}
	return exitAnswer(code)
}

func profileOf(m *rbac.Model, id rbac.Identity) rbac.Profile {
	resolved, err := m.Resolve(id)
	p := m.Profile(resolved)
	if err != nil {
		p.Reasons = append(p.Reasons, err.Error())
	}
	return p
}
