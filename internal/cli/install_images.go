package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	"github.com/coaming/coaming/internal/bundle"
	"github.com/coaming/coaming/internal/install"
	"github.com/coaming/coaming/internal/registry"
	"github.com/coaming/coaming/internal/trust"
	"github.com/coaming/coaming/internal/verdict"
)

// installImages say with what the gate looks into images in its pods.
type installImages struct {
	pullSecrets []string
	authSecret  string
	registries  []string
	hosts       string
	workers     int
	trust       string
	claim       string
	indexImage  string
	from, key   string
}

func (f *installImages) register(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.pullSecrets, "pull-secret", nil, "the `SECRET` in "+install.Namespace+" with which nodes pull the gate's image; may be given several times")
	flags.StringVar(&f.authSecret, "registry-secret", "", "the `SECRET` (kubernetes.io/dockerconfigjson) in "+install.Namespace+" with which the gate asks registries for images")
	flags.StringSliceVar(&f.registries, "images-from-registry", nil, "have the gate ask these registries alone, `GLOBS` over REGISTRY/NAME")
	flags.StringVar(&f.hosts, "registry-config", "", "mirrors, authorities and other ways of asking registries: `FILE` (docs/images.md), with the authorities beside it that it names")
	flags.IntVar(&f.workers, "image-workers", 0, "have each replica look into so many images at a time (1)")
	flags.StringVar(&f.trust, "trust", "", "who must vouch for which images: a policy of trust, `FILE`, with the files beside it that it names (docs/trust.md)")
	flags.StringVar(&f.claim, "index-claim", "", "the PersistentVolumeClaim, by `NAME`, that holds the index of advisories")
	flags.StringVar(&f.indexImage, "index-image", "", "an `IMAGE`, by its digest, whose files hold the index of advisories: nodes mount it (Kubernetes 1.35)")
	flags.StringVar(&f.from, "index-from", "", "have the pods fetch the index of advisories, every day, from this `PLACE`: what 'coaming db update --from' takes")
	flags.StringVar(&f.key, "index-key", "", "with --index-from: the public key, in PEM, that must have signed it: `FILE`")
}

// given are the values that the flags name. All that is wrong with them is told at once.
func (f *installImages) given() (map[string]any, error) {
	var errs []error
	images, index := map[string]any{}, map[string]any{}
	if f.authSecret != "" {
		images["authSecret"] = f.authSecret
	}
	if len(f.registries) > 0 {
		images["registries"] = anyOf(f.registries)
	}
	if f.hosts != "" {
		text, files, err := hostValues(f.hosts)
		images["registryConfig"], images["registryFiles"], errs = text, files, append(errs, err)
	}
	if f.workers < 0 || f.workers > 64 {
		errs = append(errs, errors.New("--image-workers: want from 1 to 64"))
	} else if f.workers > 0 {
		images["workers"] = int64(f.workers)
	}
	if f.trust != "" {
		policy, err := trustValues(f.trust)
		images["trust"], errs = policy, append(errs, err)
	}
	errs = append(errs, f.index(index))
	if len(index) > 0 {
		images["index"] = index
	}
	values := map[string]any{}
	if len(images) > 0 {
		values["images"] = images
	}
	if len(f.pullSecrets) > 0 {
		values["image"] = map[string]any{"pullSecrets": anyOf(f.pullSecrets)}
	}
	return values, errors.Join(errs...)
}

// index are the values of where the index of advisories is.
func (f *installImages) index(values map[string]any) error {
	named := 0
	for _, place := range []string{f.claim, f.indexImage, f.from} {
		if place != "" {
			named++
		}
	}
	switch {
	case named == 0 && f.key == "":
		return nil
	case named != 1:
		return &verdict.RemedyError{Err: errors.New("the index of advisories is in one place"), Remedy: "Give one of --index-claim, --index-image and --index-from (with --index-key)."}
	case (f.from == "") != (f.key == ""):
		return &verdict.RemedyError{Err: errors.New("--index-from and --index-key go together"), Remedy: "Name the key that signed the index: who can change what is fetched could else hide vulnerabilities."}
	case f.indexImage != "" && !strings.Contains(f.indexImage, "@sha256:"):
		return &verdict.RemedyError{Err: fmt.Errorf("--index-image %q has no digest", f.indexImage), Remedy: "Append it: @sha256:…."}
	}
	switch {
	case f.claim != "":
		values["volume"] = map[string]any{"persistentVolumeClaim": map[string]any{"claimName": f.claim, "readOnly": true}}
	case f.indexImage != "":
		values["volume"] = map[string]any{"image": map[string]any{"reference": f.indexImage, "pullPolicy": "IfNotPresent"}}
	default:
		if _, err := bundle.ReadPublicKey(f.key); err != nil {
			return fmt.Errorf("--index-key: %w", err)
		}
		text, err := readBounded(f.key)
		if err != nil {
			return fmt.Errorf("--index-key: %w", err)
		}
		values["from"], values["key"] = f.from, text
	}
	return nil
}

// hostValues are a file of registries with the authorities that it names, by their paths below its folder. They go into a ConfigMap,
// which is no place for the key of a client's certificate.
func hostValues(file string) (text string, files map[string]any, err error) {
	if _, err := registry.ReadHosts(file); err != nil {
		return "", nil, fmt.Errorf("--registry-config: %w", err)
	}
	if text, err = readBounded(file); err != nil {
		return "", nil, fmt.Errorf("--registry-config: %w", err)
	}
	var config struct {
		Registries map[string]registry.Host `json:"registries"`
	}
	if err := yaml.Unmarshal([]byte(text), &config); err != nil {
		return "", nil, fmt.Errorf("--registry-config %s: %w", file, err)
	}
	files = map[string]any{}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(config.Registries)) {
		host := config.Registries[name]
		if host.Key != "" {
			errs = append(errs, &verdict.RemedyError{
				Err:    fmt.Errorf("--registry-config %s: %s is asked with a client's certificate, whose key would stand in a ConfigMap", file, name),
				Remedy: "Have the registry ask for credentials, and name them with --registry-secret.",
			})
		}
		if host.CA == "" {
			continue
		}
		if !filepath.IsLocal(host.CA) {
			errs = append(errs, &verdict.RemedyError{
				Err:    fmt.Errorf("--registry-config %s: the authority of %s, %s, is not below the folder of that file", file, name, host.CA),
				Remedy: "Put it there, and name it by its path from that folder: the pods have it there, too.",
			})
			continue
		}
		authority, err := readBounded(filepath.Join(filepath.Dir(file), host.CA))
		if err != nil {
			errs = append(errs, fmt.Errorf("--registry-config %s: read the authority of %s: %w", file, name, err))
		}
		files[filepath.ToSlash(filepath.Clean(host.CA))] = authority
	}
	return text, files, errors.Join(errs...)
}

// trustValues are a policy of trust with the files that it names, by their paths below its folder.
func trustValues(file string) (map[string]any, error) {
	if _, err := trust.LoadPolicy(file, trust.Options{}); err != nil {
		return nil, err
	}
	text, err := readBounded(file)
	if err != nil {
		return nil, fmt.Errorf("--trust: %w", err)
	}
	var policy struct {
		Signers map[string]any `json:"signers"`
	}
	if err := yaml.Unmarshal([]byte(text), &policy); err != nil {
		return nil, fmt.Errorf("--trust %s: %w", file, err)
	}
	files := map[string]any{}
	var errs []error
	for _, name := range textsIn(policy.Signers) {
		errs = append(errs, gatherFiles(filepath.Dir(file), name, files))
	}
	return map[string]any{"policy": text, "files": files}, errors.Join(errs...)
}

// textsIn are all texts in a value.
func textsIn(v any) []string {
	var list []string
	switch x := v.(type) {
	case string:
		return []string{x}
	case map[string]any:
		for _, item := range x {
			list = append(list, textsIn(item)...)
		}
	case []any:
		for _, item := range x {
			list = append(list, textsIn(item)...)
		}
	}
	return list
}

// gatherFiles adds the text of a file, or of all files of a folder, that a policy may name below its own folder; what is no such file
// is some other word of the policy.
func gatherFiles(dir, name string, files map[string]any) error {
	if !filepath.IsLocal(name) {
		return nil
	}
	root := filepath.Join(dir, name)
	if _, err := os.Stat(root); err != nil {
		return nil //nolint:nilerr // it is an issuer, or an identity
	}
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := readBounded(path)
		if err != nil {
			return fmt.Errorf("--trust: %w", err)
		}
		relative, err := filepath.Rel(dir, path)
		if err != nil {
			return fmt.Errorf("--trust: %w", err)
		}
		files[filepath.ToSlash(relative)] = text
		return nil
	})
}

func anyOf(list []string) []any {
	all := make([]any, 0, len(list))
	for _, item := range list {
		all = append(all, item)
	}
	return all
}
