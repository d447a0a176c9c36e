package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/bundle"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/internal/workbench"
)

func builtInIDs() (map[string]string, error) {
	rules, err := catalog.Brief()
	return idsOf(rules), err
}

// idsOf are the ids of built-in rules, as workbench.Read wants them.
func idsOf(builtIn []*rule.Rule) map[string]string {
	taken := make(map[string]string, len(builtIn))
	for _, r := range builtIn {
		taken[r.ID] = "a built-in rule"
	}
	return taken
}

func ruleBundleCommand(env *Env) *cobra.Command {
	name, version, output := "", "", ""
	cmd := &cobra.Command{
		Use:   "bundle DIR -o FILE.tgz",
		Short: "Pack a folder of rules into one file; the same rules give the same bytes",
		Example: `  coaming rule bundle our-rules/ -o our-rules.tgz --version 1.4.0
  coaming rule sign our-rules.tgz --key rules.key`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if !isBundle(output) {
				return &verdict.RemedyError{Err: fmt.Errorf("-o %q names no bundle", output), Remedy: "Name a file that ends in .tgz: -o our-rules.tgz."}
			}
			if name == "" {
				name = strings.TrimSuffix(strings.TrimSuffix(filepath.Base(output), ".tgz"), ".tar.gz")
			}
			return packRules(env, args[0], name, version, output)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&output, "output", "o", "", "write the bundle to this `FILE`")
	flags.StringVar(&name, "name", "", "the bundle's `NAME`; otherwise the file's")
	flags.StringVar(&version, "version", "0", "the bundle's `VERSION`")
	return cmd
}

// packRules packs what has been read as rules: a bundle holds no fault that loading would find.
func packRules(env *Env, folder, name, version, output string) error {
	if err := bundle.CheckName(name, version); err != nil {
		return &verdict.RemedyError{Err: err, Remedy: "Say --name and --version."}
	}
	files, err := bundle.ReadFolder(folder)
	if err != nil {
		return err
	}
	taken, err := builtInIDs()
	if err != nil {
		return err
	}
	if _, err := workbench.Read(files, taken); err != nil {
		return err
	}
	packed := make([]rule.File, 0, len(files))
	for _, f := range files {
		inside, err := filepath.Rel(folder, f.Name)
		if err != nil || inside == "." {
			inside = filepath.Base(f.Name) // the one file that was named
		}
		packed = append(packed, rule.File{Name: filepath.ToSlash(inside), Text: f.Text})
	}
	blob, err := bundle.Write(name, version, packed)
	if err != nil {
		return err
	}
	if err := os.WriteFile(output, blob, 0o644); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	_, _ = fmt.Fprintf(env.Stderr, "%s %s: %s in %s\n", name, version, counted(len(files), "rule file"), output)
	return nil
}

// readBundle reads a bundle's file and holds it to its manifest.
func readBundle(path string) ([]byte, error) {
	blob, err := bundle.ReadFile(path)
	if err != nil {
		return nil, err
	}
	_, _, err = bundle.Read(blob, path)
	return blob, err
}

func ruleSignCommand(env *Env) *cobra.Command {
	key, output := "", ""
	cmd := &cobra.Command{
		Use:   "sign FILE.tgz --key KEY",
		Short: "Sign a bundle, as 'cosign sign-blob --key' does",
		Long: `Sign a bundle with an ECDSA P-256 or Ed25519 key in PEM, as 'cosign sign-blob --key' does; 'cosign verify-blob --key' accepts the signature.
The signature is written beside the bundle, FILE.tgz.sig, where 'coaming scan --rules FILE.tgz' looks for it.`,
		Example: `  openssl genpkey -algorithm ed25519 -out rules.key
  openssl pkey -in rules.key -pubout -out rules.pub
  coaming rule sign our-rules.tgz --key rules.key
  coaming scan --rules our-rules.tgz --rules-key rules.pub deploy/`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			blob, err := readBundle(args[0])
			if err != nil {
				return err
			}
			signature, err := signBlob(key, blob)
			if err != nil {
				return err
			}
			if output == "" {
				output = args[0] + ".sig"
			}
			if err := os.WriteFile(output, []byte(signature+"\n"), 0o644); err != nil {
				return fmt.Errorf("write signature: %w", err)
			}
			_, _ = fmt.Fprintf(env.Stderr, "signature in %s\n", output)
			return nil
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "the private key, in PEM without a passphrase: `FILE`")
	cmd.Flags().StringVarP(&output, "output", "o", "", "write the signature to this `FILE`")
	return cmd
}

func signBlob(keyFile string, blob []byte) (string, error) {
	if keyFile == "" {
		return "", &verdict.RemedyError{Err: errors.New("no key to sign with"), Remedy: "Name one with --key KEY."}
	}
	key, err := bundle.ReadPrivateKey(keyFile)
	if err != nil {
		return "", err
	}
	return key.Sign(blob)
}

func ruleVerifyCommand(env *Env) *cobra.Command {
	var keys []string
	signature := ""
	cmd := &cobra.Command{
		Use:   "verify FILE.tgz|oci://REGISTRY/NAME@sha256:DIGEST --key KEY.pub",
		Short: "Verify a bundle and who signed it",
		Long: `Verify that a bundle is whole and that the key signed it, as 'cosign verify-blob --key' does for a file and 'cosign verify --key' for a registry.
Exit codes: 0 it is signed by the key; 1 it is not; 2 wrong usage, or no bundle.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f := &customFlags{keys: keys}
			public, err := f.readKeys()
			if err != nil {
				return err
			}
			if len(public) == 0 {
				return &verdict.RemedyError{Err: errors.New("no key to verify with"), Remedy: "Name one with --key KEY.pub."}
			}
			var blob []byte
			if strings.HasPrefix(args[0], bundle.Scheme) {
				blob, err = artefactRegistry(env, bundle.Rules).Pull(cmd.Context(), args[0], public)
			} else if blob, err = bundle.ReadFile(args[0]); err == nil {
				if signature == "" {
					signature = args[0] + ".sig"
				}
				err = verifyFile(args[0], blob, signature, public)
			}
			if bad, ok := errors.AsType[*bundle.NotSigned](err); ok {
				_, _ = fmt.Fprintln(env.Stderr, bad)
				return exitError(verdict.ExitFindings)
			}
			if err != nil {
				return err
			}
			m, files, err := bundle.Read(blob, args[0])
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintf(env.Stdout, "%s %s, %s: signed by the key\n", m.Name, m.Version, counted(len(files), "rule file"))
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&keys, "key", nil, "the public key, in PEM: `FILE`; of several any one")
	cmd.Flags().StringVar(&signature, "signature", "", "the signature's `FILE`; otherwise FILE.tgz.sig")
	return cmd
}

func rulePushCommand(env *Env) *cobra.Command {
	file, key := "", ""
	cmd := &cobra.Command{
		Use:   "push REGISTRY/NAME:TAG --bundle FILE.tgz",
		Short: "Store a bundle in a registry, signed as 'cosign sign --key' does",
		Long: `Store a bundle in a registry as an OCI artefact, with the credentials that docker login has stored, and print its name with its digest.
With --key it is signed as 'cosign sign --key' does; 'cosign verify --key' accepts the signature.`,
		Example: `  coaming rule push registry.example.com/rules:1.4.0 --bundle our-rules.tgz --key rules.key
  coaming scan --rules oci://registry.example.com/rules@sha256:... --rules-key rules.pub deploy/`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if file == "" {
				return &verdict.RemedyError{Err: errors.New("no bundle to push"), Remedy: "Name one with --bundle FILE.tgz, which 'coaming rule bundle' makes."}
			}
			blob, err := readBundle(file)
			if err != nil {
				return err
			}
			var private *bundle.PrivateKey
			if key != "" {
				if private, err = bundle.ReadPrivateKey(key); err != nil {
					return err
				}
			}
			named, err := artefactRegistry(env, bundle.Rules).Push(cmd.Context(), args[0], blob, private)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(env.Stdout, named)
			return err
		},
	}
	cmd.Flags().StringVar(&file, "bundle", "", "the bundle's `FILE`")
	cmd.Flags().StringVar(&key, "key", "", "sign with this private key, in PEM without a passphrase: `FILE`")
	return cmd
}
