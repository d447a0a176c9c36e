package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/coaming/coaming/internal/bundle"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/internal/workbench"
)

// customFlags say which rules are asked beside the built-in ones.
type customFlags struct {
	from     []string
	tree     bool
	keys     []string
	unsigned bool

	ids []string // of all rules, once they are read
}

func (f *customFlags) register(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.from, "rules", nil, "ask the rules of this folder, file or bundle (.tgz, oci://REGISTRY/NAME@sha256:DIGEST) too: `PATH`; may be given several times")
	flags.BoolVar(&f.tree, "tree-rules", false, "ask the rules in .coaming/rules of the folders that are scanned too")
	flags.StringArrayVar(&f.keys, "rules-key", nil, "the public key, in PEM, that must have signed a bundle of rules: `FILE`; of several any one")
	flags.BoolVar(&f.unsigned, "allow-unsigned-rules", false, "take bundles of rules that nobody has signed")
}

// all is the built-in rules, as they are read, and those from outside, by practice and id, each ready to judge.
func (f *customFlags) all(ctx context.Context, env *Env, sources []string, read func() ([]*rule.Rule, error)) ([]*rule.Compiled, error) {
	builtIn, err := read()
	if err != nil {
		return nil, err
	}
	rules, err := catalog.Compile(builtIn)
	if err != nil {
		return nil, err
	}
	files, err := f.files(ctx, env, sources)
	if err != nil {
		return nil, err
	}
	own, err := workbench.Read(files, idsOf(builtIn))
	if err != nil {
		return nil, err
	}
	rules = append(rules, own...)
	f.ids = make([]string, 0, len(rules))
	for _, r := range rules {
		f.ids = append(f.ids, r.ID)
	}
	slices.SortStableFunc(rules, func(a, b *rule.Compiled) int {
		return cmp.Or(slices.Index(rule.Practices, a.Practice)-slices.Index(rule.Practices, b.Practice), strings.Compare(a.ID, b.ID))
	})
	return rules, nil
}

// words are the ids of the rules, for completion; what would need the network is left out.
func (f *customFlags) words(ctx context.Context, sources []string) ([]string, cobra.ShellCompDirective) {
	local := customFlags{tree: f.tree, keys: f.keys, unsigned: f.unsigned}
	for _, from := range f.from {
		if !strings.HasPrefix(from, bundle.Scheme) {
			local.from = append(local.from, from)
		}
	}
	rules, err := local.all(ctx, &Env{}, sources, catalog.Brief)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	words := make([]string, 0, len(rules))
	for _, r := range withPublished(rules) {
		words = append(words, r.ID+"\t"+r.Title)
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// files reads the rule files that the flags name; every problem is told at once.
func (f *customFlags) files(ctx context.Context, env *Env, sources []string) ([]rule.File, error) {
	keys, err := f.readKeys()
	if err != nil {
		return nil, err
	}
	from := slices.Clone(f.from)
	if f.tree {
		from = append(from, treeRules(sources)...)
	}
	var files []rule.File
	var errs []error
	for i, path := range from {
		if slices.Contains(from[:i], path) {
			continue
		}
		some, err := f.readOne(ctx, env, path, keys)
		files, errs = append(files, some...), append(errs, err)
	}
	return files, errors.Join(errs...)
}

func (f *customFlags) readKeys() ([]*bundle.PublicKey, error) {
	if f.unsigned && len(f.keys) > 0 {
		return nil, &verdict.RemedyError{Err: errors.New("--rules-key and --allow-unsigned-rules contradict each other"), Remedy: "Leave one of them out."}
	}
	var keys []*bundle.PublicKey
	var errs []error
	for _, path := range f.keys {
		key, err := bundle.ReadPublicKey(path)
		keys, errs = append(keys, key), append(errs, err)
	}
	return keys, errors.Join(errs...)
}

func (f *customFlags) readOne(ctx context.Context, env *Env, path string, keys []*bundle.PublicKey) ([]rule.File, error) {
	switch {
	case strings.HasPrefix(path, bundle.Scheme):
		if err := f.mayTrust(path, keys); err != nil {
			return nil, err
		}
		blob, err := artefactRegistry(env, bundle.Rules).Pull(ctx, path, keys)
		if err != nil {
			return nil, trusted(err)
		}
		_, files, err := bundle.Read(blob, path)
		return files, err
	case isBundle(path):
		blob, err := bundle.ReadFile(path)
		if err == nil {
			err = f.mayTrust(path, keys)
		}
		if err == nil && len(keys) > 0 {
			err = trusted(verifyFile(path, blob, path+".sig", keys))
		}
		if err != nil {
			return nil, err
		}
		_, files, err := bundle.Read(blob, path)
		return files, err
	}
	return bundle.ReadFolder(path)
}

// mayTrust refuses a bundle when nothing says who must have signed it.
func (f *customFlags) mayTrust(path string, keys []*bundle.PublicKey) error {
	if len(keys) > 0 || f.unsigned {
		return nil
	}
	return &verdict.RemedyError{
		Err:    fmt.Errorf("%s is a bundle, and no key says who may have written it", path),
		Remedy: "Name the key that signed it with --rules-key KEY.pub, or take it unsigned with --allow-unsigned-rules.",
	}
}

// trusted adds what to do about a bundle that is not signed as it must be.
func trusted(err error) error {
	if _, ok := errors.AsType[*bundle.NotSigned](err); ok {
		return &verdict.RemedyError{Err: err, Remedy: "Fetch the bundle and its signature again, name the key of its author with --rules-key, or ask for a signature: 'coaming rule sign'."}
	}
	return err
}

// verifyFile demands that one of the keys made the signature in a file.
func verifyFile(path string, blob []byte, signatureFile string, keys []*bundle.PublicKey) error {
	signature, err := bundle.ReadSignature(signatureFile)
	if errors.Is(err, os.ErrNotExist) {
		return &bundle.NotSigned{What: path, Why: "there is no signature " + signatureFile}
	}
	if err != nil {
		return err
	}
	if !bundle.VerifiedBy(keys, blob, signature) {
		return &bundle.NotSigned{What: path, Why: "the signature " + signatureFile + " is not that of its bytes by the key"}
	}
	return nil
}

func isBundle(path string) bool {
	return strings.HasSuffix(path, ".tgz") || strings.HasSuffix(path, ".tar.gz")
}

// treeRules are the folders of rules in the trees that are scanned; a link is none.
func treeRules(sources []string) []string {
	var found []string
	for _, source := range sources {
		if source == "-" {
			continue
		}
		folder := source
		if !isDirectory(source) {
			folder = filepath.Dir(source)
		}
		path := folder
		plain := true
		for _, part := range []string{".coaming", "rules"} {
			path = filepath.Join(path, part)
			info, err := os.Lstat(path)
			plain = plain && err == nil && info.IsDir()
		}
		if plain {
			found = append(found, path)
		}
	}
	return found
}

// registryTimeout is how long a registry may take to begin an answer.
const registryTimeout = 30 * time.Second

func artefactRegistry(env *Env, artefact bundle.Artefact) *bundle.Registry {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: registryTimeout, TLSHandshakeTimeout: registryTimeout, ForceAttemptHTTP2: true,
	}
	return &bundle.Registry{Artefact: artefact, Transport: transport, UserAgent: "coaming/" + env.Version}
}
