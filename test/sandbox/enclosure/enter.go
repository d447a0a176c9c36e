package enclosure

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// Enter runs a command in the enclosure whose first process has that pid, on its node or on the machine outside of the
// cluster, and returns its exit code. If it is a program that calls DieWithParent,
// it ends when this process does.
func Enter(pid int, outside bool, cmd *exec.Cmd) (int, error) {
	runtime.LockOSThread() // the thread is not given back: it is in the enclosure from now on
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return 0, fmt.Errorf("find enclosure %d: %w", pid, err)
	}
	defer unix.Close(process)
	if err := unix.Unshare(unix.CLONE_FS); err != nil { // threads that share a working directory may not change their mounts
		return 0, fmt.Errorf("enter enclosure: %w", err)
	}
	const all = unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWCGROUP
	if err := unix.Setns(process, all); err != nil {
		return 0, fmt.Errorf("enter enclosure %d: %w", pid, err)
	}
	if outside {
		network, err := os.Open("/run/netns/" + outsideName)
		if err != nil {
			return 0, fmt.Errorf("find network outside: %w", err)
		}
		defer network.Close()
		if err := unix.Setns(int(network.Fd()), unix.CLONE_NEWNET); err != nil {
			return 0, fmt.Errorf("enter network outside: %w", err)
		}
	}
	alive, held, err := os.Pipe()
	if err != nil {
		return 0, fmt.Errorf("make pipe: %w", err)
	}
	defer alive.Close()
	defer held.Close()
	cmd.ExtraFiles = []*os.File{alive}
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("run %s: %w", cmd.Path, err)
	}
	return 0, nil
}

// DieWithParent becomes a program that the kernel kills when the thread that started this process ends. Whoever starts it
// from another namespace of processes cannot ask for that (os/exec would miss the parent, which cannot be seen from here).
//
// Its third descriptor is a pipe that Enter holds open, which tells of a parent that ended before.
func DieWithParent(program string, args []string) error {
	const alive = 3
	runtime.LockOSThread() // the signal is that of the thread that becomes the program
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("follow parent: %w", err)
	}
	watch := []unix.PollFd{{Fd: alive}}
	if _, err := unix.Poll(watch, 0); err != nil {
		return fmt.Errorf("look for parent: %w", err)
	}
	if watch[0].Revents&unix.POLLHUP != 0 {
		return errors.New("the parent has ended")
	}
	if err := unix.Close(alive); err != nil {
		return fmt.Errorf("look for parent: %w", err)
	}
	if err := unix.Exec(program, append([]string{program}, args...), os.Environ()); err != nil {
		return fmt.Errorf("run %s: %w", program, err)
	}
	return nil
}
