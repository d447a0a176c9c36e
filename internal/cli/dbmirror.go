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
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/bundle"
	"github.com/coaming/coaming/internal/vulndb"
)

func dbDeltaCommand(env *Env) *cobra.Command {
	output := ""
	cmd := &cobra.Command{
		Use:   "delta OLD NEW -o FILE",
		Short: "Write what makes one index of another; the same two give the same bytes",
		Long: `Write what makes the index NEW of the index OLD. Applied by 'db update', which finds it in a mirror, it gives NEW byte for byte, so that
NEW's signature holds.`,
		Example: `  coaming db delta yesterday.db today.db -o today.delta`,
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			if output == "" {
				return errors.New("no file to write to: name one with -o FILE")
			}
			return writeDelta(env, args[0], args[1], output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "write the delta to this `FILE`")
	return cmd
}

func writeDelta(env *Env, oldPath, newPath, output string) (err error) {
	old, err := vulndb.Open(oldPath)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, old.Close()) }()
	fresh, err := vulndb.Open(newPath)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fresh.Close()) }()
	if err := errors.Join(old.CheckSeal(), fresh.CheckSeal()); err != nil {
		return err
	}
	delta, err := vulndb.Diff(old.Bytes, fresh.Bytes)
	if err != nil {
		return err
	}
	if err := vulndb.Write(output, func(w io.Writer) error {
		_, err := w.Write(delta)
		return err
	}); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(env.Stderr, "%s: %d bytes, which make sequence %d of %d; the whole has %d\n", output, len(delta), fresh.About.Sequence, old.About.Sequence, len(fresh.Bytes))
	return nil
}

func dbMirrorCommand(env *Env) *cobra.Command {
	key, keep := "", 30
	cmd := &cobra.Command{
		Use:   "mirror FILE DIR",
		Short: "Put an index into a folder that 'db update --from' fetches from, with the delta from the one there",
		Long: `Make FILE the newest index of a mirror: a folder, mostly one that a web server gives out. Beside it stand index.json, which says what is there,
their signatures, and deltas: who has an earlier index fetches what has changed alone.`,
		Example: `  coaming db build osv/ -o today.db && coaming db mirror today.db /srv/advisories --key advisories.key`,
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			p := &vulndb.Publish{Dir: args[1], Keep: keep}
			if keep < 0 {
				return fmt.Errorf("--deltas: %d is below 0", keep)
			}
			if key != "" {
				p.Sign = func(blob []byte) (string, error) { return signBlob(key, blob) }
			}
			m, err := p.Index(args[0])
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintf(env.Stderr, "%s: sequence %d, %d bytes, %s\n", args[1], m.Sequence, m.Size, counted(len(m.Deltas), "delta"))
			return nil
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "sign with this private key, in PEM without a passphrase: `FILE`")
	cmd.Flags().IntVar(&keep, "deltas", keep, "how many deltas stay: `N`")
	return cmd
}

// mirror is a folder, or an address that ends in a slash.
type mirror struct {
	folder, address string
	client          *http.Client
}

// mirrorOf is the mirror at a place, nil when it is none.
func mirrorOf(env *Env, place string) *mirror {
	switch {
	case strings.HasPrefix(place, bundle.Scheme):
	case isAddress(place):
		if strings.HasSuffix(place, "/") {
			return &mirror{address: place, client: &http.Client{Transport: artefactRegistry(env, bundle.Advisories).Transport}}
		}
	case isDirectory(place):
		return &mirror{folder: place}
	}
	return nil
}

func isAddress(place string) bool {
	return strings.HasPrefix(place, "https://") || strings.HasPrefix(place, "http://")
}

// open opens a file of the mirror; one that is not there is fs.ErrNotExist.
func (m *mirror) open(ctx context.Context, name string) (io.ReadCloser, error) {
	if m.folder != "" {
		return os.Open(filepath.Join(m.folder, name))
	}
	return download(ctx, m.client, m.address+name)
}

func (m *mirror) read(ctx context.Context, name string, most int64) ([]byte, error) {
	in, err := m.open(ctx, name)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(in, most+1))
	if err == nil && int64(len(raw)) > most {
		err = fmt.Errorf("read %s: over %d bytes", name, most)
	}
	return raw, errors.Join(err, in.Close())
}

// manifest reads what the mirror says of itself; nil when it says nothing.
func (m *mirror) manifest(ctx context.Context, keys []*bundle.PublicKey) (*vulndb.Manifest, error) {
	text, err := m.read(ctx, vulndb.ManifestName, vulndb.MaxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(keys) > 0 {
		signature, err := m.read(ctx, vulndb.ManifestName+".sig", maxSignatureText)
		if err != nil {
			return nil, &bundle.NotSigned{What: vulndb.ManifestName, Why: fmt.Sprintf("its signature: %v", err)}
		}
		if !bundle.VerifiedBy(keys, text, string(signature)) {
			return nil, &bundle.NotSigned{What: vulndb.ManifestName, Why: "its signature is not that of its bytes by the key"}
		}
	}
	return vulndb.ReadManifest(text)
}

// patched makes the newest index of the one in place and the mirror's deltas. It is nil where no deltas lead from the one to
// the other; same says that it is in place already.
func (m *mirror) patched(ctx context.Context, manifest *vulndb.Manifest, path string) (fresh []byte, same bool, err error) {
	old, err := vulndb.Open(path)
	if err != nil {
		return nil, false, nil // there is none that a delta could be of
	}
	defer func() { err = errors.Join(err, old.Close()) }()
	if err := old.CheckSeal(); err != nil {
		return nil, false, nil // the whole takes the place of a damaged one
	}
	seal := hex.EncodeToString(vulndb.Seal(old.Bytes))
	if seal == manifest.Seal {
		return nil, true, nil
	}
	for _, d := range manifest.Chain(seal) {
		delta, err := m.read(ctx, d.File, d.Size)
		if err != nil {
			return nil, false, err
		}
		if fresh == nil {
			fresh = old.Bytes
		}
		if fresh, err = vulndb.Apply(fresh, delta); err != nil {
			return nil, false, fmt.Errorf("%s: %w", d.File, err)
		}
	}
	return fresh, false, nil
}

// fetchMirrored opens the newest index of a mirror that says what it holds. body is nil when it is in place already.
func (o *dbUpdateOptions) fetchMirrored(ctx context.Context, env *Env, m *mirror, manifest *vulndb.Manifest, path string) (io.ReadCloser, error) {
	fresh, same, err := m.patched(ctx, manifest, path)
	switch {
	case same:
		return nil, nil
	case err != nil:
		_, _ = fmt.Fprintf(env.Stderr, "the changes alone cannot be used, taking the whole index: %v\n", err)
	case fresh != nil:
		return io.NopCloser(bytes.NewReader(fresh)), nil
	}
	if manifest.Size > advisory.MaxIndex {
		return nil, fmt.Errorf("fetch %s: %d bytes are more than an index has", manifest.File, manifest.Size)
	}
	return m.open(ctx, manifest.File)
}
