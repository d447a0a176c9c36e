package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/hold"
	"github.com/coaming/coaming/internal/image"
	"github.com/coaming/coaming/internal/verdict"
)

func imageBaseCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "base",
		Short: "Know the images that others are built on",
		Long: `Know the images that others are built on: 'image scan' then tells the base's layers from the application's, and which newer base clears
how many vulnerabilities.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(imageBaseAddCommand(env), imageBaseListCommand(env), imageBaseRemoveCommand(env))
	return cmd
}

// imageBaseOptions is the configuration of bases that are read.
type imageBaseOptions struct {
	imageFlags
	holdFlags
}

func imageBaseAddCommand(env *Env) *cobra.Command {
	o := &imageBaseOptions{}
	cmd := &cobra.Command{
		Use:   "add DIR|ARCHIVE|REFERENCE…",
		Short: "Read base images, and remember their layers and packages",
		Example: `  coaming image base add registry.example/debian:12-20261101 registry.example/debian:12-20261115
  coaming image scan registry.example/shop:1.4      # now tells what the newer one would clear`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), env, args) },
	}
	o.imageFlags.register(cmd)
	o.holdFlags.register(cmd.Flags())
	return cmd
}

func (o *imageBaseOptions) run(ctx context.Context, env *Env, args []string) error {
	if err := errors.Join(append(o.holdFlags.check(), o.imageFlags.check(args...)...)...); err != nil {
		return err
	}
	store := o.store(env)
	if store == nil {
		return errNoStore
	}
	done, err := o.open(env, args...)
	if err != nil {
		return err
	}
	defer done()
	if k := keeper(store); k != nil {
		o.Keeper = k
	}
	unknown := false
	for _, arg := range args {
		img, coverage, err := image.Read(ctx, arg, o.Options)
		if err != nil {
			return err
		}
		if len(img.Layers) == 0 {
			return &verdict.RemedyError{Err: fmt.Errorf("%s has no layers to know it by", arg), Remedy: "Name an image, not a root directory."}
		}
		if err := store.PutRecord(hold.Base, recordOf(env, imageName(img, arg), img, coverage)); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(env.Stderr, "%s: %s in %s\n", printable(img.Name), counted(len(img.Packages), "package"), counted(len(img.Layers), "layer"))
		for _, g := range coverage.Gaps {
			unknown = true
			_, _ = fmt.Fprintf(env.Stderr, "not read: %s: %s\n", printable(g.Location.File), printable(g.Message))
		}
	}
	if unknown {
		return exitError(verdict.ExitUnknown)
	}
	return nil
}

func imageBaseListCommand(env *Env) *cobra.Command {
	f := &holdFlags{}
	cmd := &cobra.Command{
		Use: "list", Short: "List the base images that are known", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			store, err := f.known(env)
			if err != nil {
				return err
			}
			w := bufio.NewWriter(env.Stdout)
			table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
			_, _ = fmt.Fprintln(table, "BASE\tDIGEST\tLAYERS\tPACKAGES\tREAD")
			err = store.Records(hold.Base, func(_ string, r *hold.Record) error {
				_, err := fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\n", printable(r.Image.Name), dash(r.Image.Digest), len(r.Image.Layers), len(r.Image.Packages), r.Catalogued.Format("2006-01-02"))
				return err
			})
			return errors.Join(err, table.Flush(), w.Flush())
		},
	}
	f.register(cmd.Flags())
	return cmd
}

func imageBaseRemoveCommand(env *Env) *cobra.Command {
	f := &holdFlags{}
	cmd := &cobra.Command{
		Use: "remove NAME|DIGEST…", Short: "Forget base images", Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			store, err := f.known(env)
			if err != nil {
				return err
			}
			removed := 0
			if err := store.Records(hold.Base, func(entry string, r *hold.Record) error {
				if !meant(r, args) {
					return nil
				}
				removed++
				return store.Remove(entry)
			}); err != nil {
				return err
			}
			if removed == 0 {
				return &verdict.RemedyError{Err: errors.New("no such base image is known"), Remedy: "'coaming image base list' lists them."}
			}
			_, _ = fmt.Fprintf(env.Stderr, "%s forgotten\n", counted(removed, "base image"))
			return nil
		},
	}
	f.register(cmd.Flags())
	return cmd
}

// known is the folder that the flags name.
func (f *holdFlags) known(env *Env) (*hold.Store, error) {
	if err := errors.Join(f.check()...); err != nil {
		return nil, err
	}
	if store := f.store(env); store != nil {
		return store, nil
	}
	return nil, errNoStore
}
