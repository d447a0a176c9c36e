package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// ReadHostsDir reads the registries of containerd: a directory for each, named after it ("_default" is every other
// one), with a hosts.toml in it (containerd's docs/hosts.md).
func ReadHostsDir(dir string) (Hosts, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read registries: %w", err)
	}
	hosts := Hosts{}
	var errs []error
	for _, d := range list {
		file := filepath.Join(dir, d.Name(), "hosts.toml")
		text, err := readSettings(file)
		if errors.Is(err, fs.ErrNotExist) || !d.IsDir() {
			continue
		}
		if err == nil {
			err = parseHostsTOML(text, registryOfDir(d.Name()), filepath.Join(dir, d.Name()), hosts)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("read %s: %w", file, err))
		}
	}
	return hosts, errors.Join(errs...)
}

// registryOfDir undoes how containerd spells a port where a colon may not stand: HOST_PORT_.
func registryOfDir(name string) string {
	if name == "_default" {
		return "*"
	}
	if rest, ok := strings.CutSuffix(name, "_"); ok {
		if i := strings.LastIndexByte(rest, '_'); i > 0 {
			return rest[:i] + ":" + rest[i+1:]
		}
	}
	return name
}

// tomlHost is one host in a hosts.toml; what else may stand there says how to push, or is a header.
type tomlHost struct {
	Capabilities []string `toml:"capabilities"`
	CA           any      `toml:"ca"`
	Client       any      `toml:"client"`
	SkipVerify   bool     `toml:"skip_verify"`
	OverridePath bool     `toml:"override_path"`
}

func parseHostsTOML(text []byte, name, dir string, into Hosts) error {
	var doc struct {
		Server string              `toml:"server"`
		Host   map[string]tomlHost `toml:"host"`
		tomlHost
	}
	meta, err := toml.Decode(string(text), &doc)
	if err != nil {
		return err
	}
	own := &Host{Name: name}
	if err := doc.fill(own, dir); err != nil {
		return err
	}
	for _, key := range meta.Keys() { // in the order of the file, which maps lose
		if len(key) != 2 || key[0] != "host" {
			continue
		}
		h := doc.Host[key[1]]
		mirror, err := hostOfURL(key[1], name, h.OverridePath)
		if err != nil {
			return err
		}
		if len(h.Capabilities) > 0 && !pulls(h.Capabilities) {
			continue
		}
		if err := h.fill(mirror, dir); err != nil {
			return err
		}
		into[name+" "+mirror.Name] = mirror
		own.Mirrors = append(own.Mirrors, mirror.Name)
	}
	if doc.Server != "" {
		server, err := hostOfURL(doc.Server, name, doc.OverridePath)
		if err != nil {
			return err
		}
		if canonical(server.Name) != name && name != "*" {
			if err := doc.fill(server, dir); err != nil {
				return err
			}
			into[name+" "+server.Name] = server
			own.Mirrors, own.only = append(own.Mirrors, server.Name), true
		}
		own.Insecure = server.Insecure
	}
	into[name] = own
	return nil
}

func pulls(capabilities []string) bool {
	return slices.Contains(capabilities, "pull")
}

// hostOfURL is the host of "https://mirror.example:5000/v2/path", or of the host alone.
func hostOfURL(address, registry string, whole bool) (*Host, error) {
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%.100q is no address of a registry", address)
	}
	h := &Host{Name: u.Host, Insecure: u.Scheme == "http", rooted: whole}
	if path := strings.Trim(u.Path, "/"); path != "" && path != "v2" {
		h.Name += "/" + path
	}
	if registry != u.Host {
		h.namespace = registry
	}
	return h, nil
}

// fill takes what a host's certificates are. Each may be one file, a list of files or, for clients, of pairs.
func (t *tomlHost) fill(h *Host, dir string) error {
	at := func(v any) string {
		file, _ := v.(string)
		if file != "" && !filepath.IsAbs(file) {
			file = filepath.Join(dir, file)
		}
		return file
	}
	h.SkipVerify = t.SkipVerify
	switch ca := t.CA.(type) {
	case string:
		h.CA = at(ca)
	case []any:
		if len(ca) > 1 {
			return errors.New("several files under ca are not read: put the certificates into one")
		}
		for _, file := range ca {
			h.CA = at(file)
		}
	}
	switch client := t.Client.(type) {
	case string:
		h.Certificate = at(client)
		h.Key = h.Certificate
	case []any:
		if len(client) > 1 {
			return errors.New("several files under client are not read: one pair is")
		}
		for _, one := range client {
			switch pair := one.(type) {
			case string:
				h.Certificate = at(pair)
				h.Key = h.Certificate
			case []any:
				if len(pair) == 2 {
					h.Certificate, h.Key = at(pair[0]), at(pair[1])
				}
			}
		}
	}
	return nil
}
