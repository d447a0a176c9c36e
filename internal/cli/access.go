package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
	"github.com/coaming/coaming/internal/report"
	"github.com/coaming/coaming/internal/source"
	"github.com/coaming/coaming/internal/verdict"
)

// accessOptions is the configuration of a question about rights.
type accessOptions struct {
	sourceFlags
	format    string
	color     string
	verbose   bool
	exports   []string
	namespace string
	name      string
	groups    []string
}

// definitions are read beside roles and bindings: they say what else the API serves.
const definitions = "CustomResourceDefinition.apiextensions.k8s.io"

func (o *accessOptions) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	o.thrift = true
	o.sourceFlags.register(flags)
	flags.StringVar(&o.format, "format", terminal, "`FORMAT` of the answer: terminal or json")
	flags.StringVar(&o.color, "color", "auto", "colours: auto, always or never")
	flags.BoolVarP(&o.verbose, "verbose", "v", false, "tell every way to a right, and every rule")
	flags.StringArrayVar(&o.exports, "cloud-export", nil, "JSON `FILE` that the AWS command line printed of access entries or pod identity associations; may be given several times")
	completeFlag(cmd, "format", terminal, "json")
	completeFlag(cmd, "color", "auto", "always", "never")
}

func (o *accessOptions) registerQuery(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&o.namespace, "namespace", "n", "", "the `NAMESPACE` that is asked about; everywhere without it")
	flags.StringVar(&o.name, "name", "", "the `NAME` of the object that is asked about; any without it")
}

func (o *accessOptions) registerGroups(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&o.groups, "group", nil, "a `GROUP` that the user is in; may be given several times")
}

// check reports every problem of the options at once.
func (o *accessOptions) check(env *Env, paths []string) error {
	var errs []error
	if !slices.Contains([]string{terminal, "json"}, o.format) {
		errs = append(errs, fmt.Errorf("--format: %q is none of terminal, json", o.format))
	}
	if !slices.Contains([]string{"auto", "always", "never"}, o.color) {
		errs = append(errs, fmt.Errorf("--color: %q is none of auto, always, never", o.color))
	}
	if len(paths) == 0 && len(o.releases) == 0 && !o.cluster {
		if !env.isPluginCommand() {
			errs = append(errs, &verdict.RemedyError{
				Err:    errors.New("nothing to look at"),
				Remedy: "Name files, folders or charts, - for standard input, a snapshot, or --cluster.",
			})
		}
		o.cluster = true
	}
	return errors.Join(errs...)
}

// world is one environment to ask about.
type world struct {
	name  string
	model *rbac.Model
}

// worlds reads the sources, and makes a model of each environment in them.
func (o *accessOptions) worlds(ctx context.Context, env *Env, paths, kinds []string) ([]world, int, error) {
	cloud, err := o.readExports()
	if err != nil {
		return nil, 0, err
	}
	bar := newProgress(env)
	defer bar.clear()
	asked := slices.Concat(rbac.Kinds, []string{"ServiceAccount", definitions}, kinds)
	reading, err := o.read(ctx, env, paths, asked, nil, bar.stage("reading"))
	if err != nil {
		return nil, 0, err
	}
	// The ConfigMap aws-auth stands in one namespace; the others are nobody's business.
	if err := o.readCluster(ctx, env, reading, []string{"ConfigMap"}, []string{rbac.SystemNamespace}, bar.stage("reading")); err != nil {
		return nil, 0, err
	}
	version := o.kubeVersion
	if version == "" {
		version = reading.Version
	}
	inventory := fact.NewInventory(reading.Objects, version, reading.Live)
	model := func(inventory *fact.Inventory) *rbac.Model {
		return rbac.New(rbac.Input{Inventory: inventory, Gaps: reading.Coverage.Gaps, Shipped: catalog.Shipped(), Cloud: cloud})
	}
	gaps := len(reading.Coverage.Gaps)
	if len(inventory.Worlds) == 0 {
		return []world{{model: model(inventory)}}, gaps, nil
	}
	var list []world
	for _, w := range inventory.Worlds {
		list = append(list, world{w.Name(), model(w)})
	}
	return list, gaps, nil
}

// readExports reads --cloud-export.
func (o *accessOptions) readExports() (rbac.Cloud, error) {
	var cloud rbac.Cloud
	var errs []error
	for _, path := range o.exports {
		errs = append(errs, o.readExport(&cloud, path))
	}
	return cloud, errors.Join(errs...)
}

func (o *accessOptions) readExport(cloud *rbac.Cloud, path string) error {
	var text []byte
	file, err := source.Open(path)
	if err == nil {
		text, err = io.ReadAll(io.LimitReader(file, o.maxFile<<20+1))
		_ = file.Close() // it was only read
	}
	if err == nil && int64(len(text)) > o.maxFile<<20 {
		err = fmt.Errorf("over %d MiB, the bound of --max-file-mib", o.maxFile)
	}
	if err != nil {
		return fmt.Errorf("--cloud-export: read %s: %w", path, err)
	}
	docs, problems := document.Read(document.NewText(string(text)), 1)
	if len(problems) > 0 {
		return fmt.Errorf("--cloud-export: read %s: %w", path, problems[0])
	}
	origin := &fact.Origin{Source: "files", File: filepath.ToSlash(path)}
	for _, doc := range docs {
		if err := cloud.Read(doc.Root(), origin); err != nil {
			return &verdict.RemedyError{
				Err:    fmt.Errorf("--cloud-export: read %s: %w", path, err),
				Remedy: "Give what 'aws eks describe-access-entry', list-associated-access-policies or describe-pod-identity-association prints.",
			}
		}
	}
	return nil
}

// query reads what is asked, by the names that this world knows.
func (o *accessOptions) query(w *world, verb, resource string) (rbac.Query, error) {
	q, err := rbac.ParseQuery(verb, resource, slices.Concat(catalog.Resources(), w.model.Inventory().DefinedResources()))
	if err != nil {
		return q, err
	}
	q.Name = o.name
	if !q.Wide && q.URL == "" {
		q.Namespace = o.namespace
	}
	return q, nil
}

// answer writes the answers.
func (o *accessOptions) answer(env *Env, answers []report.Access) error {
	if o.format == "json" {
		return report.AccessJSON(env.Stdout, answers)
	}
	width := env.OutWidth
	color := o.color == "always" || o.color == "auto" && width > 0 && env.Getenv("NO_COLOR") == ""
	if width == 0 {
		width = 120
	}
	return report.AccessTerminal(env.Stdout, answers, report.TerminalOptions{Color: color, Width: width, Verbose: o.verbose, Program: env.Name})
}

// The exit codes of answers about rights: those of kubectl auth can-i, and one for what is not known.
const (
	exitYes     = 0
	exitNo      = 1
	exitUnclear = 3
)

// worst is the exit code of several answers: a yes outranks what is not known, and that outranks a no.
func worst(codes []int) error {
	for _, code := range []int{exitYes, exitUnclear} {
		if slices.Contains(codes, code) {
			return exitAnswer(code)
		}
	}
	return exitAnswer(exitNo)
}

func exitAnswer(code int) error {
	if code == exitYes {
		return nil
	}
	return exitError(code)
}

// verbs are those of the API, and those that only authorization knows.
var verbs = []string{
	"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "bind", "escalate", "impersonate", "approve", "sign", "use", "*",
}

// completeQuery completes a verb and a resource at those places among the arguments.
func completeQuery(verbAt int) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		switch len(args) {
		case verbAt:
			return verbs, cobra.ShellCompDirectiveNoFileComp
		case verbAt + 1:
			var words []string
			for _, r := range catalog.Resources() {
				word := r.Name
				if r.Group != "" {
					word += "." + r.Group
				}
				words = append(words, word)
			}
			return words, cobra.ShellCompDirectiveNoFileComp
		}
		if len(args) < verbAt {
			return []string{"sa:", "user:", "group:", "anonymous"}, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		}
		return nil, cobra.ShellCompDirectiveDefault
	}
}
