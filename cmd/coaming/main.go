// Command coaming is the binary for people and pipelines. Everything it does is in internal/cli.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/coaming/coaming/internal/cli"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, process())
	stop()
	os.Exit(code)
}

// process is what a command sees of this process.
func process() cli.Env {
	env := cli.Env{
		Args: os.Args[1:], Name: filepath.Base(os.Args[0]), Version: version,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv, Now: time.Now,
		ErrTerminal: term.IsTerminal(int(os.Stderr.Fd())),
	}
	if fd := int(os.Stdout.Fd()); term.IsTerminal(fd) {
		env.OutWidth = 80
		if width, _, err := term.GetSize(fd); err == nil && width > 0 {
			env.OutWidth = width
		}
	}
	if dir, err := os.UserCacheDir(); err == nil {
		env.CacheDir = filepath.Join(dir, "coaming")
	}
	return env
}
