// Command sandbox is a real Kubernetes control plane in one static binary, for the project's end-to-end tests and for a person.
//
//	sandbox up [flags]           start a control plane and stay in the foreground
//	sandbox in [flags] COMMAND   run a command on the node of a running sandbox
//	sandbox load [flags] PROGRAM give the node an image of one static program
//	sandbox kubeconfig [flags]   print a kubeconfig for another user of a running sandbox
//	sandbox COMPONENT [args]     become etcd, kube-apiserver, kubelet, kubectl, …
//
// The product's module must not import this one, whose dependencies are those of Kubernetes. Its tests run the binary, so
// the command line and the output below are a contract.
//
// # sandbox up
//
// Everything listens on 127.0.0.1 only, on a port the kernel chose, so any number of sandboxes run side by side. When the
// API server is ready, and service accounts are made, one line of JSON goes to stdout (to a terminal: a few lines of
// text), with at least:
//
//	{"kubeconfig": PATH, "server": "https://127.0.0.1:PORT", "pid": N, "dir": PATH, "version": "v1.36.3"}
//
// and "auditLog": PATH with --audit. Nothing else is ever written to stdout. The sandbox ends, with all its processes
// and its temporary directory, on SIGTERM, SIGINT or SIGHUP and, with --until-stdin-closes, when its stdin reaches end
// of file: a test that holds the other end of that pipe takes its cluster with it, however it dies. If the sandbox
// itself is killed, its processes die as well and only the directory stays.
//
// With --node there is a node as well, on which pods run, in namespaces of its own (package enclosure), and the line has
// "node": {"name", "address", "podRange", "outside", "first"}. Nothing of the machine changes but the directory and some
// control groups, and they go even when the sandbox is killed.
//
// Exit codes: 0 ended as asked, 1 could not start or a component died (stderr has the end of its log), 2 usage,
// 3 this machine cannot run a node (stderr says why).
//
// # sandbox in, sandbox load
//
// A command runs on the node, as root, or with --outside on the machine beyond the cluster; it finds KUBECONFIG and a
// TMPDIR that it may write to. What is loaded is run by pods whose imagePullPolicy is Never or IfNotPresent.
//
// # sandbox kubeconfig
//
// Signs a client certificate with the sandbox's authority and prints a kubeconfig that stands by itself. A user without
// a role binding gets 403 from the API server; with --expired, whose certificate ended an hour ago, 401.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/coaming/coaming/test/sandbox/component"
)

const usage = `usage:
  sandbox up [--node [--dns FILE]] [--dir DIR] [--no-controller-manager] [--audit] [--apiserver-flag FLAG]...
             [--until-stdin-closes] [--timeout DURATION]
  sandbox in --dir DIR [--outside] COMMAND [args]
  sandbox load --dir DIR --image NAME PROGRAM
  sandbox kubeconfig --dir DIR --user NAME [--group GROUP]... [--expired]
  sandbox COMPONENT [args]     (%s)
`

// errUsage is for a command line that cannot be understood; what is wrong has been printed.
var errUsage = errors.New("usage")

func main() {
	name, args := "", []string(nil)
	if len(os.Args) > 1 {
		name, args = os.Args[1], os.Args[2:]
	}
	if code, ok := component.Run(name, args); ok {
		os.Exit(code)
	}
	os.Exit(exitCode(run(name, args)))
}

func run(name string, args []string) error {
	switch name {
	case "up":
		return up(args)
	case "in":
		return in(args)
	case "load":
		return load(args)
	case "kubeconfig":
		return printKubeconfig(args)
	case firstCommand, tenantCommand, broomCommand, runCommand:
		return backstage(name, args)
	case "help", "-h", "--help":
		fmt.Printf(usage, strings.Join(component.Names(), ", "))
		return nil
	default:
		fmt.Fprintf(os.Stderr, usage, strings.Join(component.Names(), ", "))
		return errUsage
	}
}

// exitError is the exit code of a command that has run and said what there was to say.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func exitCode(err error) int {
	code, coded := errors.AsType[exitError](err)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	case coded:
		return int(code)
	}
	fmt.Fprintf(os.Stderr, "sandbox: %v\n", err)
	if errors.Is(err, errCannot) {
		return 3
	}
	return 1
}

// parse reports a bad flag on stderr, as the flag package does, and refuses anything that is not a flag.
func parse(flags *flag.FlagSet, args []string) error {
	if err := parseFlags(flags, args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return usageError(flags, fmt.Sprintf("unexpected argument %q", flags.Arg(0)))
	}
	return nil
}

// parseFlags leaves what follows the flags to the caller.
func parseFlags(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	return nil
}

func usageError(flags *flag.FlagSet, problem string) error {
	fmt.Fprintln(flags.Output(), problem)
	flags.Usage()
	return errUsage
}
