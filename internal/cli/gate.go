package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/certificate"
	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/gate"
	"github.com/coaming/coaming/internal/heap"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/verdict"
)

// gateOptions is the configuration of one gate.
type gateOptions struct {
	clusterFlags
	customFlags
	settingFlags
	exceptionFlags
	look            gateImageFlags
	plan            string
	kubeVersion     string
	offline, list   bool
	templates       []string
	listen, metrics string
	cert, key, ca   string
	certificates    certificateFlags
	keep            keepFlags
	drain           time.Duration
}

func gateCommand(env *Env) *cobra.Command {
	o := &gateOptions{}
	cmd := &cobra.Command{
		Use:   "gate",
		Short: "Serve admission webhooks that hold what is created and changed to a plan",
		Long: `Serve the API server's admission webhooks: each object that is created or changed is judged by the rules that
'coaming scan' asks, and a plan says which rule is audited, warned of or enforced in which namespace (docs/gate.md).

The plan, the exceptions, the settings and the certificate are read again when their files change; a plan that is broken
then changes nothing, and the log and /metrics tell. SIGTERM ends the gate once what runs is answered.

Paths: /validate for all rules, /validate/ignore and /validate/fail for those of one onError alone, /mutate, /healthz, /readyz;
/metrics is served at --metrics-listen.`,
		Example: `  coaming gate --plan plan.yaml --tls-cert tls.crt --tls-key tls.key
  coaming gate --plan plan.yaml --list              # where each rule is judged
  coaming gate --plan plan.yaml --offline --listen 127.0.0.1:8443 --tls-cert tls.crt --tls-key tls.key`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), env) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.plan, "plan", "", "the plan: a `FILE` of kind Enforcement (without one every rule is audited)")
	flags.StringArrayVar(&o.exceptionFlags.files, "exceptions", nil, "a `FILE` of exceptions; may be given several times")
	flags.StringSliceVar(&o.exceptionFlags.from, "exceptions-from", []string{"files"},
		"who may grant exceptions: `SOURCES` files, cluster (Exception objects in it, each for its own namespace), inline (annotations of the object itself: whoever creates it), or none")
	flags.IntVar(&o.maxDays, "exception-max-days", int(judge.DefaultLifetime/(24*time.Hour)), "refuse exceptions that expire more than `DAYS` ahead")
	flags.StringArrayVar(&o.templates, "template", nil, "a `FILE` with a sidecar's template of your own; may be given several times")
	o.customFlags.register(flags)
	_ = flags.MarkHidden("tree-rules") // there is no tree
	o.settingFlags.register(flags)
	o.clusterFlags.register(flags)
	o.look.register(flags)
	flags.BoolVar(&o.offline, "offline", false, "ask no cluster: rules that want other objects, and labels of namespaces, are then unknown")
	flags.Var((*versionFlag)(&o.kubeVersion), "kubernetes-version", "the Kubernetes `VERSION` to judge for (the cluster's own otherwise; "+catalog.Newest+" with --offline)")
	flags.StringVar(&o.listen, "listen", ":8443", "take the API server's requests at this `ADDRESS`")
	flags.StringVar(&o.metrics, "metrics-listen", "", "serve /metrics at this `ADDRESS`, without TLS (\"\" for nowhere)")
	flags.StringVar(&o.cert, "tls-cert", "", "the server's certificate with its chain, in PEM: `FILE`")
	flags.StringVar(&o.key, "tls-key", "", "its key, in PEM: `FILE`")
	o.certificates.register(flags)
	o.keep.register(flags)
	flags.StringVar(&o.ca, "client-ca", "", "demand a client certificate of one of these authorities, in PEM: `FILE`")
	flags.DurationVar(&o.drain, "drain", 5*time.Second, "how long new requests are still taken after SIGTERM, until everybody knows that the gate ends")
	flags.BoolVar(&o.list, "list", false, "list where each rule is judged (native policy, webhook, background) and how it holds where no entry says otherwise; serve nothing")
	o.exceptionFlags.complete(cmd)
	o.settingFlags.complete(cmd)
	_ = cmd.MarkFlagFilename("plan", "yaml", "yml", "json")
	return cmd
}

// check reports every problem of the options at once.
func (o *gateOptions) check() error {
	errs := append(o.exceptionFlags.check(), o.look.check()...)
	if o.takes("cluster") && o.offline {
		errs = append(errs, errors.New("--exceptions-from: --offline asks no cluster for its Exception objects"))
	}
	errs = append(errs, o.certificates.check(o.cert != "")...)
	errs = append(errs, o.keep.check(o.offline)...)
	if (o.cert == "") != (o.key == "") || o.cert == "" && o.certificates.folder == "" && !o.list {
		errs = append(errs, &verdict.RemedyError{
			Err:    errors.New("the API server speaks to webhooks over TLS alone, and there is no certificate"),
			Remedy: "Name both files, --tls-cert FILE --tls-key FILE, or a folder of them: --certificates FOLDER.",
		})
	}
	if _, known := catalog.Minor(o.kubeVersion); o.kubeVersion != "" && !known {
		errs = append(errs, fmt.Errorf("--kubernetes-version: %q is no version like %s", o.kubeVersion, catalog.Newest))
	}
	if o.drain < 0 || o.drain > time.Hour {
		errs = append(errs, errors.New("--drain: want from 0s to 1h"))
	}
	return errors.Join(errs...)
}

func (o *gateOptions) run(ctx context.Context, env *Env) error {
	if err := o.check(); err != nil {
		return err
	}
	heap.Early()
	watch, err := o.cluster(env)
	if err != nil {
		return err
	}
	l := &gateLoader{gateOptions: o, env: env, watch: watch}
	if o.list {
		return l.list(ctx)
	}
	log := slog.New(slog.NewJSONHandler(env.Stderr, nil))
	certificates, err := o.serving(env, log)
	errs := []error{err}
	clients, err := o.clients()
	errs = append(errs, err)
	if watch != nil && o.kubeVersion == "" {
		o.kubeVersion, err = watch.Version()
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if l.clearance, err = o.look.clearance(env, l.plans.Load, log); err != nil {
		return err
	}
	if l.takes("cluster") {
		watch.Want([]string{exception.Kind}, nil)
	}
	changes := l.changes()
	if _, err := l.load(ctx); err != nil { // before anybody connects
		return err
	}
	options := gate.Options{
		Certificates: certificates, ClientCAs: clients, Load: l.load, Changed: changes.Changed, Watch: watch, Drain: o.drain, Log: log,
	}
	l.lookIntoImages(&options)
	if options.Listener, err = listen(ctx, "--listen", o.listen); err != nil {
		return err
	}
	if o.metrics != "" {
		if options.Metrics, err = listen(ctx, "--metrics-listen", o.metrics); err != nil {
			return errors.Join(err, options.Listener.Close())
		}
	}
	if watch != nil {
		options.Parts = append(options.Parts, func(ctx context.Context) error { return settleBehind(ctx, watch) })
	}
	options.Figures = append(options.Figures, certificateEnd(certificates))
	if o.keep.on {
		if err := l.keepNative(&options, log); err != nil {
			return errors.Join(err, options.Listener.Close())
		}
	}
	log.Info("serving", "address", options.Listener.Addr().String(), "kubernetes", o.kubeVersion, "version", env.Version)
	return gate.New(options).Run(ctx)
}

// settleBehind gives back what reading the cluster took, once it is read.
func settleBehind(ctx context.Context, w *gate.Watch) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for len(w.Waiting()) > 0 {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	heap.Settle()
	return nil
}

// serving is the certificate by which the gate is known: in two files, or in a folder that may hold an authority.
func (o *gateOptions) serving(env *Env, log *slog.Logger) (*certificate.Keeper, error) {
	keeper := certificate.NewKeeper(certificate.Options{Certificate: o.cert, Key: o.key, Now: env.Now, Log: log})
	if o.certificates.folder != "" {
		keeper = o.certificates.keeper(env, log)
	}
	return keeper, keeper.Refresh()
}

// listen takes an address.
func listen(ctx context.Context, flag, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("%s: %w", flag, err), Remedy: "Name a free address: " + flag + " 127.0.0.1:8443."}
	}
	return l, nil
}

// cluster is the watch of the cluster; nil where none is asked.
func (o *gateOptions) cluster(env *Env) (*gate.Watch, error) {
	if o.offline || o.list {
		return nil, nil
	}
	options, err := o.options(env)
	if err != nil {
		return nil, &verdict.RemedyError{
			Err: err, Remedy: "Name the cluster with --kubeconfig, or do without one with --offline: what rules ask of it is then unknown.",
		}
	}
	config := rest.CopyConfig(options.Config)
	config.Timeout = 0 // watches are long
	return gate.NewWatch(config, slog.New(slog.NewJSONHandler(env.Stderr, nil)))
}

// clients are the authorities of client certificates; nil where none is demanded.
func (o *gateOptions) clients() (*x509.CertPool, error) {
	if o.ca == "" {
		return nil, nil
	}
	text, err := os.ReadFile(o.ca)
	if err != nil {
		return nil, fmt.Errorf("read --client-ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("--client-ca: %s holds no certificate in PEM", o.ca), Remedy: "Name the file of the authority that signs the API server's client certificate."}
	}
	return pool, nil
}
