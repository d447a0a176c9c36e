package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestServerStartsWhileGateIsDown installs a gate of which no pod can run, with webhooks that fail closed, and then starts another API
// server on the same store: it must come up, serve what is excluded, refuse what it must, and let the gate be removed.
func TestServerStartsWhileGateIsDown(t *testing.T) {
	s := startSandbox(t)
	s.kubectl(t, "create", "namespace", "shut")
	s.kubectl(t, "create", "namespace", "open")
	const plan = `
apiVersion: coaming.dev/v1alpha1
kind: Enforcement
spec:
  mode: off
  rules:
  - {rules: [privileged-container, workload-without-network-policy], namespaces: [shut], mode: enforce, onError: fail}
`
	wantCode(t, coaming(t, "install", "--kubeconfig", s.Kubeconfig, "--image", "example.test/coaming@sha256:"+strings.Repeat("a", 64),
		"--plan", writeFile(t, "plan.yaml", plan), "--wait=false"), 0)
	again := *s.Sandbox
	again.Kubeconfig = s.elsewhere(t, startAgain(t, s))
	second := &sandbox{&again}

	eventually(t, "the second API server is ready", func() bool {
		_, _, err := second.Kubectl(t, "", "--kubeconfig="+second.Kubeconfig, "get", "--raw", "/readyz")
		return err == nil
	})
	const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: %s}\nspec: {containers: [{name: a, image: a, securityContext: {privileged: %t}}]}\n"
	for _, c := range []struct {
		namespace  string
		privileged bool
		refused    string
	}{
		{"kube-system", true, ""},
		{"open", false, ""},
		{"shut", false, "failed calling webhook"},
		{"shut", true, "denied"}, // by the native policy, which needs no webhook
	} {
		eventually(t, fmt.Sprintf("a pod in %s (privileged %t): %q", c.namespace, c.privileged, c.refused), func() bool {
			name := fmt.Sprintf("p-%t", c.privileged)
			message, err := second.try(t, fmt.Sprintf(pod, name, c.namespace, c.privileged), "create", "-f", "-")
			if c.refused == "" {
				return err == nil || strings.Contains(message, "AlreadyExists") || strings.Contains(message, "already exists")
			}
			return err != nil && strings.Contains(message, c.refused)
		})
	}
	// The gate's own pods are not kept from coming back.
	second.kubectl(t, "rollout", "restart", "deployment/coaming-gate", "-n", "coaming-system")
	wantCode(t, coaming(t, "uninstall", "--kubeconfig", second.Kubeconfig), 0)
	eventually(t, "nothing is refused any more", func() bool {
		message, err := second.try(t, fmt.Sprintf(pod, "after", "shut", true), "create", "-f", "-")
		return err == nil || strings.Contains(message, "already exists")
	})
}

// startAgain starts another API server with the arguments of the one that runs, on a port of its own, and returns its address.
func startAgain(t *testing.T, s *sandbox) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close() // it is free; nobody else takes it in the moment until the server does
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.EvalSymlinks(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range processes {
		text, err := os.ReadFile(file)
		process := filepath.Dir(file)
		if err != nil || !strings.Contains(string(text), "--etcd-servers=") {
			continue
		}
		if cwd, err := os.Readlink(process + "/cwd"); err != nil || cwd != dir {
			continue
		}
		words := strings.Split(strings.TrimRight(string(text), "\x00"), "\x00")
		for i := range words {
			words[i] = regexp.MustCompile(`^--secure-port=.*`).ReplaceAllString(words[i], fmt.Sprintf("--secure-port=%d", port))
		}
		cmd := exec.CommandContext(t.Context(), s.Binary, words[1:]...)
		cmd.Args[0] = words[0]
		cmd.Dir, cmd.Stderr = s.Dir, t.Output()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Wait() }) // the context's end kills it
		return fmt.Sprintf("https://127.0.0.1:%d", port)
	}
	t.Fatal("the API server's process was not found")
	return ""
}
