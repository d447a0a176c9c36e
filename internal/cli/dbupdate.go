package cli

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/bundle"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/internal/vulndb"
)

// dbUpdateOptions is the configuration of one update.
type dbUpdateOptions struct {
	dbFlags
	from      string
	keys      []string
	unsigned  bool
	downgrade bool
	timeout   time.Duration
	every     time.Duration
}

func dbUpdateCommand(env *Env) *cobra.Command {
	o := &dbUpdateOptions{}
	cmd := &cobra.Command{
		Use:   "update --from FILE|DIR|URL|oci://REGISTRY/NAME@sha256:DIGEST",
		Short: "Take over a newer index of advisories",
		Long: `Take over an index that 'coaming db build' made: a file, a folder or web server that holds ` + vulndb.FileName + `, or an artefact in a
registry. Its signature is expected beside it (FILE.sig), or in the registry as cosign keeps it. An index that is damaged, not
signed by the key or older than the one in place changes nothing; the one that was replaced stays as FILE.previous. From a folder or server that
'coaming db mirror' keeps, what has changed is fetched alone where that is less.`,
		Example: `  coaming db update --from /media/stick --key advisories.pub
  coaming db update --from https://mirror.example.com/coaming/ --key advisories.pub
  coaming db update --from oci://registry.example.com/advisories@sha256:... --key advisories.pub`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), env) },
	}
	flags := cmd.Flags()
	o.register(flags)
	flags.StringVar(&o.from, "from", "", "where the newer index is: `PLACE`")
	flags.StringArrayVar(&o.keys, "key", nil, "the public key, in PEM, that must have signed it: `FILE`; of several any one")
	flags.BoolVar(&o.unsigned, "allow-unsigned", false, "take an index that nobody has signed")
	flags.BoolVar(&o.downgrade, "allow-downgrade", false, "take an index that is older than the one in place")
	flags.DurationVar(&o.timeout, "timeout", 10*time.Minute, "end after this `TIME`")
	flags.DurationVar(&o.every, "every", 0, "do it again each time this `TIME` is over, until ended; what fails is told and tried again sooner")
	return cmd
}

func (o *dbUpdateOptions) check(env *Env) (path string, keys []*bundle.PublicKey, err error) {
	var errs []error
	if o.from == "" {
		errs = append(errs, &verdict.RemedyError{Err: errors.New("nothing says where the advisories come from"), Remedy: "Name it with --from FILE, DIR, URL or oci://REGISTRY/NAME@sha256:DIGEST."})
	}
	switch {
	case o.unsigned && len(o.keys) > 0:
		errs = append(errs, errors.New("--key and --allow-unsigned contradict each other: leave one of them out"))
	case !o.unsigned && len(o.keys) == 0:
		errs = append(errs, &verdict.RemedyError{Err: errors.New("no key says who may have made the advisories"), Remedy: "Name the key that signed them with --key KEY.pub, or say --allow-unsigned."})
	}
	if o.every != 0 && o.every < leastEvery {
		errs = append(errs, fmt.Errorf("--every: less than %s", leastEvery))
	}
	for _, file := range o.keys {
		key, err := bundle.ReadPublicKey(file)
		keys, errs = append(keys, key), append(errs, err)
	}
	path, err = o.file(env)
	return path, keys, errors.Join(append(errs, err)...)
}

// leastEvery is the shortest time between two updates: whoever serves the index is not to be flooded.
const leastEvery = time.Minute

func (o *dbUpdateOptions) run(ctx context.Context, env *Env) error {
	path, keys, err := o.check(env)
	if err != nil {
		return err
	}
	if o.every == 0 {
		return o.once(ctx, env, path, keys)
	}
	return o.again(ctx, env, path, keys)
}

// again updates until it is ended. A failure is tried again after a minute, and then twice as long each time.
func (o *dbUpdateOptions) again(ctx context.Context, env *Env, path string, keys []*bundle.PublicKey) error {
	wait := o.every
	for {
		err := o.once(ctx, env, path, keys)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was ended, as it was meant to be
		}
		switch {
		case err == nil:
			wait = o.every
		case wait == o.every:
			wait = leastEvery
		default:
			wait = min(2*wait, o.every)
		}
		if err != nil {
			_, _ = fmt.Fprintf(env.Stderr, "%v; again in %s\n", err, wait)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// once takes over what is newer.
func (o *dbUpdateOptions) once(ctx context.Context, env *Env, path string, keys []*bundle.PublicKey) error {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	update := &vulndb.Update{Path: path, Downgrade: o.downgrade}
	body, signature, err := o.fetch(ctx, env, update, keys)
	if err != nil {
		return err
	}
	if body == nil {
		_, _ = fmt.Fprintf(env.Stderr, "%s is the newest that %s has: already there\n", path, o.from)
		return nil
	}
	if len(keys) > 0 && signature != nil {
		update.Verify = func(file []byte) error {
			text, err := signature()
			if err != nil {
				return err
			}
			if !bundle.VerifiedBy(keys, file, text) {
				return &bundle.NotSigned{What: o.from, Why: "its signature is not that of its bytes by the key"}
			}
			return nil
		}
	}
	outcome, err := update.Take(body)
	if err := errors.Join(err, body.Close()); err != nil {
		return fmt.Errorf("update advisories from %s: %w", o.from, err)
	}
	word := "already there"
	if outcome.Changed {
		word = "now in " + path
	}
	_, _ = fmt.Fprintf(env.Stderr, "advisories of %s, %s: %s\n", time.Unix(outcome.About.Created, 0).UTC().Format(time.DateOnly), counted(outcome.About.Records, "record"), word)
	return nil
}

// maxSignatureText is how much of a signature's file is read, in bytes.
const maxSignatureText = 64 << 10

// fetch opens the newer index; nil when a mirror says that it is in place. signature reads its signature, and is nil
// where the registry's was verified already.
func (o *dbUpdateOptions) fetch(ctx context.Context, env *Env, update *vulndb.Update, keys []*bundle.PublicKey) (body io.ReadCloser, signature func() (string, error), err error) {
	if strings.HasPrefix(o.from, bundle.Scheme) {
		blob, err := artefactRegistry(env, bundle.Advisories).Pull(ctx, o.from, keys)
		return io.NopCloser(bytes.NewReader(blob)), nil, err
	}
	m, name := mirrorOf(env, o.from), vulndb.FileName
	switch {
	case m != nil:
		manifest, err := m.manifest(ctx, keys)
		if err != nil {
			return nil, nil, fmt.Errorf("update advisories from %s: %w", o.from, err)
		}
		if manifest != nil {
			name = manifest.File
			if update.Seal, err = hex.DecodeString(manifest.Seal); err != nil {
				return nil, nil, err
			}
			body, err = o.fetchMirrored(ctx, env, m, manifest, update.Path)
			return body, o.signatureOf(ctx, m, name), err
		}
	case isAddress(o.from):
		i := strings.LastIndexByte(o.from, '/') + 1
		m, name = &mirror{address: o.from[:i], client: &http.Client{Transport: artefactRegistry(env, bundle.Advisories).Transport}}, o.from[i:]
	default:
		m, name = &mirror{folder: filepath.Dir(o.from)}, filepath.Base(o.from)
	}
	if body, err = m.open(ctx, name); err != nil {
		if m.folder != "" {
			err = &verdict.RemedyError{Err: fmt.Errorf("update advisories: %w", err), Remedy: "Name an index that 'coaming db build' made, or a folder that holds it as " + vulndb.FileName + "."}
		}
		return nil, nil, err
	}
	return body, o.signatureOf(ctx, m, name), nil
}

// signatureOf reads the signature of a file of a mirror.
func (o *dbUpdateOptions) signatureOf(ctx context.Context, m *mirror, name string) func() (string, error) {
	return func() (string, error) {
		text, err := m.read(ctx, name+".sig", maxSignatureText)
		if err != nil {
			return "", &bundle.NotSigned{What: o.from, Why: fmt.Sprintf("its signature %s.sig: %v", name, err)}
		}
		return string(text), nil
	}
}

func download(ctx context.Context, client *http.Client, address string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("fetch advisories: %w", err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("fetch advisories: %w", err)
	}
	if answer.StatusCode == http.StatusNotFound {
		return nil, errors.Join(fmt.Errorf("fetch %s: the server answers %s (%w)", address, answer.Status, fs.ErrNotExist), answer.Body.Close())
	}
	if answer.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("fetch %s: the server answers %s", address, answer.Status), answer.Body.Close())
	}
	if answer.ContentLength > advisory.MaxIndex {
		return nil, errors.Join(fmt.Errorf("fetch %s: %d bytes are more than an index has", address, answer.ContentLength), answer.Body.Close())
	}
	return answer.Body, nil
}

func dbPushCommand(env *Env) *cobra.Command {
	f, key := &dbFlags{}, ""
	cmd := &cobra.Command{
		Use:   "push REGISTRY/NAME:TAG",
		Short: "Store an index of advisories in a registry, signed as 'cosign sign --key' does",
		Long: `Store an index in a registry as an OCI artefact, with the credentials that docker login has stored, and print its name with its digest,
which 'coaming db update --from' takes.`,
		Example: `  coaming db push registry.example.com/advisories:2026-11-22 --db coaming-advisories.db --key advisories.key`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			db, err := f.open(env)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, db.Close()) }()
			if err := db.CheckSeal(); err != nil {
				return err
			}
			var private *bundle.PrivateKey
			if key != "" {
				if private, err = bundle.ReadPrivateKey(key); err != nil {
					return err
				}
			}
			named, err := artefactRegistry(env, bundle.Advisories).Push(cmd.Context(), args[0], db.Bytes, private)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(env.Stdout, named)
			return err
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().StringVar(&key, "key", "", "sign with this private key, in PEM without a passphrase: `FILE`")
	return cmd
}
