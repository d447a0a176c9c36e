package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/coaming/coaming/test/sandbox/cluster"
	"github.com/coaming/coaming/test/sandbox/component"
)

func up(args []string) (err error) {
	flags := flag.NewFlagSet("sandbox up", flag.ContinueOnError)
	dir := flags.String("dir", "", "keep everything in `DIR`, new or empty, which is not removed at the end (default: a temporary directory)")
	noManager := flags.Bool("no-controller-manager", false, "run etcd and the API server only")
	audit := flags.Bool("audit", false, "write an audit log")
	untilStdin := flags.Bool("until-stdin-closes", false, "end when stdin does")
	withNode := flags.Bool("node", false, "run a node as well (Linux, root, control groups of version 1; containerd, runc, network plugins, nftables)")
	dns := flags.String("dns", "", "CoreDNS for --node is this `FILE` (default: the one beside this program that is called like it and -dns)")
	timeout := flags.Duration("timeout", time.Minute, "give up if not ready after this `DURATION`")
	var serverFlags []string
	flags.Func("apiserver-flag", "pass `FLAG` (--name=value, paths absolute) to the API server; may be repeated", func(s string) error {
		serverFlags = append(serverFlags, s)
		return nil
	})
	if err := parse(flags, args); err != nil {
		return err
	}
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own executable: %w", err)
	}

	// SIGPIPE as well: when nobody reads the line any more, the sandbox is to end in order and not at once.
	ctx, forget := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	defer forget()
	ctx, end := context.WithCancel(ctx)
	defer end()
	if *untilStdin {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // broken is as good as closed
			end()
		}()
	}

	// The kernel ends the children with the thread that started them (see cluster.Start), so this one must not be given away.
	runtime.LockOSThread()
	human := term.IsTerminal(int(os.Stdout.Fd()))
	if human {
		fmt.Fprintln(os.Stderr, "starting…")
	}
	config := cluster.Config{
		Executable:        executable,
		Version:           component.Version(),
		Dir:               *dir,
		ControllerManager: !*noManager,
		Audit:             *audit,
		APIServerFlags:    serverFlags,
		Timeout:           *timeout,
	}
	if *withNode {
		if config.Node, err = nodeOf(executable, *dns); err != nil {
			return err
		}
	}
	sandbox, err := startSandbox(ctx, config)
	if ctx.Err() != nil && err != nil {
		return errors.New("told to stop before it was ready")
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sandbox.Stop()) }()
	if err := announce(os.Stdout, sandbox.info(), human); err != nil {
		return err
	}
	return sandbox.Wait(ctx)
}

// running is a sandbox, with a node or without.
type running interface {
	info() cluster.Info
	// Wait returns nil when ctx is over, or why the sandbox ended before.
	Wait(ctx context.Context) error
	// Stop ends it and takes everything of it away.
	Stop() error
}

func startSandbox(ctx context.Context, config cluster.Config) (running, error) {
	if config.Node != nil {
		return startEnclosed(ctx, config)
	}
	c, err := cluster.Start(ctx, config)
	if err != nil {
		return nil, err
	}
	return plain{c}, nil
}

// plain is a sandbox without a node.
type plain struct{ *cluster.Cluster }

func (p plain) info() cluster.Info { return p.Info }

// announce says where the sandbox is, to a program or to a person.
func announce(w io.Writer, info cluster.Info, human bool) error {
	if !human {
		if err := json.NewEncoder(w).Encode(info); err != nil {
			return fmt.Errorf("print sandbox: %w", err)
		}
		return nil
	}
	text := fmt.Sprintf("Kubernetes %s is ready at %s. In another terminal:\n\n  export KUBECONFIG=%s\n\n", info.Version, info.Server, info.Kubeconfig)
	text += fmt.Sprintf("Logs are in %s/log.", info.Dir)
	if info.AuditLog != "" {
		text += fmt.Sprintf(" The audit log is %s.", info.AuditLog)
	}
	if info.Node != nil {
		text += fmt.Sprintf("\nPods run. 'sandbox in --dir %s bash' is a shell on their node.", info.Dir)
	}
	text += " Ctrl-C ends the sandbox.\n"
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("print sandbox: %w", err)
	}
	return nil
}
