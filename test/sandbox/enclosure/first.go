// Package enclosure is the private place that a sandbox's node runs in: mounts, network, processes, names, IPC and control
// groups of its own. Nothing that happens in it changes the machine, and all of it ends with one process.
//
// It knows nothing of Kubernetes. Of the machine it writes to one directory, and makes control groups that it removes.
package enclosure

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// Spec is what an enclosure is furnished with.
type Spec struct {
	// Dir is the one directory of the machine that can be written to inside, under the same name.
	Dir string
	// Hostname is the name of the machine inside.
	Hostname string
	Network  Network
}

// Attributes are those of the first process of an enclosure. The kernel kills it, and with it all others, when the thread that starts it ends.
func Attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWCGROUP,
		Pdeathsig:  syscall.SIGKILL,
		Setsid:     true, // Ctrl-C is for the supervisor, who ends this one
	}
}

// First is what the first process does: it furnishes the enclosure, starts the tenant, and buries orphans until the tenant
// has ended, whose exit code it returns. The kernel then ends every other process.
//
// The calling program must have no other children.
func First(spec Spec, tenant *exec.Cmd) (int, error) {
	if os.Getpid() != 1 {
		return 0, errors.New("enter enclosure: this is not the first process of a namespace")
	}
	if err := furnish(spec.Dir); err != nil {
		return 0, err
	}
	if err := unix.Sethostname([]byte(spec.Hostname)); err != nil {
		return 0, fmt.Errorf("set host name: %w", err)
	}
	if err := connect(spec.Network); err != nil {
		return 0, err
	}
	if err := tenant.Start(); err != nil {
		return 0, fmt.Errorf("start tenant: %w", err)
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return 0, fmt.Errorf("wait for tenant: %w", err)
		case pid == tenant.Process.Pid && status.Exited():
			return status.ExitStatus(), nil
		case pid == tenant.Process.Pid && status.Signaled():
			return 0, fmt.Errorf("tenant was killed: %s", status.Signal())
		}
	}
}
