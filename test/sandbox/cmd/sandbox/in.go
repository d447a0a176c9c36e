package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/coaming/coaming/test/sandbox/cluster"
	"github.com/coaming/coaming/test/sandbox/enclosure"
	"github.com/coaming/coaming/test/sandbox/node"
)

// in runs a command on the node.
func in(args []string) error {
	flags := flag.NewFlagSet("sandbox in", flag.ContinueOnError)
	dir := flags.String("dir", "", "`DIR` of the running sandbox, as its JSON line names it")
	outside := flags.Bool("outside", false, "on the machine outside of the cluster, not on the node")
	if err := parseFlags(flags, args); err != nil {
		return err
	}
	if *dir == "" || flags.NArg() == 0 {
		return usageError(flags, "--dir and a command are needed")
	}
	info, err := withNode(*dir)
	if err != nil {
		return err
	}
	return enter(info, *outside, os.Stdin, os.Stdout, flags.Args())
}

// load gives the node an image.
func load(args []string) error {
	flags := flag.NewFlagSet("sandbox load", flag.ContinueOnError)
	dir := flags.String("dir", "", "`DIR` of the running sandbox, as its JSON line names it")
	name := flags.String("image", "", "`NAME` of the image, as pods will call it: example.test/web:1")
	if err := parseFlags(flags, args); err != nil {
		return err
	}
	if *dir == "" || *name == "" || flags.NArg() != 1 {
		return usageError(flags, "--dir, --image and one static program are needed")
	}
	info, err := withNode(*dir)
	if err != nil {
		return err
	}
	program, err := os.ReadFile(flags.Arg(0))
	if err != nil {
		return fmt.Errorf("read program: %w", err)
	}
	var image bytes.Buffer
	if err := node.WriteImage(&image, *name, program); err != nil {
		return err
	}
	return enter(info, false, &image, io.Discard, []string{"ctr", "--namespace=k8s.io", "images", "import", "-"})
}

func withNode(dir string) (cluster.Info, error) {
	info, err := cluster.ReadInfo(dir)
	if err != nil {
		return cluster.Info{}, err
	}
	if info.Node == nil {
		return cluster.Info{}, errors.New("this sandbox has no node: start it with --node")
	}
	return info, nil
}

// enter runs a command in the sandbox's enclosure, in the working directory if it is there, and passes its exit code on.
func enter(info cluster.Info, outside bool, stdin io.Reader, stdout io.Writer, command []string) error {
	program, err := exec.LookPath(command[0])
	if err != nil {
		return fmt.Errorf("find command: %w", err)
	}
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own executable: %w", err)
	}
	cmd := exec.Command(executable, append([]string{runCommand, program}, command[1:]...)...) //nolint:noctx // it ends with this process
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, os.Stderr
	cmd.Env = append(os.Environ(), "KUBECONFIG="+info.Kubeconfig, "TMPDIR="+filepath.Join(info.Dir, scratchDir))
	if dir, err := os.Getwd(); err == nil {
		cmd.Dir = dir
	}
	code, err := enclosure.Enter(info.Node.First, outside, cmd)
	if err == nil && code != 0 {
		return exitError(code)
	}
	return err
}
