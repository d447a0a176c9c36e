package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"github.com/coaming/coaming/test/sandbox/cluster"
	"github.com/coaming/coaming/test/sandbox/enclosure"
)

// What a sandbox with a node starts of itself; nobody else does. But for the last, each takes one argument, in JSON.
const (
	firstCommand  = "enclosure-first"
	tenantCommand = "enclosure-tenant"
	broomCommand  = "enclosure-broom"
	runCommand    = "enclosure-run"
)

func backstage(name string, args []string) error {
	if name == runCommand && len(args) > 0 {
		return enclosure.DieWithParent(args[0], args[1:])
	}
	if len(args) != 1 {
		return errUsage
	}
	if name == broomCommand {
		var s sweeping
		if err := json.Unmarshal([]byte(args[0]), &s); err != nil {
			return fmt.Errorf("read what to sweep: %w", err)
		}
		return waitAndSweep(s)
	}
	var config cluster.Config
	if err := json.Unmarshal([]byte(args[0]), &config); err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	socket, reports := os.NewFile(3, "socket"), os.NewFile(4, "reports") // as launch and first hand them on
	if name == firstCommand {
		return first(config, args[0], socket, reports)
	}
	return live(config, socket, reports)
}

// first is the first process of the enclosure.
func first(config cluster.Config, told string, files ...*os.File) error {
	tenant := exec.Command(config.Executable, tenantCommand, told) //nolint:noctx // it ends with this process
	tenant.ExtraFiles = files
	tenant.Stderr = os.Stderr
	code, err := enclosure.First(spec(config.Dir), tenant)
	if err == nil {
		return exitError(code)
	}
	if e := json.NewEncoder(files[1]).Encode(report{Error: err.Error()}); e != nil {
		return errors.Join(err, fmt.Errorf("report: %w", e))
	}
	return exitError(1)
}

// live runs the cluster in the enclosure and reports how it fares.
func live(config cluster.Config, socket, reports *os.File) error {
	runtime.LockOSThread() // see cluster.Start
	say := func(r report) error {
		if err := json.NewEncoder(reports).Encode(r); err != nil {
			return fmt.Errorf("report: %w", err)
		}
		return nil
	}
	listener, err := net.FileListener(socket)
	if err != nil {
		return errors.Join(err, say(report{Error: err.Error()}))
	}
	go func() {
		if err := enclosure.Relay(listener, net.JoinHostPort("127.0.0.1", strconv.Itoa(config.Node.Port))); err != nil {
			_ = say(report{Error: err.Error()}) // or nobody listens any more
		}
	}()
	c, err := cluster.Start(context.Background(), config)
	if err != nil {
		return errors.Join(say(report{Error: err.Error()}), exitError(1))
	}
	if err := say(report{Info: &c.Info}); err != nil {
		return err
	}
	if err := c.Wait(context.Background()); err != nil {
		return errors.Join(say(report{Error: err.Error()}), exitError(1))
	}
	return nil
}

// broom is a process that outlives the sandbox, however that ends, and takes away what the kernel leaves.
type broom struct {
	cmd    *exec.Cmd
	handle io.Closer // the broom begins when nobody holds it any more
	said   bytes.Buffer
}

func startBroom(executable string, s sweeping) (*broom, error) {
	told, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode what to sweep: %w", err)
	}
	b := &broom{cmd: exec.Command(executable, broomCommand, string(told))} //nolint:noctx // it is to outlive this process
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	b.cmd.Stderr = &b.said
	if b.handle, err = b.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	if err := b.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start broom: %w", err)
	}
	return b, nil
}

// sweep lets the broom do its work and waits for it.
func (b *broom) sweep() error {
	b.handle.Close()
	if err := b.cmd.Wait(); err != nil {
		return fmt.Errorf("sweep: %w: %s", err, bytes.TrimSpace(b.said.Bytes()))
	}
	return nil
}

// waitAndSweep begins when standard input ends.
func waitAndSweep(s sweeping) error {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	_, _ = io.Copy(io.Discard, os.Stdin) // broken is as good as closed
	return s.do()
}
