// Package cluster runs a throw-away Kubernetes control plane: etcd, an API server and a controller manager, each a child
// process, in a directory that holds all they write.
//
// It does not link Kubernetes. The children are an executable that becomes the component its first argument names.
// Nothing in here is meant to protect data or to serve more than one machine.
package cluster

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

//go:embed audit-policy.yaml
var auditPolicy []byte

// Config says what to run.
type Config struct {
	// Executable becomes a component when its first argument is the component's name.
	Executable string
	// Version is reported in Info.
	Version string
	// Dir is kept when the cluster stops, for a look at its logs. It must not exist yet or be empty. If it is not
	// named, a temporary directory is made, and removed again. With a Node it is there already.
	Dir string
	// ControllerManager is for whatever must happen after an object was written: service accounts, garbage collection,
	// the end of a namespace, the pods of a Deployment.
	ControllerManager bool
	// Audit writes the API server's audit log, by audit-policy.yaml.
	Audit bool
	// APIServerFlags come after the sandbox's own and win over them.
	APIServerFlags []string
	// Node adds one, and the scheduler. The process must be in an enclosure (package enclosure).
	Node *Node
	// Timeout bounds Start.
	Timeout time.Duration
}

// Cluster is a control plane that runs.
type Cluster struct {
	Info Info

	temporary bool
	number    int   // of the API server's port
	port      *port // which is kept; nil where somebody else does
	processes []*process
	ended     chan *process // every process that is over; has room for all, so that nobody has to listen
}

// Start returns when the API server is ready and, with a controller manager, when pods can be created. What it started
// is gone again if it returns an error.
//
// The caller must be locked to its thread (runtime.LockOSThread) and stay until the cluster is stopped: the children die with the thread that started them.
func Start(ctx context.Context, config Config) (_ *Cluster, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, config.Timeout, fmt.Errorf("not ready after %v", config.Timeout))
	defer cancel()

	c := &Cluster{ended: make(chan *process, 16)}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	if err := c.prepare(config); err != nil {
		return nil, err
	}
	now := time.Now()
	ca, err := writeCredentials(config, c.Info, now)
	if err != nil {
		return nil, err
	}
	client, err := adminClient(ca, now)
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	api := probe{client: client, server: c.Info.Server}

	if config.Node != nil { // its runtime has time to load meanwhile
		if err := c.startRuntime(*config.Node); err != nil {
			return nil, err
		}
	}
	// etcd and the API server load at the same time; the API server retries until etcd answers.
	store, err := c.start(config, "etcd", etcdArguments())
	if err != nil {
		return nil, err
	}
	server, err := c.start(config, "kube-apiserver", config.apiServerArguments(c.number))
	if err != nil {
		return nil, err
	}
	if err := c.await(ctx, store, c.storeListens); err != nil {
		return nil, err
	}
	if err := c.await(ctx, server, api.ready); err != nil {
		return nil, err
	}
	if config.ControllerManager {
		manager, err := c.start(config, "kube-controller-manager", config.controllerManagerArguments())
		if err != nil {
			return nil, err
		}
		if err := c.await(ctx, manager, api.podsPossible); err != nil {
			return nil, err
		}
	}
	if config.Node != nil {
		if err := c.startNode(ctx, config, api); err != nil {
			return nil, err
		}
	}
	return c, c.Info.Write()
}

// prepare makes the directory and reserves the port.
func (c *Cluster) prepare(config Config) error {
	dir := config.Dir
	if config.Node == nil {
		var err error
		if dir, err = MakeDir(config.Dir); err != nil {
			return err
		}
		c.temporary = config.Dir == ""
	}
	c.Info = Info{
		Kubeconfig: filepath.Join(dir, adminKubeconfig),
		PID:        os.Getpid(),
		Dir:        dir,
		Version:    config.Version,
	}
	for _, sub := range []string{pkiDir, logDir} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			return fmt.Errorf("make directory: %w", err)
		}
	}
	if config.Audit {
		c.Info.AuditLog = filepath.Join(dir, auditLog)
		if err := os.WriteFile(filepath.Join(dir, auditPolicyFile), auditPolicy, 0o600); err != nil {
			return fmt.Errorf("write audit policy: %w", err)
		}
	}
	if err := c.choosePort(config); err != nil {
		return err
	}
	c.Info.Server = "https://" + net.JoinHostPort(loopback, strconv.Itoa(c.number))
	return nil
}

// choosePort takes the port that was told, or reserves any.
func (c *Cluster) choosePort(config Config) error {
	if config.Node != nil {
		c.number = config.Node.Port
		return nil
	}
	var err error
	if c.port, err = reservePort(); err != nil {
		return err
	}
	c.number = c.port.number
	return nil
}

// MakeDir returns the absolute path of an empty directory that only this user can enter: the one that is named, or a temporary one.
func MakeDir(name string) (string, error) {
	if name == "" {
		dir, err := os.MkdirTemp("", "coaming-sandbox-")
		if err != nil {
			return "", fmt.Errorf("make directory: %w", err)
		}
		return filepath.Abs(dir)
	}
	dir, err := filepath.Abs(name)
	if err != nil {
		return "", fmt.Errorf("make directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make directory: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("make directory: %w", err)
	}
	if len(entries) > 0 {
		return "", fmt.Errorf("directory %s is not empty: remove it or name another", dir)
	}
	return dir, nil
}

func (c *Cluster) start(config Config, name string, args []string) (*process, error) {
	return c.startProgram(name, append([]string{config.Executable, name}, args...))
}

// startProgram starts something that is not linked into the executable; name is what it is called in errors and logs.
func (c *Cluster) startProgram(name string, command []string) (*process, error) {
	p, err := startProcess(name, command, c.Info.Dir, c.ended)
	if err != nil {
		return nil, err
	}
	c.processes = append(c.processes, p)
	return p, nil
}

// Wait returns nil when ctx is over, or the failure of the first component that ended before.
func (c *Cluster) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case p := <-c.ended:
		return p.exited()
	}
}

// Stop ends every component, the latest first, waits for them, and removes the directory if it is a temporary one.
func (c *Cluster) Stop() error {
	var errs []error
	for len(c.processes) > 0 {
		last := len(c.processes) - 1
		errs = append(errs, c.processes[last].kill())
		c.processes = c.processes[:last]
	}
	if c.port != nil {
		c.port.release()
		c.port = nil
	}
	if c.temporary {
		if err := os.RemoveAll(c.Info.Dir); err != nil {
			errs = append(errs, fmt.Errorf("remove directory: %w", err))
		}
	}
	return errors.Join(errs...)
}
