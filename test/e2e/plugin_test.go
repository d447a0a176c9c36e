package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPlugin runs the product as kubectl finds it: a program on PATH whose name begins with kubectl-.
func TestPlugin(t *testing.T) {
	s := startSandbox(t, "--no-controller-manager")
	s.apply(t, twoTeams)
	bin := t.TempDir()
	binary, err := filepath.Abs(coamingBinary(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(bin, "kubectl-coaming")); err != nil {
		t.Fatal(err)
	}
	kubectl := func(args ...string) outcome {
		cmd := exec.CommandContext(t.Context(), s.Binary, append([]string{"kubectl"}, args...)...)
		cmd.Env = []string{"PATH=" + bin, "HOME=" + t.TempDir(), "KUBECONFIG=" + s.Kubeconfig}
		return run(t, cmd)
	}

	t.Run("kubectl knows it", func(t *testing.T) {
		o := kubectl("plugin", "list")
		wantCode(t, o, 0)
		if !strings.Contains(o.stdout, "kubectl-coaming") {
			t.Errorf("plugins: %s%s", o.stdout, o.stderr)
		}
	})
	t.Run("scan reads the cluster", func(t *testing.T) {
		o := kubectl("coaming", "scan")
		wantCode(t, o, 1)
		for _, want := range []string{"privileged-container", "Deployment shop/cart", "cluster:"} {
			if !strings.Contains(o.stdout, want) {
				t.Errorf("want %q in\n%s", want, o.stdout)
			}
		}
	})
	t.Run("scan of one namespace", func(t *testing.T) {
		o := kubectl("coaming", "scan", "-n", "other", "--fail-on", "critical")
		wantCode(t, o, 0)
		if strings.Contains(o.stdout, "shop/cart") || !strings.Contains(o.stdout, "other/till") {
			t.Errorf("got\n%s", o.stdout)
		}
	})
	t.Run("help names it as it is called", func(t *testing.T) {
		for _, args := range [][]string{{"coaming", "--help"}, {"coaming", "scan", "--help"}, {"coaming"}} {
			o := kubectl(args...)
			wantCode(t, o, 0)
			if !strings.Contains(o.stdout, "kubectl coaming") || strings.Contains(o.stdout, "  coaming ") {
				t.Errorf("kubectl %s:\n%s", strings.Join(args, " "), o.stdout)
			}
		}
	})
	t.Run("errors name it as it is called", func(t *testing.T) {
		o := kubectl("coaming", "scan", "--nonsense")
		wantCode(t, o, 2)
		if !strings.HasPrefix(o.stderr, "kubectl coaming: ") || !strings.Contains(o.stderr, "hint: See 'kubectl coaming scan --help'") {
			t.Errorf("standard error: %s", o.stderr)
		}
	})
}
