package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/coaming/coaming/test/sandbox/cluster"
	"github.com/coaming/coaming/test/sandbox/enclosure"
	"github.com/coaming/coaming/test/sandbox/node"
)

// errCannot is for a machine that cannot run a node.
var errCannot = errors.New("this machine cannot run a node")

// nodeOf is the node that the command line asks for.
func nodeOf(executable, dns string) (*cluster.Node, error) {
	if missing := enclosure.Missing(); len(missing) > 0 {
		return nil, fmt.Errorf("%w: %s", errCannot, strings.Join(missing, "; "))
	}
	if dns == "" {
		dns = executable + "-dns"
	}
	dns, err := filepath.Abs(dns)
	if err == nil {
		_, err = os.Stat(dns)
	}
	if err != nil {
		return nil, fmt.Errorf("find CoreDNS: %w: build it with 'make bin/sandbox-dns', or name it with --dns", err)
	}
	return &cluster.Node{Plugins: enclosure.Plugins, DNSProgram: dns}, nil
}

// enclosed is a sandbox with a node, seen from the machine. Everything of it is a descendant of first, in namespaces of its own.
type enclosed struct {
	told    cluster.Info
	first   *exec.Cmd
	reports chan report // closed when first has ended
	broom   *broom
}

// report is what the tenant says through a pipe: that it is ready, or what is wrong.
type report struct {
	Info  *cluster.Info `json:"info,omitempty"`
	Error string        `json:"error,omitempty"`
}

// startEnclosed returns when the node is ready. What it started is gone again if it returns an error. For the calling
// thread the same holds as for cluster.Start's.
func startEnclosed(ctx context.Context, config cluster.Config) (_ *enclosed, err error) {
	temporary := config.Dir == ""
	if config.Dir, err = cluster.MakeDir(config.Dir); err != nil {
		return nil, err
	}
	e := &enclosed{reports: make(chan report, 4)}
	groups, err := enclosure.NewGroups(filepath.Base(config.Dir))
	if err != nil {
		return nil, err
	}
	sweep := sweeping{Groups: groups.Paths}
	if temporary {
		sweep.Dir = config.Dir
	}
	if e.broom, err = startBroom(config.Executable, sweep); err != nil {
		return nil, errors.Join(err, sweep.do())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Stop())
		}
	}()
	if err := errors.Join(groups.Make(), os.Mkdir(filepath.Join(config.Dir, scratchDir), 0o700)); err != nil {
		return nil, err
	}
	if err := e.launch(config, groups); err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case r, ok := <-e.reports:
		if !ok || r.Info == nil {
			return nil, r.failure(ok)
		}
		e.told = *r.Info
	}
	e.told.PID, e.told.Node.First = os.Getpid(), e.first.Process.Pid
	return e, e.told.Write()
}

// scratchDir is what programs inside have for a temporary directory, in the sandbox's own.
const scratchDir = "tmp"

// launch starts the first process, in the groups, with a socket that listens on the machine and a pipe for reports.
func (e *enclosed) launch(config cluster.Config, groups *enclosure.Groups) error {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("reserve port: %w", err)
	}
	defer listener.Close()
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		return fmt.Errorf("reserve port: %w", err)
	}
	defer socket.Close()
	in, out, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make pipe: %w", err)
	}
	defer out.Close()
	config.Node.Port = listener.Addr().(*net.TCPAddr).Port
	told, err := json.Marshal(config)
	if err != nil {
		return fmt.Errorf("encode configuration: %w", err)
	}
	e.first = exec.Command(config.Executable, firstCommand, string(told)) //nolint:noctx // Stop ends it and waits
	e.first.Env = append(os.Environ(), "TMPDIR="+filepath.Join(config.Dir, scratchDir), "HOME="+filepath.Join(config.Dir, scratchDir))
	e.first.Stderr = os.Stderr
	e.first.ExtraFiles = []*os.File{socket, out}
	e.first.SysProcAttr = enclosure.Attributes()
	if err := groups.Within(e.first.Start); err != nil {
		in.Close()
		return fmt.Errorf("start enclosure: %w", err)
	}
	go func() {
		defer close(e.reports)
		defer in.Close()
		for decoder := json.NewDecoder(in); ; {
			var r report
			if decoder.Decode(&r) != nil {
				return // the tenant has ended
			}
			e.reports <- r
		}
	}()
	return nil
}

func (r report) failure(said bool) error {
	if !said {
		return errors.New("the node ended without a word")
	}
	return errors.New(r.Error)
}

func (e *enclosed) info() cluster.Info { return e.told }

// Wait returns nil when ctx is over, or the failure that ended the sandbox before.
func (e *enclosed) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case r, ok := <-e.reports:
		return r.failure(ok)
	}
}

// Stop ends everything, waits for it, and has the rest swept away.
func (e *enclosed) Stop() error {
	var errs []error
	if e.first != nil && e.first.Process != nil {
		if err := e.first.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			errs = append(errs, fmt.Errorf("kill node: %w", err))
		}
		_ = e.first.Wait() // killed, which is no news
	}
	return errors.Join(append(errs, e.broom.sweep())...)
}

// sweeping is what is to be taken away when all processes of a sandbox have ended.
type sweeping struct {
	Groups []string
	Dir    string
}

// sweepPatience is how long processes may take to end that were killed.
const sweepPatience = 20 * time.Second

func (s sweeping) do() error {
	err := enclosure.RemoveGroups(s.Groups, sweepPatience)
	if s.Dir != "" {
		if e := os.RemoveAll(s.Dir); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, fmt.Errorf("remove directory: %w", e))
		}
	}
	return err
}

// spec is what the enclosure of a node is furnished with.
func spec(dir string) enclosure.Spec {
	own, gateway, outside := node.Link()
	return enclosure.Spec{
		Dir: dir, Hostname: node.Name,
		Network: enclosure.Network{Node: own, Gateway: gateway, Outside: outside, Settings: node.NetworkSettings},
	}
}
