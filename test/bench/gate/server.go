package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/gate"
	"github.com/coaming/coaming/internal/heap"
	"github.com/coaming/coaming/internal/inject"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/test/loopback"
)

// server is the process that serves, as the one that asks sees it.
type server struct {
	Address     string
	Certificate []byte

	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

// phase is what the server tells of the reviews since it was asked last.
type phase struct {
	Count, Rules, Judged, Goroutines int
	P50, P99, Max, CPU               time.Duration
	Live                             uint64 // bytes in use after a collection
	RSS, Peak                        int64
}

func startServer(ctx context.Context, profile string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	s := &server{process: exec.CommandContext(ctx, self, "-serve", "-profile", profile)}
	s.process.Env = append(os.Environ(), "GOMAXPROCS=2")
	s.process.Stderr = os.Stderr
	out, err := s.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if s.in, err = s.process.StdinPipe(); err != nil {
		return nil, err
	}
	if err := s.process.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	s.out = bufio.NewReader(out)
	return s, s.read(s)
}

func (s *server) read(into any) error {
	line, err := s.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("hear of the server: %w", err)
	}
	return json.Unmarshal(line, into)
}

func (s *server) phase() (*phase, error) {
	if _, err := io.WriteString(s.in, "phase\n"); err != nil {
		return nil, err
	}
	p := &phase{}
	return p, s.read(p)
}

func (s *server) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	if c, err := x509.ParseCertificate(s.Certificate); err == nil {
		pool.AddCert(c)
	}
	return pool
}

func (s *server) stop() {
	_ = s.in.Close()
	_ = s.process.Wait()
}

// took collects how long reviews took.
type took struct {
	mutex sync.Mutex
	list  []time.Duration
}

func (t *took) add(d time.Duration) {
	t.mutex.Lock()
	t.list = append(t.list, d)
	t.mutex.Unlock()
}

func (t *took) take() []time.Duration {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	list := t.list
	t.list = nil
	return list
}

// serveGate serves, and tells of each phase when it is asked, until its input ends.
func serveGate(ctx context.Context, in io.Reader, out io.Writer, profile string) error {
	heap.Early()
	stop, err := profiled(profile)
	if err != nil {
		return err
	}
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	desk, rules, judged, err := benchDesk()
	if err != nil {
		return err
	}
	heap.Settle()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	pair, err := loopback.New()
	if err != nil {
		return err
	}
	times := &took{}
	served := make(chan error, 1)
	go func() {
		served <- gate.New(gate.Options{
			Listener: listener, Certificates: pair, Took: times.add,
			Load: func(context.Context) (*gate.Ruling, error) {
				return &gate.Ruling{Desk: desk, Timeout: 2 * time.Second}, nil
			},
		}).Run(ctx)
	}()
	encoder := json.NewEncoder(out)
	if err := encoder.Encode(server{Address: listener.Addr().String(), Certificate: pair.Certificate.Certificate[0]}); err != nil {
		return err
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		p := phaseOf(times.take())
		p.Rules, p.Judged = rules, judged
		if err := encoder.Encode(p); err != nil {
			return err
		}
	}
	cancel()
	return <-served
}

// profiled writes where the processor's time went into a file, until it is stopped; "" for none.
func profiled(file string) (stop func(), err error) {
	if file == "" {
		return func() {}, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, fmt.Errorf("write the profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close() // a profile that is cut short does not open
	}, nil
}

func phaseOf(list []time.Duration) *phase {
	p := &phase{Count: len(list), P50: quantile(list, .5), P99: quantile(list, .99), Max: quantile(list, 1), Goroutines: runtime.NumGoroutine()}
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) == nil {
		p.CPU = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	p.RSS, p.Peak = resident("self", "VmRSS:"), resident("self", "VmHWM:")
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p.Live = m.HeapAlloc
	return p
}

// resident is a line of a process's status in bytes.
func resident(pid, key string) int64 {
	text, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, key); found {
			kb, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kb << 10
		}
	}
	return 0
}

// benchDesk decides by every rule, beside a namespace's usual objects.
func benchDesk() (desk *admission.Desk, rules, judged int, err error) {
	brief, err := catalog.Brief()
	if err != nil {
		return nil, 0, 0, err
	}
	compiled, err := catalog.Compile(brief)
	if err != nil {
		return nil, 0, 0, err
	}
	plan, err := enforcement.Read("plan", benchPlan)
	if err != nil {
		return nil, 0, 0, err
	}
	around, err := surroundings()
	if err != nil {
		return nil, 0, 0, err
	}
	for _, r := range compiled {
		if admission.Unjudged(r) == "" {
			judged++
		}
	}
	in, err := inject.New(inject.Options{Plan: plan, Rules: compiled, Now: time.Now, Around: around.Among})
	if err != nil {
		return nil, 0, 0, err
	}
	mutate := func(ctx context.Context, o *fact.Object, at enforcement.Place) ([]admission.Operation, error) {
		patch, err := in.Patch(ctx, o, at, catalog.Newest)
		operations := make([]admission.Operation, 0, len(patch))
		for _, op := range patch {
			operations = append(operations, admission.Operation{Op: op.Op, Path: op.Path, Value: op.Value})
		}
		return operations, err
	}
	return admission.New(admission.Options{
		Mutate: mutate,
		Plan:   plan, Rules: compiled, Version: catalog.Newest, Now: time.Now, Width: 4 * runtime.GOMAXPROCS(0), Surroundings: around,
	}), len(compiled), judged, nil
}

// standing is what a watch knows of each namespace, and of what belongs to none, while nothing of it changes.
type standing map[string]*judge.Among

func (s standing) Among(namespace string) *judge.Among { return s[namespace] }

func (standing) Labels(string) (map[string]string, bool) { return nil, true }

// surroundings are those of namespaces with twenty applications each, in a cluster with the roles that it ships.
func surroundings() (standing, error) {
	all := standing{}
	for _, namespace := range places {
		list, err := applications(namespace)
		if err != nil {
			return nil, err
		}
		all[namespace] = judge.NewAmong(slices.Concat(catalog.Shipped(), list), nil)
	}
	return all, nil
}

func applications(namespace string) ([]*fact.Object, error) {
	var text strings.Builder
	for i := range 20 {
		fmt.Fprintf(&text, `{apiVersion: v1, kind: Service, metadata: {name: a%[1]d, namespace: %[2]s}, spec: {selector: {app: a%[1]d}, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: a%[1]d, namespace: %[2]s}, automountServiceAccountToken: false}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a%[1]d, namespace: %[2]s}, spec: {podSelector: {matchLabels: {app: a%[1]d}}, policyTypes: [Ingress]}}
---
{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: a%[1]d, namespace: %[2]s}, spec: {maxUnavailable: 1, selector: {matchLabels: {app: a%[1]d}}}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: a%[1]d, namespace: %[2]s}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: [{kind: ServiceAccount, name: a%[1]d}]}
---
`, i, namespace)
	}
	docs, errs := document.Read(document.NewText(text.String()), 1)
	if len(errs) > 0 {
		return nil, errs[0]
	}
	var list []*fact.Object
	for _, d := range docs {
		list = append(list, fact.NewObject(d.Root(), &fact.Origin{Source: "cluster", Served: true}))
	}
	return list, nil
}
