// Package gate is the admission server: it takes AdmissionReviews over TLS, hands them to internal/admission, and
// answers within bounds, whatever comes. It reloads what it decides by, watches what rules ask of the cluster, tells when it is
// ready, and ends without dropping what it has begun. It decides nothing itself. Floor 3; cli runs it.
package gate

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"
)

// Certificates are those by which the gate is known; they change while it runs.
type Certificates interface {
	GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Ready is nil while there is one that has not ended.
	Ready() error
	// Run keeps them until the context ends.
	Run(ctx context.Context)
}

// Options are what a gate is made of.
type Options struct {
	// Listener takes the API server's connections, Metrics those of who asks for figures; nil for nobody.
	Listener, Metrics net.Listener
	Certificates      Certificates
	// ClientCAs demands of each client a certificate of one of them, except for /healthz and /readyz; nil demands none.
	ClientCAs *x509.CertPool
	// Load makes what is decided by, anew at each call; Changed says whether that is worth it.
	Load    func(ctx context.Context) (*Ruling, error)
	Changed func() bool
	// Every is how often Changed is asked; 0 is 2 s.
	Every time.Duration
	// Watch is what is known of the cluster; nil for nothing.
	Watch *Watch
	// Parts run beside the server until the context ends; the gate ends when one of them fails.
	Parts []func(ctx context.Context) error
	// Figures are written behind the gate's own.
	Figures []func(w io.Writer) error
	// Drain is how long the gate still takes new requests once it is told to end, so that whoever routes to it has heard;
	// 0 is none. Finish is how long it then waits for what runs; 0 is 10 s.
	Drain, Finish time.Duration
	Limits        Limits
	// Took is told how long each review took in the handler; nil for nobody.
	Took func(time.Duration)
	Log  *slog.Logger
}

// Limits bound what strangers may cost; 0 takes what stands behind each.
type Limits struct {
	Body        int64         // bytes of a review: 20 MiB. Of what etcd takes (1.5 MiB) escapes make six times as much, and an update has two
	Bodies      int64         // bytes of all bodies that are held at a time, but for large ones: 32 MiB
	Large       int64         // bytes of all large bodies (admission.Large) that are held at a time: a little more than Body
	Requests    int           // that are answered or wait for it at a time: 512
	Connections int           // at a time: 1024
	Read        time.Duration // for a whole request to come: 5 s
}

func (l *Limits) fill() {
	l.Body = cmp.Or(l.Body, 20<<20)
	l.Bodies = cmp.Or(l.Bodies, 32<<20)
	l.Large = max(l.Large, l.Body+4<<20)
	l.Requests = cmp.Or(l.Requests, 512)
	l.Connections = cmp.Or(l.Connections, 1024)
	l.Read = cmp.Or(l.Read, 5*time.Second)
}

// Gate is a server that was made and may run once.
type Gate struct {
	Options
	rulings
	metrics *metrics
	bounds  *bounds
	ending  chan struct{} // closed when the gate is told to end
}

// New makes a gate.
func New(o Options) *Gate {
	o.Limits.fill()
	o.Every = cmp.Or(o.Every, 2*time.Second)
	o.Finish = cmp.Or(o.Finish, 10*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	g := &Gate{Options: o, bounds: newBounds(&o.Limits), ending: make(chan struct{})}
	g.metrics = newMetrics(g)
	return g
}

// Run serves until the context ends and what runs then is answered. What it decides by is loaded first: a gate whose first
// plan is broken does not begin.
func (g *Gate) Run(ctx context.Context) error {
	if err := g.load(ctx); err != nil {
		return errors.Join(err, g.closeListeners())
	}
	// What runs beside the server outlives the request to end: requests that are still answered need it.
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	group, inner := errgroup.WithContext(inner)
	group.Go(func() error { g.Certificates.Run(inner); return nil })
	group.Go(func() error { g.keep(inner); return nil })
	if g.Watch != nil {
		group.Go(func() error { return g.Watch.Run(inner) })
	}
	for _, part := range g.Parts {
		group.Go(func() error { return part(inner) })
	}
	server, guests := g.server(g.handler(), g.tlsConfig()), newGuests(g.Listener, g.Limits.Connections)
	guests.attend(server)
	group.Go(func() error { guests.run(inner); return nil })
	group.Go(func() error { return closed(server.ServeTLS(guests, "", "")) })
	figures := g.server(g.figures(), nil)
	if g.Metrics != nil {
		group.Go(func() error { return closed(figures.Serve(netutil.LimitListener(g.Metrics, maxMetricsClients))) })
	}
	group.Go(func() error {
		select {
		case <-ctx.Done():
		case <-inner.Done():
		}
		err := g.end(context.WithoutCancel(ctx), server, figures)
		cancel()
		return err
	})
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// maxMetricsClients bounds the connections of those who ask for figures.
const maxMetricsClients = 16

// end stops taking requests once others had the time to hear of it, and waits for those that run.
func (g *Gate) end(ctx context.Context, servers ...*http.Server) error {
	close(g.ending)
	g.Log.Info("ending", "drain", g.Drain.String())
	wait := time.NewTimer(g.Drain)
	defer wait.Stop()
	<-wait.C
	ctx, cancel := context.WithTimeout(ctx, g.Finish)
	defer cancel()
	var errs []error
	for _, s := range servers {
		if err := s.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("finish what runs: %w", err), s.Close())
		}
	}
	return errors.Join(errs...)
}

func closed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve: %w", err)
}

func (g *Gate) closeListeners() error {
	var errs []error
	for _, l := range []net.Listener{g.Listener, g.Metrics} {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	return errors.Join(errs...)
}

// server is an HTTP server that nobody keeps waiting: neither by headers nor by a body that drips.
func (g *Gate) server(h http.Handler, config *tls.Config) *http.Server {
	return &http.Server{
		Handler: h, TLSConfig: config,
		ReadHeaderTimeout: g.Limits.Read, ReadTimeout: g.Limits.Read, WriteTimeout: 3 * g.Limits.Read, IdleTimeout: 3 * time.Minute,
		MaxHeaderBytes: 32 << 10,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: min(g.Limits.Requests, 250), MaxReadFrameSize: 256 << 10,
			// Bodies that wait for room must not fill the window of a connection, which all reviews of an API server share.
			MaxReceiveBufferPerStream: streamBuffer, MaxReceiveBufferPerConnection: 2 * mostQueueing * streamBuffer,
		},
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // handshakes that strangers break off
	}
}

// streamBuffer is how much of a body that nobody reads is taken from the connection.
const streamBuffer = 256 << 10

// tlsConfig speaks TLS 1.2 and 1.3, with the suites that Go's own judgement leaves.
func (g *Gate) tlsConfig() *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: g.Certificates.GetCertificate, NextProtos: []string{"h2", "http/1.1"}}
	if g.ClientCAs != nil {
		config.ClientCAs, config.ClientAuth = g.ClientCAs, tls.VerifyClientCertIfGiven // a kubelet that probes has none
	}
	return config
}
