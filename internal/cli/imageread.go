package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/heap"
	"github.com/coaming/coaming/internal/image"
	"github.com/coaming/coaming/internal/verdict"
)

// imageFlags say which image is meant, and how it is come by.
type imageFlags struct {
	image.Options
	registryFlags
}

func (o *imageFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.Platform, "platform", "", "take the image for `OS/ARCH[/VARIANT]` of several (default linux on this machine's architecture)")
	flags.StringVar(&o.Reference, "reference", "", "take the image of this `NAME` or digest of several")
	flags.StringVar(&o.ContainerdRoot, "containerd-root", "", "read containerd's images in this `DIR` (default /var/lib/containerd)")
	flags.StringVar(&o.Namespace, "containerd-namespace", "", "look in this `NAMESPACE` of containerd alone (default all, k8s.io first)")
	flags.StringVar(&o.DockerSocket, "docker-socket", "", "ask Docker's engine at this `SOCKET` (default /var/run/docker.sock)")
	flags.BoolVar(&o.Mounts, "mounts", false, "read what other file systems hold below a root directory, too")
	o.add(flags)
	completeFlag(cmd, "platform", "linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x", "linux/ppc64le", "linux/riscv64")
}

// check lists every problem of the flags; words are the images.
func (o *imageFlags) check(words ...string) []error {
	errs := o.registryFlags.check(words)
	if n := strings.Count(o.Platform, "/"); o.Platform != "" && n != 1 && n != 2 {
		errs = append(errs, fmt.Errorf("--platform: %q is no platform like linux/arm64", o.Platform))
	}
	return errs
}

// read reads the image, or the bill of materials of one. When it is stopped, what had been read until then counts.
func (o *imageFlags) read(ctx context.Context, env *Env, word string) (*fact.Image, *verdict.Coverage, error) {
	done, err := o.open(env, word)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	bar := newProgress(env)
	defer bar.clear()
	o.watch(bar)
	heap.Early()
	return image.Read(ctx, word, o.Options)
}

// watch tells of the entries that are read, and keeps what was read when the reading is stopped.
func (o *imageFlags) watch(bar *progress) {
	o.Partial = true
	if tell := bar.stage("reading, files"); tell != nil {
		var count atomic.Int64
		o.Progress = func(more int) { tell(int(count.Add(int64(more))), 0) }
	}
}

// open makes ready what the images are read with, until done is called.
func (o *imageFlags) open(env *Env, words ...string) (done func(), err error) {
	client, err := o.client(env, words)
	if err != nil {
		return nil, err
	}
	o.Registry, o.Stdin = client, env.Stdin
	return client.Close, nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
