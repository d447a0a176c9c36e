// Command sandbox is a real Kubernetes control plane in one static binary, for the project's end-to-end tests and for a person.
//
//	sandbox up [flags]           start a control plane and stay in the foreground
//	sandbox kubeconfig [flags]   print a kubeconfig for another user of a running sandbox
//	sandbox COMPONENT [args]     become etcd, kube-apiserver, kube-controller-manager or kubectl
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
// Exit codes: 0 ended as asked, 1 could not start or a component died (stderr has the end of its log), 2 usage.
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
  sandbox up [--dir DIR] [--no-controller-manager] [--audit] [--apiserver-flag FLAG]...
             [--until-stdin-closes] [--timeout DURATION]
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
	case "kubeconfig":
		return printKubeconfig(args)
	case "help", "-h", "--help":
		fmt.Printf(usage, strings.Join(component.Names(), ", "))
		return nil
	default:
		fmt.Fprintf(os.Stderr, usage, strings.Join(component.Names(), ", "))
		return errUsage
	}
}

func exitCode(err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	default:
		fmt.Fprintf(os.Stderr, "sandbox: %v\n", err)
		return 1
	}
}

// parse reports a bad flag on stderr, as the flag package does, and refuses anything that is not a flag.
func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	if flags.NArg() > 0 {
		return usageError(flags, fmt.Sprintf("unexpected argument %q", flags.Arg(0)))
	}
	return nil
}

func usageError(flags *flag.FlagSet, problem string) error {
	fmt.Fprintln(flags.Output(), problem)
	flags.Usage()
	return errUsage
}
