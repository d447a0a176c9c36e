// Package cli is the command line: one file a command, its flags, its configuration and its
// wiring. It holds no judgement of its own. A command is a function of its Env, so that a script
// can test it whole.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	_ "github.com/coaming/coaming/internal/heap" // no garbage collection in short runs
	"github.com/coaming/coaming/internal/verdict"
)

// Env is all that a command sees of its process.
type Env struct {
	Args    []string // without the program's name
	Name    string   // the program's name as it was called
	Version string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Getenv  func(string) string
	Now     func() time.Time
	// CacheDir is where the last result is remembered; "" remembers nothing.
	CacheDir string
	// OutWidth is the width of the terminal that Stdout is, 0 when it is none; ErrTerminal says
	// whether Stderr is one.
	OutWidth    int
	ErrTerminal bool
}

// exitError ends a command with that code and no message: the report has said it all.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// Run runs one command and returns its exit code.
func Run(ctx context.Context, env Env) int {
	// Libraries log through the default logger, that of package log included; what a person should
	// know of them is a gap in the coverage.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	root := rootCommand(&env) //nolint:contextcheck // cobra hands the context of ExecuteContext on
	err := root.ExecuteContext(ctx)
	if code, ok := errors.AsType[exitError](err); ok {
		return int(code)
	}
	if err != nil {
		_, _ = fmt.Fprintf(env.Stderr, "%s: %v\n", env.Name, err)
		for _, remedy := range remediesOf(err, nil) {
			_, _ = fmt.Fprintf(env.Stderr, "%s: hint: %s\n", env.Name, remedy)
		}
		return verdict.ExitError
	}
	return verdict.ExitClean
}

// remediesOf adds the remedies of an error, and of all that are joined in it, each once.
func remediesOf(err error, list []string) []string {
	switch e := err.(type) { //nolint:errorlint // it walks the tree itself
	case *verdict.RemedyError:
		if e.Remedy != "" && !slices.Contains(list, e.Remedy) {
			list = append(list, e.Remedy)
		}
		return list
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			list = remediesOf(part, list)
		}
	case interface{ Unwrap() error }:
		list = remediesOf(e.Unwrap(), list)
	}
	return list
}

// isPlugin says whether the program runs as a kubectl plugin, and so for a cluster first of all.
func (e *Env) isPlugin() bool { return strings.HasPrefix(e.Name, "kubectl-") }

func rootCommand(env *Env) *cobra.Command {
	name := "coaming"
	if env.isPlugin() {
		name = "kubectl coaming"
		env.Name = name
	}
	root := &cobra.Command{
		Use:           "coaming",
		Short:         "Secure a Kubernetes environment: see what is there, judge it, say what to do",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: name},
		Version:       env.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return &verdict.RemedyError{Err: fmt.Errorf("there is no command %q", args[0]), Remedy: "See '" + name + " --help'."}
		},
		Args: cobra.ArbitraryArgs,
	}
	root.AddCommand(
		scanCommand(env),
		fixCommand(env),
		snapshotCommand(env),
		rulesCommand(env),
		ruleCommand(env),
		explainCommand(env),
		exceptionCommand(env),
		reportCommand(env),
		diffCommand(env),
		frameworksCommand(env),
		policyCommand(env),
		gateCommand(env),
		canCommand(env),
		whoCanCommand(env),
		identityCommand(env),
		reachCommand(env),
		pathsCommand(env),
		cutCommand(env),
		dbCommand(env),
		imageCommand(env),
		installCommand(env),
		uninstallCommand(env),
		statusCommand(env),
	)
	called := strings.NewReplacer("  coaming ", "  "+name+" ", "| coaming ", "| "+name+" ")
	for _, cmd := range root.Commands() {
		cmd.Example = called.Replace(cmd.Example)
		for _, sub := range cmd.Commands() {
			sub.Example = called.Replace(sub.Example)
		}
	}
	root.SetArgs(env.Args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &verdict.RemedyError{Err: err, Remedy: "See '" + cmd.CommandPath() + " --help'."}
	})
	return root
}
