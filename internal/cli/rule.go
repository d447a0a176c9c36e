package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/bundle"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/image"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/internal/workbench"
)

func ruleCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rule",
		Short: "Write, try, explain, document, pack and sign rules of your own",
		Long: `Write, try, explain, document, pack and sign rules of your own. 'coaming scan --rules PATH' asks them; 'coaming rules' lists what there is.
Exit codes: 0 all is well; 1 a rule does not do what its examples say; 2 wrong usage, or a rule that is none.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			var known []string
			for _, c := range cmd.Commands() {
				known = append(known, c.Name())
			}
			return &verdict.RemedyError{Err: fmt.Errorf("there is no command \"rule %s\"%s", args[0], nearest(args[0], known)), Remedy: "See 'coaming rule --help'."}
		},
		Args: cobra.ArbitraryArgs,
	}
	cmd.AddCommand(
		ruleNewCommand(env), ruleTestCommand(env), ruleExplainCommand(env), ruleDocsCommand(env),
		ruleBundleCommand(env), ruleSignCommand(env), ruleVerifyCommand(env), rulePushCommand(env),
	)
	return cmd
}

func ruleNewCommand(env *Env) *cobra.Command {
	d := workbench.Draft{}
	output := ""
	cmd := &cobra.Command{
		Use:   "new ID",
		Short: "Begin a rule: a file with comments, and examples that pass its trial",
		Example: `  coaming rule new our-registry --match container -o our-rules/our-registry.yaml
  coaming rule new owned-service --practice net --match Service -o our-rules/owned-service.yaml`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			d.ID = args[0]
			text, err := workbench.Scaffold(d)
			if err != nil {
				return err
			}
			if output == "" {
				_, err := env.Stdout.Write([]byte(text))
				return err
			}
			return writeNew(output, text)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&d.Practice, "practice", "pod", "the `PRACTICE` it belongs to")
	flags.StringVar(&d.Severity, "severity", "medium", "how grave a fault is: `SEVERITY` low, medium, high or critical")
	flags.StringVar(&d.Match, "match", "container", "what is judged: `FACT` container, workload, namespace, object, cluster, or an object kind like Ingress.networking.k8s.io")
	flags.StringVarP(&output, "output", "o", "", "write the rule to this `FILE`, which must not exist")
	completeFlag(cmd, "practice", rule.Practices...)
	completeFlag(cmd, "severity", "low", "medium", "high", "critical")
	_ = cmd.RegisterFlagCompletionFunc("match", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return workbench.Matches(), cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

// writeNew writes a file that must not be there yet, and the folder it stands in.
func writeNew(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write rule: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, os.ErrExist) {
		return &verdict.RemedyError{Err: fmt.Errorf("%s is there already", path), Remedy: "Name another file."}
	}
	if err != nil {
		return fmt.Errorf("write rule: %w", err)
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

func ruleTestCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:   "test FILE|DIR...",
		Short: "Hold rules to their own examples, and to what is demanded of built-in ones",
		Long: `Hold rules to their own examples: each bad one must fail and each good one pass, and nothing be unknown. Texts, paths, control ids and messages
are held to what is demanded of the built-in rules. A rule's fix is made on each bad example, with every candidate that it would offer, and judged again:
the finding must go, no rule, built-in or tested beside it, may find anything new, and a second run must find nothing to do.
Every problem is told at once, each with its place.
Exit codes: 0 all is well; 1 a rule does not do what its examples say; 2 wrong usage, or a rule that is none.`,
		Example: `  coaming rule test our-rules/`,
		Args:    cobra.MinimumNArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return testRules(cmd.Context(), env, args) },
	}
}

func testRules(ctx context.Context, env *Env, paths []string) error {
	rules, err := readLocal(paths)
	if err != nil {
		return err
	}
	all, err := askedBeside(rules)
	if err != nil {
		return err
	}
	failed, problems, examples, fixed := 0, 0, 0, 0
	for _, r := range rules {
		examples += len(r.Bad) + len(r.Good)
		proved, unproved := workbench.Prove(ctx, r, all, env.bench())
		faults := rule.Faults(rule.InOrder(errors.Join(workbench.Lint(r, env.bench()), workbench.Try(r, env.bench()), unproved)))
		for _, fault := range faults {
			_, _ = fmt.Fprintln(env.Stdout, fault)
		}
		fixed += proved
		if problems += len(faults); len(faults) > 0 {
			failed++
		}
	}
	counts := fmt.Sprintf("%s, %d examples", counted(len(rules), "rule"), examples)
	if slices.ContainsFunc(rules, fixes) {
		counts += fmt.Sprintf(", %d of them with a proved fix", fixed)
	}
	if failed > 0 {
		_, _ = fmt.Fprintf(env.Stdout, "%s: %s in %s\n", counts, counted(problems, "problem"), counted(failed, "rule"))
		return exitError(verdict.ExitFindings)
	}
	_, _ = fmt.Fprintf(env.Stdout, "%s: all as they should be\n", counts)
	return nil
}

// bench is what rules are tried with: images that examples describe are built and opened as others are.
func (env *Env) bench() workbench.Bench {
	return workbench.Bench{Now: env.Now(), Image: image.Specimen}
}

func fixes(r *rule.Compiled) bool { return len(r.Fix) > 0 }

// askedBeside are the rules that a fixed example is judged by: all that a scan with the rules would ask; none
// where no rule has a fix.
func askedBeside(rules []*rule.Compiled) ([]*rule.Compiled, error) {
	if !slices.ContainsFunc(rules, fixes) {
		return nil, nil
	}
	brief, err := catalog.Brief()
	if err != nil {
		return nil, err
	}
	builtIn, err := catalog.Compile(brief)
	return append(builtIn, rules...), err
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// readLocal reads the rules of folders and files; ids are held to those of the built-in rules.
func readLocal(paths []string) ([]*rule.Compiled, error) {
	taken, err := builtInIDs()
	if err != nil {
		return nil, err
	}
	var files []rule.File
	var errs []error
	for _, path := range paths {
		if isBundle(path) || strings.HasPrefix(path, bundle.Scheme) {
			errs = append(errs, &verdict.RemedyError{Err: fmt.Errorf("%s is a bundle", path), Remedy: "Name the folder that it was made of."})
			continue
		}
		some, err := bundle.ReadFolder(path)
		files, errs = append(files, some...), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return workbench.Read(files, taken)
}

func ruleExplainCommand(env *Env) *cobra.Command {
	settings := &settingFlags{}
	cmd := &cobra.Command{
		Use:   "explain RULE-FILE OBJECT-FILE",
		Short: "Show how a rule comes out on an object: each part of its expressions with its value",
		Long: `Show how a rule comes out on the objects of a file: for each part that it is asked about the verdict, and each part of its expressions with its value.
Credentials are masked. The rule is a file, or the id of a built-in rule. Where no settings are told, those of the rule's examples count.
Exit codes: 0 the rule passes; 1 it fails; 2 wrong usage; 3 it is unknown.`,
		Example: `  coaming rule explain our-rules/our-registry.yaml deploy/web.yaml`,
		Args:    cobra.ExactArgs(2),
		RunE:    func(cmd *cobra.Command, args []string) error { return explainRule(cmd, env, settings, args) },
	}
	settings.register(cmd.Flags())
	settings.complete(cmd)
	return cmd
}

// explainRule explains a rule on an object with the settings that are told, else with those of the rule's examples.
func explainRule(cmd *cobra.Command, env *Env, flags *settingFlags, args []string) error {
	ruleFile, objectFile := args[0], args[1]
	r, err := oneRule(cmd, env, ruleFile)
	if err != nil {
		return err
	}
	settings, err := flags.load()
	if err != nil {
		return err
	}
	if told := len(settings.Registries)+len(settings.Publishers)+len(settings.PrivateRegistries) > 0; told {
		own := *r
		plain := *r.Rule
		plain.Settings, own.Rule = settings, &plain
		r = &own
	}
	objects, err := readObjects(objectFile)
	if err != nil {
		return err
	}
	v, err := workbench.Explain(env.Stdout, r, objects, env.bench())
	if err != nil {
		return err
	}
	switch v {
	case verdict.Fail:
		return exitError(verdict.ExitFindings)
	case verdict.Unknown:
		return exitError(verdict.ExitUnknown)
	default:
		return nil
	}
}

// oneRule is the rule of a file, or the built-in rule of that id.
func oneRule(cmd *cobra.Command, env *Env, name string) (*rule.Compiled, error) {
	if _, err := os.Stat(name); err != nil && !strings.ContainsAny(name, "./\\") {
		f := &ruleFlags{rules: []string{name}}
		rules, _, err := f.load(cmd.Context(), env, nil)
		if err != nil {
			return nil, err
		}
		return rules[0], nil
	}
	files, err := bundle.ReadFolder(name)
	if err != nil {
		return nil, err
	}
	if len(files) != 1 {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("%s holds %d rules", name, len(files)), Remedy: "Name one rule file."}
	}
	rules, err := workbench.Read(files, nil)
	if err != nil {
		return nil, err
	}
	return rules[0], nil
}

// readObjects reads the objects of a file as a scan does.
func readObjects(path string) ([]document.Value, error) {
	raw, err := bundle.ReadFile(path)
	if err != nil {
		return nil, err
	}
	text, fault := document.Decode(string(raw))
	if fault != nil {
		return nil, fmt.Errorf("%s:%d: %s", path, fault.Line, fault.Message)
	}
	docs, faults := document.Read(text, 1)
	var errs []error
	for _, f := range faults {
		errs = append(errs, fmt.Errorf("%s:%d:%d: %s", path, f.Line, max(f.Column, 1), f.Message))
	}
	var objects []document.Value
	for _, d := range docs {
		objects = append(objects, d.Root())
	}
	return objects, errors.Join(errs...)
}

func ruleDocsCommand(env *Env) *cobra.Command {
	output := ""
	cmd := &cobra.Command{
		Use:     "docs [FILE|DIR...] -o DIR",
		Short:   "Write a page of Markdown for each rule, and one that lists them",
		Long:    `Write a page of Markdown for each rule, DIR/ID.md, and one that lists them, DIR/README.md: of your own rules, or of the built-in ones when none is named.`,
		Example: `  coaming rule docs our-rules/ -o docs/our-rules`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if output == "" {
				return &verdict.RemedyError{Err: errors.New("no folder to write to"), Remedy: "Name one: -o docs/our-rules."}
			}
			rules, err := (&customFlags{}).all(cmd.Context(), env, nil, catalog.Rules)
			if len(args) > 0 {
				rules, err = readLocal(args)
			}
			if err != nil {
				return err
			}
			return writeDocs(env, rules, output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "write the pages to this `FOLDER`")
	return cmd
}

func writeDocs(env *Env, rules []*rule.Compiled, folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("write pages: %w", err)
	}
	plain := make([]*rule.Rule, 0, len(rules))
	for _, r := range rules {
		plain = append(plain, r.Rule)
		if err := os.WriteFile(filepath.Join(folder, r.ID+".md"), []byte(workbench.NewSheet(r).Page("", "README.md")), 0o644); err != nil {
			return fmt.Errorf("write page: %w", err)
		}
	}
	index, err := workbench.Index("# Rules", counted(len(rules), "rule")+", by practice.", plain, "")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "README.md"), []byte(index), 0o644); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	_, _ = fmt.Fprintf(env.Stderr, "%s and README.md written to %s\n", counted(len(rules), "page"), folder)
	return nil
}
