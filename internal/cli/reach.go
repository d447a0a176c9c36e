package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/reach"
	"github.com/coaming/coaming/internal/verdict"
)

// reachOptions is the configuration of one look at who can talk to whom.
type reachOptions struct {
	sourceFlags
	files        []string
	port         string
	podBlocks    []string
	format       string
	explain      bool
	diff         bool
	allowUnknown bool

	ports  reach.Ports
	blocks []netip.Prefix
}

func reachCommand(env *Env) *cobra.Command {
	o := &reachOptions{}
	cmd := &cobra.Command{
		Use:   "reach [FROM [TO]] | reach --diff OLD NEW",
		Short: "Say who can talk to whom, and why",
		Long: `Say who can talk to whom, as the policies that were read decide it: sources, targets and ports as sets, and what nobody can
know as unknown. FROM and TO are a workload (namespace/name, name, kind/name, namespace/kind/name), all of a namespace
(namespace/*), pods, internet, node (the one that the pod at the other end runs on), nodes, an address or a CIDR.

Exit codes: 0 answered (with --diff: nothing changed); 1 with --diff, something changed; 2 wrong usage or an internal error;
3 something asked for is unknown (0 with --allow-unknown).`,
		Example: `  coaming reach -f deploy/ internet shop/frontend
  coaming reach -f deploy/ shop/frontend shop/orders-db --port 5432 --explain
  coaming reach --cluster --format mermaid
  coaming reach --diff main/deploy deploy`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return runReach(cmd.Context(), env, o, args) },
	}
	flags := cmd.Flags()
	o.thrift = true
	o.register(flags)
	flags.StringArrayVarP(&o.files, "file", "f", nil, "read this `PATH`: files, folders, charts, overlays, a snapshot, or - for standard input; may be given several times")
	flags.StringVar(&o.port, "port", "", "ask for this `PORT` alone: 443, 53/UDP, 8000-8100/TCP")
	flags.StringSliceVar(&o.podBlocks, "pod-cidr", nil, "where pods' addresses come from, `CIDR`, when no node says so")
	flags.StringVar(&o.format, "format", "text", "`FORMAT` of the answer: "+strings.Join(reachFormats(), ", "))
	flags.BoolVar(&o.explain, "explain", false, "tell which policy and which rule decides")
	flags.BoolVar(&o.diff, "diff", false, "compare two sources: what opened, closed or became unknown")
	flags.BoolVar(&o.allowUnknown, "allow-unknown", false, "do not exit with 3 for what is unknown")
	completeFlag(cmd, "format", reachFormats()...)
	return cmd
}

func reachFormats() []string {
	var names []string
	for _, f := range reach.Formats {
		names = append(names, f.Name)
	}
	return names
}

// check reports every problem of the options at once.
func (o *reachOptions) check(env *Env, args []string) error {
	var errs []error
	if o.writer() == nil {
		errs = append(errs, fmt.Errorf("--format: %q is none of %s", o.format, strings.Join(reachFormats(), ", ")))
	}
	var err error
	if o.ports, err = parsePorts(o.port); err != nil {
		errs = append(errs, err)
	}
	for _, text := range o.podBlocks {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("--pod-cidr: %q is no CIDR like 10.244.0.0/16", text))
			continue
		}
		o.blocks = append(o.blocks, p.Masked())
	}
	switch {
	case o.diff && len(args) != 2:
		errs = append(errs, errors.New("--diff: name two sources, the old one and the new one"))
	case o.diff && (len(o.files) > 0 || o.cluster || o.explain):
		errs = append(errs, errors.New("--diff: its two sources are its arguments; leave --file, --cluster and --explain out"))
	case o.explain && (len(args) != 2 || o.format != "text"):
		errs = append(errs, errors.New("--explain: name both ends, FROM and TO, and leave --format out"))
	case !o.diff && len(o.files) == 0 && len(o.releases) == 0 && !o.cluster:
		if !env.isPluginCommand() {
			errs = append(errs, errors.New("nothing to read: name it with --file PATH, or --cluster"))
		}
		o.cluster = true
	}
	return errors.Join(errs...)
}

func (o *reachOptions) writer() func(io.Writer, *reach.Network, *reach.Answer) error {
	for _, f := range reach.Formats {
		if f.Name == o.format {
			return f.Write
		}
	}
	return nil
}

// parsePorts reads "443", "53/UDP", "8000-8100/TCP"; "" is all ports. Without a protocol it is TCP.
func parsePorts(text string) (reach.Ports, error) {
	if text == "" {
		return reach.AllPorts(), nil
	}
	number, name, _ := strings.Cut(text, "/")
	first, last, isRange := strings.Cut(number, "-")
	if !isRange {
		last = first
	}
	p, ok := reach.ParseProtocol(name)
	from, err := strconv.Atoi(first)
	to, err2 := strconv.Atoi(last)
	if !ok || err != nil || err2 != nil || from < 1 || to > 65535 || from > to {
		return reach.Ports{}, fmt.Errorf("--port: %q is no port like 443, 53/UDP or 8000-8100/TCP", text)
	}
	return reach.PortRange(p, from, to), nil
}

func runReach(ctx context.Context, env *Env, o *reachOptions, args []string) error {
	if err := o.check(env, args); err != nil {
		return err
	}
	if o.diff {
		return o.compare(ctx, env, args[0], args[1])
	}
	n, err := o.network(ctx, env, o.files)
	if err != nil {
		return err
	}
	ends := [2]reach.Set{}
	var errs []error
	for i := range ends {
		word := ""
		if i < len(args) {
			word = args[i]
		}
		if ends[i], err = n.Find(word); err != nil {
			errs = append(errs, &verdict.RemedyError{Err: err, Remedy: "Name a workload as namespace/name, a namespace as namespace/*, or one of pods, internet, node, nodes, a CIDR."})
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	answer := n.Ask(ends[0], ends[1], o.ports)
	if o.explain {
		err = n.WriteExplanation(env.Stdout, ends[0], ends[1], o.ports)
	} else {
		err = o.writer()(env.Stdout, n, &answer)
	}
	if err != nil {
		return err
	}
	if answer.Unsure() && !o.allowUnknown {
		return exitError(verdict.ExitUnknown)
	}
	return nil
}

// reachKinds are what is read of a cluster to tell who can talk to whom.
func reachKinds() []string { return append(reach.Kinds(), fact.PodKinds()...) }

// network reads sources into a network.
func (o *reachOptions) network(ctx context.Context, env *Env, paths []string) (*reach.Network, error) {
	bar := newProgress(env)
	defer bar.clear()
	reading, err := o.read(ctx, env, paths, reachKinds(), nil, bar.stage("reading"))
	if err != nil {
		return nil, err
	}
	version := reading.Version
	if version == "" {
		version = catalog.Newest
	}
	inventory := fact.NewInventory(reading.Objects, version, reading.Live)
	return reach.New(reach.Input{Inventory: inventory, Gaps: reading.Coverage.Gaps, PodBlocks: o.blocks}), nil
}

func (o *reachOptions) compare(ctx context.Context, env *Env, older, newer string) error {
	before, err := o.network(ctx, env, []string{older})
	if err != nil {
		return err
	}
	after, err := o.network(ctx, env, []string{newer})
	if err != nil {
		return err
	}
	changes := reach.Diff(before, after)
	if err := reach.WriteChanges(env.Stdout, changes); err != nil {
		return err
	}
	unsure := false
	for _, c := range changes {
		unsure = unsure || !c.Unsure.Empty()
	}
	switch {
	case unsure && !o.allowUnknown:
		return exitError(verdict.ExitUnknown)
	case len(changes) > 0:
		return exitError(verdict.ExitFindings)
	}
	return nil
}
