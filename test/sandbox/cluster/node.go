package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/coaming/coaming/test/sandbox/node"
)

// Node is a node that the sandbox runs itself: the machine's containerd and runc, and the components linked into the executable.
type Node struct {
	// Port is the API server's, which somebody outside of the enclosure keeps.
	Port int
	// Plugins is the directory of the network plugins.
	Plugins string
	// DNSProgram is CoreDNS; nothing answers names where it is empty.
	DNSProgram string
}

// startRuntime writes what the node's programs are told, and starts the runtime without waiting for it.
func (c *Cluster) startRuntime(n Node) error {
	snapshotter, err := snapshotterFor(c.Info.Dir)
	if err != nil {
		return err
	}
	files, err := node.Config{Dir: c.Info.Dir, Plugins: n.Plugins, Snapshotter: snapshotter}.Files()
	if err != nil {
		return err
	}
	for place, data := range files {
		path := filepath.Join(c.Info.Dir, place)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("write %s: %w", place, err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return fmt.Errorf("write %s: %w", place, err)
		}
	}
	_, err = c.startProgram("containerd", []string{"containerd", "--config", node.ContainerdFile})
	return err
}

// snapshotterFor is what containerd can do where its files are: a layer over a layer that is one already is refused by the kernel.
func snapshotterFor(dir string) (string, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return "", fmt.Errorf("look at file system of %s: %w", dir, err)
	}
	if fs.Type == unix.OVERLAYFS_SUPER_MAGIC || fs.Type == unix.TMPFS_MAGIC {
		return "native", nil
	}
	return "overlayfs", nil
}

// startNode returns when the node is ready and, with DNS, when names are answered.
func (c *Cluster) startNode(ctx context.Context, config Config, api probe) error {
	if _, err := c.start(config, "kube-scheduler", node.SchedulerArguments()); err != nil {
		return err
	}
	runtime := c.processes[slices.IndexFunc(c.processes, func(p *process) bool { return p.name == "containerd" })]
	if err := c.await(ctx, runtime, func(ctx context.Context) error { return c.once(ctx, nil, "ctr", "version") }); err != nil {
		return err
	}
	pause, err := node.Pause()
	if err != nil {
		return err
	}
	if err := c.load(ctx, node.PauseImage, pause); err != nil {
		return err
	}
	kubelet, err := c.start(config, "kubelet", node.KubeletArguments())
	if err != nil {
		return err
	}
	if _, err := c.start(config, "kube-proxy", node.ProxyArguments()); err != nil {
		return err
	}
	if config.Node.DNSProgram != "" {
		if err := c.startDNS(ctx, config); err != nil {
			return err
		}
	}
	if err := c.await(ctx, kubelet, api.nodeReady); err != nil {
		return err
	}
	if config.Node.DNSProgram != "" {
		if err := c.await(ctx, kubelet, api.namesAnswered); err != nil {
			return err
		}
	}
	c.Info.Node = &NodeInfo{Name: node.Name, Address: node.Address, PodRange: node.PodRange, Outside: node.Outside}
	return nil
}

func (c *Cluster) startDNS(ctx context.Context, config Config) error {
	program, err := os.ReadFile(config.Node.DNSProgram)
	if err != nil {
		return fmt.Errorf("read CoreDNS: %w", err)
	}
	if err := c.load(ctx, node.DNSImage, program); err != nil {
		return err
	}
	return c.once(ctx, nil, config.Executable, "kubectl", "--kubeconfig="+adminKubeconfig, "--cache-dir=tmp", "apply", "-f", node.DNSFile)
}

// load gives the node an image of one program.
func (c *Cluster) load(ctx context.Context, name string, program []byte) error {
	var image bytes.Buffer
	if err := node.WriteImage(&image, name, program); err != nil {
		return err
	}
	return c.once(ctx, &image, "ctr", "--namespace=k8s.io", "images", "import", "-")
}

// once runs a command in the sandbox's directory to its end.
func (c *Cluster) once(ctx context.Context, stdin *bytes.Buffer, command ...string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = c.Info.Dir
	if stdin != nil {
		cmd.Stdin = stdin
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run %s: %w: %s", filepath.Base(command[0]), err, bytes.TrimSpace(out))
	}
	return nil
}

// nodeReady asks whether the node says so, and is not kept free of pods.
func (p probe) nodeReady(ctx context.Context) error {
	var answer struct {
		Spec struct {
			Taints []struct{ Key string }
		}
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := p.decode(ctx, "/api/v1/nodes/"+node.Name, &answer); err != nil {
		return err
	}
	if len(answer.Spec.Taints) > 0 {
		return fmt.Errorf("node has the taint %s", answer.Spec.Taints[0].Key)
	}
	for _, condition := range answer.Status.Conditions {
		if condition.Type == "Ready" && condition.Status == "True" {
			return nil
		}
		if condition.Type == "Ready" {
			return fmt.Errorf("node is not ready: %s", condition.Message)
		}
	}
	return errors.New("node has not said yet whether it is ready")
}

// namesAnswered asks whether the pod of CoreDNS is ready.
func (p probe) namesAnswered(ctx context.Context) error {
	var answer struct {
		Status struct{ AvailableReplicas int }
	}
	if err := p.decode(ctx, "/apis/apps/v1/namespaces/kube-system/deployments/coredns", &answer); err != nil {
		return err
	}
	if answer.Status.AvailableReplicas == 0 {
		return errors.New("no pod of CoreDNS is ready")
	}
	return nil
}

func (p probe) decode(ctx context.Context, path string, into any) error {
	body, err := p.read(ctx, path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}
