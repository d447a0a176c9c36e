package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/coaming/coaming/internal/image"
	"github.com/coaming/coaming/internal/registry"
)

// registryFlags say how registries are asked. Every command that may ask one has them.
type registryFlags struct {
	config        string
	hosts         string
	insecure      []string
	authFile      string
	username      string
	passwordStdin bool
}

func (o *registryFlags) add(flags *pflag.FlagSet) {
	o.addFiles(flags)
	flags.StringVar(&o.username, "username", "", "log in to the registry of the image by this `NAME`, with --password-stdin")
	flags.BoolVar(&o.passwordStdin, "password-stdin", false, "read the password from standard input")
}

// addFiles adds those that name files, for commands that ask registries as long as they run.
func (o *registryFlags) addFiles(flags *pflag.FlagSet) {
	flags.StringVar(&o.config, "registry-config", "", "read mirrors, insecure registries, authorities and client certificates from this `FILE`")
	flags.StringVar(&o.hosts, "registry-hosts", "", "read them from this `DIR` as containerd does (/etc/containerd/certs.d)")
	flags.StringSliceVar(&o.insecure, "insecure-registry", nil, "ask these `HOSTS` over plain HTTP where they do not speak TLS, and take any certificate")
	flags.StringVar(&o.authFile, "auth-file", "", "take credentials from this docker config `FILE` (default $DOCKER_CONFIG/config.json or ~/.docker/config.json)")
}

// check reports what is wrong with the flags by themselves; words are the images that the command was given.
func (o *registryFlags) check(words []string) []error {
	var errs []error
	if o.passwordStdin != (o.username != "") {
		errs = append(errs, errors.New("--username and --password-stdin go together"))
	}
	if o.config != "" && o.hosts != "" {
		errs = append(errs, errors.New("--registry-config and --registry-hosts: give one of them"))
	}
	asked := map[string]bool{}
	for _, w := range words {
		if image.AsksRegistry(w) {
			asked[registryOf(w)] = true
		}
	}
	if o.username != "" && len(asked) != 1 {
		errs = append(errs, fmt.Errorf("--username: it is for one registry, and the images name %d", len(asked)))
	}
	if o.passwordStdin {
		for _, w := range words {
			if w == "-" {
				errs = append(errs, errors.New("--password-stdin: standard input is the image"))
			}
		}
	}
	return errs
}

func registryOf(word string) string {
	host, _, _ := strings.Cut(strings.TrimPrefix(word, "oci://"), "/")
	return host
}

// client is what asks the registries that the words name. Credentials are read when it is made, and only where one is asked.
func (o *registryFlags) client(env *Env, words []string) (*registry.Client, error) {
	c := &registry.Client{UserAgent: "coaming/" + env.Version, Proxy: http.ProxyFromEnvironment}
	asks := words == nil // images that are not known yet
	for _, w := range words {
		asks = asks || image.AsksRegistry(w)
	}
	if !asks {
		return c, nil
	}
	var err error
	switch {
	case o.config != "":
		c.Hosts, err = registry.ReadHosts(o.config)
	case o.hosts != "":
		c.Hosts, err = registry.ReadHostsDir(o.hosts)
	}
	if err != nil {
		return nil, err
	}
	c.Hosts = c.Hosts.Insecure(o.insecure)
	var keychain registry.Keychains
	if o.passwordStdin {
		password, err := readPassword(env.Stdin)
		if err != nil {
			return nil, err
		}
		for _, w := range words {
			if image.AsksRegistry(w) {
				keychain = append(keychain, registry.For{Registry: registryOf(w), Credential: registry.Password(o.username, password)})
				break
			}
		}
	} else {
		config, err := o.stored(env)
		if err != nil {
			return nil, err
		}
		if config != nil {
			keychain = append(keychain, config)
		}
	}
	c.Credentials = keychain
	return c, nil
}

// stored reads the credentials that stand in a file; nil where there is none and none was named.
func (o *registryFlags) stored(env *Env) (*registry.Config, error) {
	if o.authFile != "" {
		return registry.ReadConfig(o.authFile)
	}
	dir := env.Getenv("DOCKER_CONFIG")
	if home := env.Getenv("HOME"); dir == "" && home != "" {
		dir = filepath.Join(home, ".docker")
	}
	if dir == "" {
		return nil, nil
	}
	config, err := registry.ReadConfig(filepath.Join(dir, "config.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return config, err
}

func readPassword(in io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(in, 64<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", errors.New("--password-stdin: standard input is empty")
	}
	return line, nil
}
