package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/inject"
	"github.com/coaming/coaming/internal/install"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/source"
	"github.com/coaming/coaming/internal/verdict"
)

// installOptions is the configuration of one installation.
type installOptions struct {
	clusterFlags
	customFlags
	images      installImages
	image       string
	allowTag    bool
	plan        string
	exceptions  string
	settings    string
	templates   []string
	values      []string
	set         []string
	setString   []string
	reset       bool
	adopt       bool
	repair      bool
	dryRun      bool
	output      string
	kubeVersion string
	wait        bool
	timeout     time.Duration
}

func installCommand(env *Env) *cobra.Command {
	o := &installOptions{}
	cmd := &cobra.Command{
		Use:   "install --image REGISTRY/coaming@sha256:DIGEST",
		Short: "Put the gate into a cluster, or bring the one that is there to this version and plan",
		Long: `Put the gate into a cluster: what the API server can enforce by itself first, then the gate, and when it answers the webhooks
that ask it. Run again it restores what was edited or deleted, upgrades, and removes what an earlier version had; values and the plan
of the earlier installation hold unless others are given. The gate's certificates are made of an authority that is made
once and kept.`,
		Example: `  coaming install --image registry.example.com/coaming@sha256:… --plan enforcement.yaml
  coaming install --image registry.example.com/coaming@sha256:… --dry-run       # what would change
  coaming install --image registry.example.com/coaming@sha256:… --kubernetes-version 1.36 --output yaml | coaming scan -`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), env) },
	}
	flags := cmd.Flags()
	o.clusterFlags.register(flags)
	o.customFlags.register(flags)
	_ = flags.MarkHidden("tree-rules") // there is no tree
	o.images.register(flags)
	flags.StringVar(&o.image, "image", "", "the gate's `IMAGE`, by its digest: REPOSITORY@sha256:DIGEST")
	flags.BoolVar(&o.allowTag, "allow-tag", false, "take an image by a tag alone, which whoever can push to it may change")
	flags.StringVar(&o.plan, "plan", "", "the plan of what is enforced, a `FILE` (of the earlier installation otherwise; else everything is only audited)")
	flags.StringVar(&o.exceptions, "exceptions", "", "a `FILE` of exceptions")
	flags.StringVar(&o.settings, "settings", "", "a `FILE` of settings of rules")
	flags.StringArrayVar(&o.templates, "template", nil, "a template of a sidecar, `NAME=FILE`; may be given several times")
	flags.StringArrayVar(&o.values, "values", nil, "values `FILE` for the chart (deploy/chart/values.yaml tells what there is)")
	flags.StringArrayVar(&o.set, "set", nil, "a value of the chart, `KEY=VALUE`")
	flags.StringArrayVar(&o.setString, "set-string", nil, "the same, always a string: `KEY=VALUE`")
	flags.BoolVar(&o.adopt, "adopt", false, "also remove what carries the label of Coaming and no installation wrote: policies exported by hand")
	flags.BoolVar(&o.reset, "reset-values", false, "forget the values and the plan of the earlier installation")
	flags.BoolVar(&o.repair, "repair", false, "let the gate restore its webhook configurations by itself: whoever takes it over may then become cluster-admin")
	flags.BoolVar(&o.dryRun, "dry-run", false, "say what would change, and change nothing")
	flags.StringVarP(&o.output, "output", "o", "", "with yaml: print the objects, but for the authority's Secret, and apply nothing (`FORMAT`)")
	flags.Var((*versionFlag)(&o.kubeVersion), "kubernetes-version", "with --output yaml: the Kubernetes `VERSION` to write for; no cluster is asked")
	flags.BoolVar(&o.wait, "wait", true, "set the webhooks when the gate answers; false sets them at once")
	flags.DurationVar(&o.timeout, "timeout", 5*time.Minute, "how long the gate may take to answer")
	completeFlag(cmd, "output", "yaml")
	_ = cmd.MarkFlagFilename("plan", "yaml", "yml")       // the only error is a flag that does not exist
	_ = cmd.MarkFlagFilename("exceptions", "yaml", "yml") // the same
	return cmd
}

func (o *installOptions) run(ctx context.Context, env *Env) error {
	given, err := o.given(ctx, env)
	if err != nil {
		return err
	}
	cluster, values, err := o.cluster(ctx, env, given)
	if err != nil {
		return err
	}
	options, err := installation(ctx, env, cluster, values)
	if err != nil {
		return err
	}
	options.Adopt = o.adopt
	options.Look = o.dryRun || o.output != ""
	if o.wait {
		options.Wait = o.timeout
	}
	plan, err := cluster.Prepare(ctx, options)
	if err != nil {
		return err
	}
	switch {
	case o.output != "":
		return install.YAML(env.Stdout, plan.Objects)
	case o.dryRun:
		lines, err := cluster.Preview(ctx, plan, o.adopt)
		if err != nil {
			return err
		}
		_, err = io.WriteString(env.Stdout, strings.Join(lines, "\n")+"\n")
		return err
	}
	if err := cluster.Apply(ctx, plan, options); err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.Stdout, "Coaming is installed. 'coaming status' tells how it stands, 'coaming uninstall' removes it.")
	return err
}

// given are the values that the flags name. All that is wrong with them is told at once.
func (o *installOptions) given(ctx context.Context, env *Env) (map[string]any, error) {
	var errs []error
	values, err := source.ChartValues(source.Release{Values: o.values, Set: o.set, SetString: o.setString})
	errs = append(errs, err)
	lay := func(more map[string]any, err error) {
		if errs = append(errs, err); err == nil {
			values = install.Merge(values, more)
		}
	}
	if o.image != "" {
		lay(install.Image(o.image, o.allowTag))
	}
	if o.plan != "" {
		lay(o.planValues(ctx, env))
	}
	if o.exceptions != "" {
		lay(textValue("exceptions", o.exceptions, func(name, text string) error {
			_, err := exception.File(name, text)
			return err
		}))
	}
	if o.settings != "" {
		lay(textValue("settings", o.settings, func(name, text string) error {
			_, err := rule.ParseSettings(name, text)
			return err
		}))
	}
	for _, t := range o.templates {
		name, file, found := strings.Cut(t, "=")
		if !found || name == "" || file == "" {
			errs = append(errs, &verdict.RemedyError{Err: fmt.Errorf("--template %q", t), Remedy: "Write NAME=FILE."})
			continue
		}
		more, err := textValue("template", file, func(file, text string) error {
			_, err := inject.ReadTemplate(file, text)
			return err
		})
		lay(map[string]any{"templates": map[string]any{name: more["template"]}}, err)
	}
	if len(o.from) > 0 {
		lay(o.ruleValues(ctx, env))
	}
	lay(o.images.given())
	if o.repair {
		lay(map[string]any{"gate": map[string]any{"repair": true}}, nil)
	}
	if o.output != "" && o.output != "yaml" {
		errs = append(errs, fmt.Errorf("--output: %q is not yaml", o.output))
	}
	if o.kubeVersion != "" && o.output == "" {
		errs = append(errs, errors.New("--kubernetes-version: it goes with --output yaml alone; a cluster tells its own"))
	}
	if o.timeout <= 0 {
		errs = append(errs, errors.New("--timeout: not above 0"))
	}
	return values, errors.Join(append(errs, o.fit(values, env, errors.Join(errs...) != nil))...)
}

// fit tells what the chart does not take of values. The plan's own reader tells more of the plan: it is asked when all is laid together, and
// here where that is not to be, since something else is wrong.
func (o *installOptions) fit(values map[string]any, env *Env, wrong bool) error {
	beside := maps.Clone(values)
	if _, isMap := values["plan"].(map[string]any); isMap {
		delete(beside, "plan")
	}
	err := install.Check(beside)
	if err == nil && !wrong {
		return nil
	}
	defaults, fault := install.Defaults()
	if fault != nil {
		return errors.Join(err, fault)
	}
	_, fault = readEnforced(install.Merge(defaults, values), env.Now())
	return errors.Join(err, fault)
}

// planValues reads a plan's file as the value plan: every fault of it is told at its place.
func (o *installOptions) planValues(ctx context.Context, env *Env) (map[string]any, error) {
	file := o.plan
	text, err := readBounded(file)
	if err != nil {
		return nil, fmt.Errorf("--plan: %w", err)
	}
	if _, err := enforcement.Read(filepath.ToSlash(file), text); err != nil {
		// What it says of rules is told with the rest; a plan of which that alone is wrong may speak of rules of the earlier installation.
		if rules, unread := o.all(ctx, env, nil, catalog.Brief); unread == nil {
			_, err = enforcement.ReadFor(filepath.ToSlash(file), text, plain(rules))
		}
		return nil, err
	}
	var plan map[string]any
	if err := yaml.Unmarshal([]byte(text), &plan); err != nil {
		return nil, fmt.Errorf("--plan %s: %w", file, err)
	}
	return map[string]any{"plan": plan}, nil
}

// textValue is a file's text as a value, once its reader takes it.
func textValue(name, file string, check func(name, text string) error) (map[string]any, error) {
	text, err := readBounded(file)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", name, err)
	}
	return map[string]any{name: text}, check(filepath.ToSlash(file), text)
}

// ruleValues are the rules that the flags name, as the value rules: their texts by the names of their files.
func (o *installOptions) ruleValues(ctx context.Context, env *Env) (map[string]any, error) {
	files, err := o.files(ctx, env, nil)
	if err != nil {
		return nil, err
	}
	rules := map[string]any{}
	for _, f := range files {
		name := strings.TrimSuffix(path.Base(filepath.ToSlash(f.Name)), path.Ext(f.Name))
		name = unfitKey.ReplaceAllString(name, "-")
		for n := 2; rules[name] != nil; n++ {
			name = fmt.Sprintf("%s-%d", strings.TrimSuffix(name, fmt.Sprintf("-%d", n-1)), n)
		}
		rules[name] = f.Text
	}
	return map[string]any{"rules": rules}, nil
}

// unfitKey is what no key of a ConfigMap may have.
var unfitKey = regexp.MustCompile(`[^-._a-zA-Z0-9]+`)

// replaced are the values that a new one replaces whole: what it does not say is not left from the old.
// The index of advisories is in one place.
var replaced = []struct {
	by    []string // where it is given
	whole [][]string
}{
	{[]string{"plan"}, [][]string{{"plan"}}},
	{[]string{"rules"}, [][]string{{"rules"}}},
	{[]string{"images", "trust"}, [][]string{{"images", "trust"}}},
	{[]string{"images", "registryConfig"}, [][]string{{"images", "registryFiles"}}},
	{[]string{"images", "index", "volume"}, [][]string{{"images", "index", "volume"}, {"images", "index", "from"}, {"images", "index", "key"}}},
	{[]string{"images", "index", "from"}, [][]string{{"images", "index", "volume"}}},
}

// over lays values over those of an earlier installation.
func over(kept, given map[string]any) map[string]any {
	under := install.Merge(kept, nil)
	for _, r := range replaced {
		if _, there, _ := unstructured.NestedFieldNoCopy(given, r.by...); !there {
			continue
		}
		for _, place := range r.whole {
			unstructured.RemoveNestedField(under, place...)
		}
	}
	return install.Merge(under, given)
}

// cluster connects, and lays the given values over those of the earlier installation.
func (o *installOptions) cluster(ctx context.Context, env *Env, given map[string]any) (*install.Cluster, map[string]any, error) {
	if o.kubeVersion != "" {
		return install.Offline(o.kubeVersion), given, nil
	}
	cluster, err := o.connect(ctx, env)
	if err != nil || o.reset {
		return cluster, given, err
	}
	kept, err := cluster.Kept(ctx)
	if err != nil || kept == nil {
		return cluster, given, err
	}
	values, err := install.Forget(over(kept.Values, given))
	if err != nil {
		return nil, nil, err
	}
	beside := maps.Clone(values)
	delete(beside, "plan")
	return cluster, values, install.CheckKept(beside)
}

func (f *clusterFlags) connect(ctx context.Context, env *Env) (*install.Cluster, error) {
	options, err := f.options(env)
	if err != nil {
		return nil, err
	}
	return install.Connect(ctx, options.Config)
}

// installation is what the values make: with what enforces the plan without the gate.
func installation(ctx context.Context, env *Env, cluster *install.Cluster, values map[string]any) (install.Options, error) {
	o := install.Options{Values: values, Version: env.Version, Now: env.Now()}
	o.Tell = func(format string, args ...any) { _, _ = fmt.Fprintf(env.Stderr, format+"\n", args...) }
	defaults, err := install.Defaults()
	if err != nil {
		return o, err
	}
	e, err := readEnforced(install.Merge(defaults, values), env.Now())
	if err != nil {
		return o, err
	}
	places, err := cluster.Places(ctx)
	if err != nil {
		return o, err
	}
	if o.Native, err = e.native(cluster.Version, places); err != nil {
		return o, err
	}
	o.Values = install.Merge(o.Values, e.askedAbout(cluster.Version))
	if warning := e.unasked(cluster.Version); warning != "" {
		o.Tell("%s", warning)
	}
	offered := cluster.Mutating()
	if word, _, _ := unstructured.NestedString(values, "mutations", "native"); word == "never" {
		offered = ""
	}
	if o.Mutating, o.Webhook, err = e.mutations(cluster.Version, offered); err != nil {
		return o, err
	}
	objects, _, err := unstructured.NestedBool(values, "exceptionObjects")
	if err != nil {
		return o, fmt.Errorf("exceptionObjects: %w", err)
	}
	o.Later, err = e.later(cluster.Version, places, objects)
	return o, err
}
