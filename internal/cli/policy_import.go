package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/policy"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/source"
	"github.com/coaming/coaming/internal/verdict"
)

// policyImportOptions is the configuration of one import.
type policyImportOptions struct {
	practice       string
	severity       string
	everyNamespace bool
	output         string
	maxFile        int64
}

func policyImportCommand(env *Env) *cobra.Command {
	o := &policyImportOptions{}
	cmd := &cobra.Command{
		Use:   "import FILE...",
		Short: "Write existing ValidatingAdmissionPolicies as rules",
		Long: `Write each validation of the ValidatingAdmissionPolicies in the files (- for standard input) as a rule. Hand over their
bindings, parameters and the CustomResourceDefinitions of custom kinds as well, where there are some.

What a policy asks of the request and its sender no manifest tells: such a policy is not imported, standard error tells
where and why, and the exit code is 3.`,
		Example: `  coaming policy import policies.yaml -o rules/
  kubectl get validatingadmissionpolicies,validatingadmissionpolicybindings -o yaml | coaming policy import -`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return o.run(env, args) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.practice, "practice", "admit", "`PRACTICE` of the rules")
	flags.StringVar(&o.severity, "severity", "medium", "`SEVERITY` of the rules: low, medium, high or critical")
	flags.BoolVar(&o.everyNamespace, "every-namespace", false, "take policies that select namespaces by their labels to hold in all")
	flags.StringVarP(&o.output, "output", "o", "-", "write a file for each rule into this `FOLDER` (- for all to standard output)")
	flags.Int64Var(&o.maxFile, "max-file-mib", 16, "largest file that is read, in MiB")
	completeFlag(cmd, "practice", rule.Practices...)
	completeFlag(cmd, "severity", "low", "medium", "high", "critical")
	return cmd
}

func (o *policyImportOptions) run(env *Env, args []string) error {
	options := policy.ImportOptions{Practice: o.practice, EveryNamespace: o.everyNamespace}
	var errs []error
	if err := options.Severity.UnmarshalText([]byte(o.severity)); err != nil {
		errs = append(errs, fmt.Errorf("--severity: %w", err))
	}
	if !slices.Contains(rule.Practices, o.practice) {
		errs = append(errs, fmt.Errorf("--practice: %q is none of %s", o.practice, strings.Join(rule.Practices, ", ")))
	}
	var files []policy.File
	for _, arg := range args {
		f, err := o.read(env, arg)
		files, errs = append(files, f), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	rules, refused, err := policy.Import(files, options)
	if err != nil {
		return err
	}
	for _, r := range refused {
		_, _ = fmt.Fprintf(env.Stderr, "not imported: %v\n", r)
	}
	_, _ = fmt.Fprintf(env.Stderr, "%d rules imported\n", len(rules))
	if len(rules)+len(refused) == 0 {
		return &verdict.RemedyError{Err: errors.New("the files hold no ValidatingAdmissionPolicy"), Remedy: "Name files that do, or - for standard input."}
	}
	if err := o.write(env, rules); err != nil {
		return err
	}
	if len(refused) > 0 {
		return exitError(verdict.ExitUnknown)
	}
	return nil
}

// read reads a file, or standard input, up to the bound.
func (o *policyImportOptions) read(env *Env, name string) (policy.File, error) {
	in := env.Stdin
	if name != "-" {
		file, err := source.Open(name)
		if err != nil {
			return policy.File{}, fmt.Errorf("open policies: %w", err)
		}
		defer func() { _ = file.Close() }() // it was only read
		in = file
	}
	raw, err := io.ReadAll(io.LimitReader(in, o.maxFile<<20+1))
	if err != nil {
		return policy.File{}, fmt.Errorf("read %s: %w", name, err)
	}
	if int64(len(raw)) > o.maxFile<<20 {
		return policy.File{}, &verdict.RemedyError{Err: fmt.Errorf("%s is larger than %d MiB", name, o.maxFile), Remedy: "Raise --max-file-mib."}
	}
	text, fault := document.Decode(string(raw))
	if fault != nil {
		return policy.File{}, fmt.Errorf("%s:%d:%d: %s", name, fault.Line, max(fault.Column, 1), fault.Message)
	}
	return policy.File{Name: name, Text: text.Content()}, nil
}

func (o *policyImportOptions) write(env *Env, rules []policy.Imported) error {
	if o.output == "-" {
		for i, r := range rules {
			if i > 0 {
				r.Text = "---\n" + r.Text
			}
			if _, err := io.WriteString(env.Stdout, r.Text); err != nil {
				return fmt.Errorf("write rules: %w", err)
			}
		}
		return nil
	}
	var files []outFile
	for _, r := range rules {
		files = append(files, outFile{r.ID + ".yaml", r.Text})
	}
	return writeInto(o.output, files)
}
