// Package e2e runs the built binary against a real API server, through nothing but its command line: what
// people and pipelines see of it. It holds no judgement and no product code, and nothing imports it. Where the API server
// judges more answers than a process each could give (TestAccess), the package behind the command is asked as well.
//
// COAMING_BIN and SANDBOX_BIN name the two binaries ('make e2e' builds both); what lacks one skips and says so.
package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/coaming/coaming/internal/report"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/apiserver"
)

const (
	shop   = "../../examples/shop"
	corpus = "../../../shared/corpus"

	// patience is how long a test waits for what a busy machine may take its time over.
	patience = 60 * time.Second
)

// sandbox is a running API server.
type sandbox struct{ *apiserver.Sandbox }

// startSandbox ends with the test.
func startSandbox(t *testing.T, args ...string) *sandbox {
	t.Helper()
	coamingBinary(t) // before anything is started in vain
	return &sandbox{apiserver.Start(t, args...)}
}

// kubectl runs kubectl as the administrator and returns its standard output.
func (s *sandbox) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, message, err := s.Kubectl(t, "", append([]string{"--kubeconfig=" + s.Kubeconfig}, args...)...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, message)
	}
	return out
}

// apply hands objects to kubectl apply.
func (s *sandbox) apply(t *testing.T, objects string) {
	t.Helper()
	if _, message, err := s.Kubectl(t, objects, "--kubeconfig="+s.Kubeconfig, "apply", "-f", "-"); err != nil {
		t.Fatalf("kubectl apply: %v\n%s", err, message)
	}
}

// elsewhere is the path of the administrator's kubeconfig with another server: a proxy, or nothing at all.
func (s *sandbox) elsewhere(t *testing.T, server string) string {
	t.Helper()
	text, err := os.ReadFile(s.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	moved := strings.ReplaceAll(string(text), s.Server, server)
	if moved == string(text) {
		t.Fatalf("the kubeconfig does not name %s", s.Server)
	}
	return writeFile(t, "kubeconfig", moved)
}

// client is a client of the administrator's that may ask as often as it likes.
func (s *sandbox) client(t *testing.T) *discovery.DiscoveryClient {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = 1000, 1000
	config.WarningHandler = rest.NoWarnings{} // what the API server thinks of old manifests
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// eventually waits for something that another program does; it fails the test when that takes too long.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	within(t, patience, what, done)
}

// within waits for it no longer than that.
func within(t *testing.T, patience time.Duration, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !done() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}

// outcome is what a run of the binary left.
type outcome struct {
	code           int
	stdout, stderr string
	took           time.Duration
}

func coamingBinary(t *testing.T) string {
	t.Helper()
	binary := os.Getenv("COAMING_BIN")
	if binary == "" {
		t.Skip("COAMING_BIN does not name a built coaming (make e2e builds one)")
	}
	return binary
}

// coaming runs the binary under test. It finds no cluster but the one that its arguments name.
func coaming(t *testing.T, args ...string) outcome {
	t.Helper()
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), coamingBinary(t), args...)
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CACHE_HOME="+home, "KUBECONFIG="+filepath.Join(home, "none"))
	return run(t, cmd)
}

func run(t *testing.T, cmd *exec.Cmd) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	begun := time.Now()
	err := cmd.Run()
	o := outcome{stdout: stdout.String(), stderr: stderr.String(), took: time.Since(begun)}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		o.code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return o
}

// scan runs 'coaming scan --format json' and reads the result; the exit code must be one of those wanted.
func scan(t *testing.T, codes []int, args ...string) *verdict.Result {
	t.Helper()
	o := coaming(t, append([]string{"scan", "--format", "json"}, args...)...)
	wantCode(t, o, codes...)
	return readResult(t, o)
}

// readResult reads a report; all that there is to say stands in it.
func readResult(t *testing.T, o outcome) *verdict.Result {
	t.Helper()
	res, err := report.ReadJSON(strings.NewReader(o.stdout))
	if err != nil {
		t.Fatalf("read the report: %v\n%s", err, o.stderr)
	}
	if o.stderr != "" {
		t.Errorf("standard error: %s", o.stderr)
	}
	return res
}

// wantCode ends the test when the exit code is none of those.
func wantCode(t *testing.T, o outcome, codes ...int) {
	t.Helper()
	if !slices.Contains(codes, o.code) {
		t.Fatalf("exit code %d, want one of %v\n%s", o.code, codes, o.stderr)
	}
}
