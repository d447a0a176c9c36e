package registry

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/coaming/coaming/internal/verdict"
)

// Hosts are the registries that are not simply asked by their name, each by that name; "*" is every other one.
type Hosts map[string]*Host

// Host is how one registry, or one mirror, is asked.
type Host struct {
	// Name is the host with its port, and behind a slash a path that stands before the names of repositories.
	Name string `json:"-"`
	// Mirrors are asked first, in their order: the name of a host each, with a path where they have one.
	Mirrors []string `json:"mirrors,omitempty"`
	// Insecure allows plain HTTP. A host on this machine (localhost, 127.0.0.1) is allowed it anyway.
	Insecure bool `json:"insecure,omitempty"`
	// SkipVerify takes any certificate.
	SkipVerify bool `json:"skipVerify,omitempty"`
	// CA is a file of certificates (PEM) that are trusted beside the system's.
	CA string `json:"ca,omitempty"`
	// Certificate and Key are files (PEM) by which the client says who it is.
	Certificate string `json:"certificate,omitempty"`
	Key         string `json:"key,omitempty"`

	namespace string // containerd's mirrors are told which registry they stand for; "*" is the one that is asked
	rooted    bool   // its path is the whole of what stands before the names of repositories, "/v2" included
	only      bool   // the registry itself is not asked behind its mirrors
}

// maxSettings bounds the files that are read here.
const maxSettings = 4 << 20

// ReadHosts reads a file of registries (YAML or JSON): {"registries": {"docker.io": {"mirrors": ["mirror.example/hub"]}}}.
// Files that it names are relative to it.
func ReadHosts(file string) (Hosts, error) {
	text, err := readSettings(file)
	if err != nil {
		return nil, err
	}
	h, err := parseHosts(text)
	if err != nil {
		return nil, &verdict.RemedyError{
			Err:    fmt.Errorf("read registries %s: %w", file, err),
			Remedy: "Each registry under 'registries' may have mirrors, insecure, skipVerify, ca, certificate and key.",
		}
	}
	for _, host := range h {
		for _, path := range []*string{&host.CA, &host.Certificate, &host.Key} {
			if *path != "" && !filepath.IsAbs(*path) {
				*path = filepath.Join(filepath.Dir(file), *path)
			}
		}
	}
	return h, nil
}

func parseHosts(text []byte) (Hosts, error) {
	var doc struct {
		Registries Hosts `json:"registries"`
	}
	raw, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	var errs []error
	for name, h := range doc.Registries {
		if h == nil {
			h = &Host{}
			doc.Registries[name] = h
		}
		h.Name = name
		for _, word := range append([]string{name}, h.Mirrors...) {
			if word != "*" && !isHost(word) {
				errs = append(errs, fmt.Errorf("%.100q is no host like registry.example:5000", word))
			}
		}
		if (h.Certificate == "") != (h.Key == "") {
			errs = append(errs, fmt.Errorf("%s: certificate and key go together", name))
		}
	}
	return doc.Registries, errors.Join(errs...)
}

// isHost says whether a word is a host, perhaps with a port and a path.
func isHost(word string) bool {
	host, _, _ := strings.Cut(word, "/")
	return host != "" && !strings.ContainsAny(word, "@?#%\\ \t\r\n\"'<>{}|^`") && !strings.HasPrefix(word, "-") && !strings.Contains(word, "//")
}

func readSettings(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	text, err := io.ReadAll(io.LimitReader(f, maxSettings+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxSettings {
		return nil, fmt.Errorf("read %s: it has more than %d bytes", file, maxSettings)
	}
	return text, nil
}

// of are the hosts to ask for what stands in a registry, in order: its mirrors, then itself.
func (h Hosts) of(registry string) []*Host {
	scope := registry
	found := h[registry]
	if found == nil {
		scope, found = "*", h["*"]
	}
	if found == nil {
		found = &Host{}
	}
	own := *found
	own.Name = registry
	var list []*Host
	for _, mirror := range own.Mirrors {
		host, _, _ := strings.Cut(mirror, "/")
		m := Host{}
		for _, key := range []string{scope + " " + mirror, mirror, host} { // the first as this registry's own settings have it
			if there := h[key]; there != nil {
				m = *there
				break
			}
		}
		m.Name = mirror
		if m.namespace == "*" {
			m.namespace = registry
		}
		list = append(list, &m)
	}
	if own.only && len(list) > 0 {
		return list
	}
	return append(list, &own)
}

// tls is how a host's certificate is judged, and what it is shown.
func (h *Host) tls() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: h.SkipVerify} //nolint:gosec // where the settings ask for it by name
	if h.CA != "" {
		text, err := readSettings(h.CA)
		if err != nil {
			return nil, fmt.Errorf("read the authority of registry %s: %w", h.Name, err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("read the authority of registry %s: %s holds no certificate in PEM", h.Name, h.CA)
		}
		c.RootCAs = pool
	}
	if h.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(h.Certificate, h.Key)
		if err != nil {
			return nil, fmt.Errorf("read the client's certificate for registry %s: %w", h.Name, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// Insecure are the hosts with those allowed plain HTTP and any certificate that are named beside them.
func (h Hosts) Insecure(names []string) Hosts {
	all := Hosts{}
	maps.Copy(all, h)
	for _, name := range names {
		other := Host{}
		if there := all[name]; there != nil {
			other = *there
		}
		other.Name, other.Insecure, other.SkipVerify = name, true, true
		all[name] = &other
	}
	return all
}
