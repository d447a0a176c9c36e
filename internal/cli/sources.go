package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/source"
	"github.com/coaming/coaming/internal/verdict"
)

// sourceFlags say what is read.
type sourceFlags struct {
	clusterFlags
	cluster     bool
	releases    []string
	values      []string
	set         []string
	setString   []string
	setFile     []string
	kubeVersion string
	maxFile     int64
	maxTotal    int64
	plan        *source.Plan // of the files, when they were looked up already
	thrift      bool         // whether one replica is enough for the question: no rule looks at each
	also        []string     // kinds that a cluster is asked for beside those that rules need
}

func (f *sourceFlags) register(flags *pflag.FlagSet) {
	flags.BoolVar(&f.cluster, "cluster", false, "scan the live cluster that the kubeconfig names, or the one this runs in")
	f.clusterFlags.register(flags)
	flags.StringArrayVar(&f.releases, "release", nil, "render a Helm chart as this release: `NAME[@NAMESPACE]=CHART`; may be given several times")
	flags.StringArrayVar(&f.values, "values", nil, "values `FILE` for charts; RELEASE:FILE for one release alone")
	flags.StringArrayVar(&f.set, "set", nil, "a chart's value, `KEY=VALUE`; RELEASE:KEY=VALUE for one release alone")
	flags.StringArrayVar(&f.setString, "set-string", nil, "the same, always a string: `KEY=VALUE`")
	flags.StringArrayVar(&f.setFile, "set-file", nil, "the same, read from a file: `KEY=FILE`")
	flags.Var((*versionFlag)(&f.kubeVersion), "kubernetes-version", "the Kubernetes `VERSION` to judge for: 1.36 (a live cluster's own when it is scanned)")
	flags.Int64Var(&f.maxFile, "max-file-mib", 512, "largest file that is read, in MiB")
	flags.Int64Var(&f.maxTotal, "max-total-mib", 1024, "most that is read in all, in MiB")
}

// clusterFlags say which cluster is read, and as whom.
type clusterFlags struct {
	kubeconfig string
	context    string
	as         string
	asGroups   []string
	timeout    time.Duration
}

func (f *clusterFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig `FILE` (KUBECONFIG and ~/.kube/config otherwise)")
	flags.StringVar(&f.context, "context", "", "kubeconfig context `NAME`")
	flags.StringVar(&f.as, "as", "", "`USER` to impersonate")
	flags.StringArrayVar(&f.asGroups, "as-group", nil, "`GROUP` to impersonate; may be given several times")
	flags.DurationVar(&f.timeout, "request-timeout", time.Minute, "how long one request to the cluster may take")
}

// reader reads the cluster with those flags.
func (f *clusterFlags) options(env *Env) (source.ClusterOptions, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = f.kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: f.context}
	overrides.AuthInfo.Impersonate = f.as
	overrides.AuthInfo.ImpersonateGroups = f.asGroups
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
	config, err := loader.ClientConfig()
	if err != nil {
		return source.ClusterOptions{}, &verdict.RemedyError{
			Err:    fmt.Errorf("find the cluster: %w", err),
			Remedy: "Name a kubeconfig with --kubeconfig or KUBECONFIG, and a context with --context.",
		}
	}
	config.Timeout = f.timeout
	config.UserAgent = "coaming/" + env.Version
	name := f.context
	if raw, err := loader.RawConfig(); err == nil && name == "" {
		name = raw.CurrentContext
	}
	if name == "" {
		name = "in-cluster"
	}
	return source.ClusterOptions{Config: config, Context: name, Pods: true, Custom: true, UserAgent: config.UserAgent}, nil
}

// read reads everything that the arguments and flags name.
func (f *sourceFlags) read(ctx context.Context, env *Env, args, kinds, namespaces []string, progress func(done, total int)) (*source.Reading, error) {
	all := &source.Reading{}
	if err := f.readArchives(all, args, kinds); err != nil {
		return nil, err
	}
	if paths := filePaths(args); f.plan != nil {
		r, err := f.plan.Read(ctx)
		if err != nil {
			return nil, err
		}
		all.Join(r)
	} else if len(paths) > 0 || len(f.releases) > 0 {
		r, err := f.readFiles(ctx, env, paths, func(o *source.FileOptions) { o.Progress = progress })
		if err != nil {
			return nil, err
		}
		all.Join(r)
	}
	return all, f.readCluster(ctx, env, all, kinds, namespaces, progress)
}

// readServed reads what a server sent: snapshots and the live cluster.
func (f *sourceFlags) readServed(ctx context.Context, env *Env, args, kinds []string, progress func(done, total int)) (*source.Reading, error) {
	all := &source.Reading{}
	if err := f.readArchives(all, args, kinds); err != nil {
		return nil, err
	}
	return all, f.readCluster(ctx, env, all, kinds, nil, progress)
}

func (f *sourceFlags) readCluster(ctx context.Context, env *Env, all *source.Reading, kinds, namespaces []string, progress func(done, total int)) error {
	if !f.cluster {
		return nil
	}
	o, err := f.options(env)
	if err != nil {
		return err
	}
	o.Kinds, o.Namespaces, o.Progress = kinds, namespaces, progress
	o.Thrift = f.saves(nil) // of a cluster only the kinds are asked for anyway
	o.Also, o.AlsoIn = f.also, exception.SystemNamespace
	r, err := source.Cluster(ctx, o)
	if err != nil {
		return err
	}
	all.Join(r)
	return nil
}

func (f *sourceFlags) readArchives(all *source.Reading, args, kinds []string) error {
	for _, arg := range args {
		if !isSnapshot(arg) {
			continue
		}
		r, err := f.readArchive(arg, kinds)
		if err != nil {
			return err
		}
		all.Join(r)
	}
	return nil
}

// saves is what need not be kept of what a server sent.
func (f *sourceFlags) saves(kinds []string) source.Thrift {
	if !f.thrift {
		return source.Thrift{}
	}
	return source.Thrift{Replicas: true, Kinds: kinds}
}

func isSnapshot(arg string) bool { return strings.HasSuffix(arg, ".coaming") && !isDirectory(arg) }

// filePaths are the arguments that are files, directories and patterns.
func filePaths(args []string) []string {
	var paths []string
	for _, arg := range args {
		if !isSnapshot(arg) {
			paths = append(paths, arg)
		}
	}
	return paths
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func (f *sourceFlags) readArchive(path string, kinds []string) (*source.Reading, error) {
	file, err := source.Open(path)
	if err != nil {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("open snapshot: %w", err), Remedy: "Make one with 'coaming snapshot -o cluster.coaming'."}
	}
	defer func() { _ = file.Close() }() // it was only read
	r, err := source.ReadArchive(file, path, source.ArchiveLimits{Bytes: f.maxTotal << 20, Thrift: f.saves(kinds)})
	if err != nil {
		return nil, err
	}
	r.Coverage.Gaps = append(r.Coverage.Gaps, unasked(r, path, kinds)...)
	return r, nil
}

// unasked tells of the kinds that are wanted of a snapshot and were not asked for when it was taken: whether the cluster
// has any of them, nobody knows.
func unasked(r *source.Reading, path string, kinds []string) []verdict.Gap {
	if len(r.Asked) == 0 {
		return nil
	}
	var missing []string
	for _, kind := range kinds {
		if !slices.Contains(r.Asked, kind) && kind != "Secret" { // which no cluster is asked for
			missing = append(missing, kind)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	missing = slices.Compact(missing)
	shown := strings.Join(missing[:min(3, len(missing))], ", ")
	if more := len(missing) - 3; more > 0 {
		shown += fmt.Sprintf(" and %d more", more)
	}
	return []verdict.Gap{{
		Code:     verdict.GapMissing,
		Location: verdict.Location{Source: "archive:" + path, File: path},
		Message:  "the cluster was not asked for these kinds when the snapshot was taken: " + shown,
		Remedy:   "Take it again with 'coaming snapshot' of this version, and with the rules that are to judge it.",
		Kinds:    missing,
	}}
}

func (f *sourceFlags) readFiles(ctx context.Context, env *Env, paths []string, set func(*source.FileOptions)) (*source.Reading, error) {
	o, err := f.fileOptions(env, paths)
	if err != nil {
		return nil, err
	}
	set(&o)
	return source.Files(ctx, o)
}

// fileOptions say which files are read, and how.
func (f *sourceFlags) fileOptions(env *Env, paths []string) (source.FileOptions, error) {
	releases, err := f.parseReleases()
	if err != nil {
		return source.FileOptions{}, err
	}
	values, _ := forRelease(f.values, "")
	sets, _ := forRelease(f.set, "")
	setString, _ := forRelease(f.setString, "")
	setFile, _ := forRelease(f.setFile, "")
	return source.FileOptions{
		Paths: paths, Stdin: env.Stdin, Releases: releases, KubeVersion: f.kubeVersion,
		Values: values, Set: sets, SetString: setString, SetFile: setFile,
		MaxFile: f.maxFile << 20, MaxTotal: f.maxTotal << 20,
	}, nil
}

// parseReleases reads --release and gives each release the values that are meant for it alone.
func (f *sourceFlags) parseReleases() ([]source.Release, error) {
	var releases []source.Release
	var names []string
	for _, text := range f.releases {
		name, chart, found := strings.Cut(text, "=")
		if !found || name == "" || chart == "" {
			return nil, &verdict.RemedyError{Err: fmt.Errorf("--release %q", text), Remedy: "Write NAME=CHART or NAME@NAMESPACE=CHART."}
		}
		name, namespace, _ := strings.Cut(name, "@")
		if slices.Contains(names, name) {
			return nil, fmt.Errorf("--release: %q is given twice", name)
		}
		names = append(names, name)
		releases = append(releases, source.Release{Name: name, Namespace: namespace, Chart: chart})
	}
	for i := range releases {
		r := &releases[i]
		for _, v := range []struct {
			given []string
			to    *[]string
		}{{f.values, &r.Values}, {f.set, &r.Set}, {f.setString, &r.SetString}, {f.setFile, &r.SetFile}} {
			_, *v.to = forRelease(v.given, r.Name)
		}
	}
	for _, list := range [][]string{f.values, f.set, f.setString, f.setFile} {
		for _, flag := range list {
			if name := releasePrefix(flag); name != "" && !slices.Contains(names, name) {
				return nil, &verdict.RemedyError{
					Err:    fmt.Errorf("%q is for a release %q, which --release does not name", flag, name),
					Remedy: "Name the release with --release NAME=CHART, or leave the prefix out.",
				}
			}
		}
	}
	return releases, nil
}

// releasePrefix is the release that a flag is for, RELEASE:KEY=VALUE; "" when it is for all.
func releasePrefix(flag string) string {
	prefix, _, found := strings.Cut(flag, ":")
	if !found || prefix == "" || strings.ContainsAny(prefix, "=/\\.{}[], ") {
		return ""
	}
	return prefix
}

// forRelease splits flags into those for every release and those that name this one.
func forRelease(flags []string, name string) (general, own []string) {
	for _, flag := range flags {
		switch prefix := releasePrefix(flag); prefix {
		case "":
			general = append(general, flag)
		case name:
			own = append(own, strings.TrimPrefix(flag, prefix+":"))
		}
	}
	return general, own
}

// errNothing is a scan of nothing.
var errNothing = &verdict.RemedyError{
	Err:    errors.New("nothing to scan"),
	Remedy: "Name files, folders or charts, - for standard input, a snapshot, or --cluster.",
}
