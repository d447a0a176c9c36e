package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// process is one running component.
type process struct {
	name string
	log  string // path of the file that holds its output
	cmd  *exec.Cmd
	// done is closed when the process has ended and been reaped; err may be read from then on.
	done chan struct{}
	err  error
}

// startProcess runs a command, which is called name in errors and logs, in dir. The kernel kills the child when the calling thread ends,
// so the caller has to be locked to a thread that lives as long as the sandbox. The process is sent to ended when it is over.
func startProcess(name string, command []string, dir string, ended chan<- *process) (*process, error) {
	path := filepath.Join(dir, logDir, name+".log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log of %s: %w", name, err)
	}
	defer log.Close() // the child has its own descriptor

	cmd := exec.Command(command[0], command[1:]...) //nolint:noctx // Cluster.Stop ends it: a context's end would not wait for it
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL,
		Setpgid:   true, // Ctrl-C is for the supervisor, which then ends the children in order
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name: name, log: path, cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
		ended <- p
	}()
	return p, nil
}

// kill ends the process at once and waits until it is gone. A graceful end would only save data that is about to be deleted.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	<-p.done
	return nil
}

// failure says that the process let the sandbox down, with the end of its log, which is all a reader has once the directory is removed.
func (p *process) failure(cause error) error {
	end, err := tail(p.log)
	if err != nil {
		return fmt.Errorf("%s: %w (read its log: %w)", p.name, cause, err)
	}
	return fmt.Errorf("%s: %w; its log ends:\n%s", p.name, cause, end)
}

// exited is the failure of a process that is done.
func (p *process) exited() error {
	if p.err == nil {
		return p.failure(errors.New("ended by itself"))
	}
	return p.failure(fmt.Errorf("ended by itself: %w", p.err))
}

const (
	tailBytes = 8 << 10
	tailLines = 20
)

// tail returns the last lines of a file, indented.
func tail(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(io.NewSectionReader(file, max(0, info.Size()-tailBytes), tailBytes))
	if err != nil {
		return "", err
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return "  (empty)", nil
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	lines = lines[max(0, len(lines)-tailLines):]
	return "  " + strings.Join(lines, "\n  "), nil
}
