package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/coaming/coaming/test/loopback"
)

// crowd is how many service accounts and how many cluster roles stand in the cluster of the gate that is measured.
const crowd = 1500

// measureReal tells of the memory of the gate that people run, beside a real API server: before the first review, and after as many of each
// kind as are said.
func measureReal(ctx context.Context, coaming, sandbox string, reviews int) (err error) {
	dir, err := os.MkdirTemp("", "coaming-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	kubeconfig, stop, err := startSandbox(ctx, sandbox)
	if err != nil {
		return err
	}
	defer stop()
	if err := populate(ctx, kubeconfig); err != nil {
		return err
	}
	s, pid, end, err := startReal(ctx, coaming, kubeconfig, dir)
	if err != nil {
		return err
	}
	defer end()
	c, err := newClient(s)
	if err != nil {
		return err
	}
	if err := c.ready(ctx); err != nil {
		return err
	}
	fmt.Printf("\nThe gate that people run, beside a real API server with %d service accounts and %[1]d cluster roles:\n", crowd)
	time.Sleep(5 * time.Second) //nolint:forbidigo // for it to settle
	told := func(when string) {
		fmt.Printf("%-45s RSS %3d MB: its own %3d MB, of files %3d MB; at most %3d MB\n", when,
			resident(pid, "VmRSS:")>>20, resident(pid, "RssAnon:")>>20, resident(pid, "RssFile:")>>20, resident(pid, "VmHWM:")>>20)
	}
	told("before the first review")
	for i := range c.traffic {
		of := &c.traffic[i]
		for n := range of.answers {
			of.answers[n] = `"uid":` // the plan is another
		}
		if err := c.many(ctx, reviews, 8, i); err != nil {
			return err
		}
		told(fmt.Sprintf("after %d of %s", reviews, of.name))
	}
	return nil
}

// startSandbox starts an API server until stop is called.
func startSandbox(ctx context.Context, binary string) (kubeconfig string, stop func(), err error) {
	process := exec.CommandContext(ctx, binary, "up", "--until-stdin-closes", "--no-controller-manager")
	in, err := process.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := process.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := process.Start(); err != nil {
		return "", nil, fmt.Errorf("start the sandbox: %w", err)
	}
	stop = func() {
		_ = in.Close()
		_ = process.Wait()
	}
	var ready struct{ Kubeconfig string }
	if err := json.NewDecoder(out).Decode(&ready); err != nil {
		stop()
		return "", nil, fmt.Errorf("hear of the sandbox: %w", err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return ready.Kubeconfig, stop, nil
}

// populate makes service accounts and cluster roles, and the namespaces of the reviews.
func populate(ctx context.Context, kubeconfig string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst, config.WarningHandler = -1, 0, rest.NoWarnings{}
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	create := func(path, body string) error {
		return client.RESTClient().Post().AbsPath(path).SetHeader("Content-Type", "application/json").Body([]byte(body)).Do(ctx).Error()
	}
	for _, place := range places {
		if err := create("/api/v1/namespaces", `{"metadata":{"name":"`+place+`"}}`); err != nil {
			return err
		}
	}
	group := errgroup.Group{}
	group.SetLimit(16)
	for i := range crowd {
		group.Go(func() error {
			return errors.Join(
				create("/api/v1/namespaces/"+places[i%len(places)]+"/serviceaccounts", fmt.Sprintf(`{"metadata":{"name":"account-%d","labels":{"app":"a%[1]d"},"annotations":{"example.com/team":"t%[1]d"}}}`, i)),
				create("/apis/rbac.authorization.k8s.io/v1/clusterroles", fmt.Sprintf(`{"metadata":{"name":"role-%d","labels":{"app":"a%[1]d"}},"rules":[{"apiGroups":["apps"],"resources":["deployments","statefulsets"],"verbs":["get","list","watch"]},{"apiGroups":[""],"resources":["configmaps","services"],"verbs":["get","list","watch","update"]}]}`, i)),
			)
		})
	}
	return group.Wait()
}

// startReal starts the gate beside a cluster, until end is called.
func startReal(ctx context.Context, coaming, kubeconfig, dir string) (s *server, pid string, end func(), err error) {
	pair, err := loopback.New()
	if err != nil {
		return nil, "", nil, err
	}
	certificate, key, err := pair.PEM()
	if err != nil {
		return nil, "", nil, err
	}
	named := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string][]byte{"tls.crt": certificate, "tls.key": key, "plan.yaml": []byte(benchPlan)} {
		if err := os.WriteFile(named(name), text, 0o600); err != nil {
			return nil, "", nil, err
		}
	}
	process := exec.CommandContext(ctx, coaming, "gate", "--plan", named("plan.yaml"), "--tls-cert", named("tls.crt"), "--tls-key", named("tls.key"),
		"--listen", "127.0.0.1:0", "--kubeconfig", kubeconfig, "--drain", "0s")
	process.Env = append(os.Environ(), "HOME="+dir, "GOMAXPROCS=2")
	log, err := process.StderrPipe()
	if err != nil {
		return nil, "", nil, err
	}
	if err := process.Start(); err != nil {
		return nil, "", nil, fmt.Errorf("start the gate: %w", err)
	}
	end = func() {
		_ = process.Process.Signal(os.Interrupt)
		_ = process.Wait()
	}
	var said strings.Builder
	for lines := bufio.NewScanner(log); lines.Scan(); {
		var line struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			go func() { _, _ = io.Copy(io.Discard, log) }()
			return &server{Address: line.Address, Certificate: pair.Certificate.Certificate[0]}, strconv.Itoa(process.Process.Pid), end, nil
		}
		said.WriteString(lines.Text() + "\n")
	}
	end()
	return nil, "", nil, fmt.Errorf("the gate ended: %s", said.String())
}

// ready waits until the gate is.
func (c *client) ready(ctx context.Context) error {
	for begun := time.Now(); ; time.Sleep(100 * time.Millisecond) { //nolint:forbidigo // another process
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/readyz", http.NoBody)
		if err != nil {
			return err
		}
		response, err := c.http.Do(request)
		if err == nil {
			err = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return err
			}
		}
		if time.Since(begun) > time.Minute {
			return fmt.Errorf("the gate is not ready after a minute: %w", err)
		}
	}
}
