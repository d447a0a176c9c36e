package registry

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// Config is what docker, podman and their like have stored (config.json, auth.json), or a pull secret holds.
type Config struct {
	entries  []configEntry // the most particular first
	helpers  map[string]string
	standard string // the helper of every other registry
	run      func(helper, registry string) (Credential, error)
}

type configEntry struct {
	host       string // may hold * for one part of a name
	path       string
	credential Credential
}

type storedAuth struct {
	Auth          string `json:"auth"`
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

// ReadConfig reads a docker config file. Helpers that it names are run when a registry of theirs is asked.
func ReadConfig(file string) (*Config, error) {
	text, err := readSettings(file)
	if err != nil {
		return nil, fmt.Errorf("read credentials: %w", err)
	}
	c, err := ParseConfigJSON(text)
	if err != nil {
		return nil, fmt.Errorf("read credentials %s: %w", file, err)
	}
	c.run = runHelper
	return c, nil
}

// ParseConfigJSON reads the text of a docker config file, or of a pull secret of type
// kubernetes.io/dockerconfigjson. No helper of it is run.
func ParseConfigJSON(text []byte) (*Config, error) {
	var doc struct {
		Auths       map[string]*storedAuth `json:"auths"`
		CredHelpers map[string]string      `json:"credHelpers"`
		CredsStore  string                 `json:"credsStore"`
	}
	if json.Unmarshal(text, &doc) != nil { // whose error may repeat what it read
		return nil, errNoConfig("it is no docker config file (JSON with auths)")
	}
	c, err := newConfig(doc.Auths)
	if err != nil {
		return nil, err
	}
	c.helpers, c.standard = map[string]string{}, doc.CredsStore
	for registry, helper := range doc.CredHelpers {
		c.helpers[canonical(registry)] = helper
	}
	return c, nil
}

// ParseConfig reads the text of a pull secret of type kubernetes.io/dockercfg, the older form.
func ParseConfig(text []byte) (*Config, error) {
	var auths map[string]*storedAuth
	if json.Unmarshal(text, &auths) != nil {
		return nil, errNoConfig("it is no dockercfg (JSON by registry)")
	}
	return newConfig(auths)
}

// The types of secrets that hold credentials for registries.
const (
	DockerConfigJSON = "kubernetes.io/dockerconfigjson"
	DockerConfig     = "kubernetes.io/dockercfg"
)

// ParsePullSecret reads what a secret of one of these types holds (its only value, decoded from base64).
func ParsePullSecret(kind string, text []byte) (*Config, error) {
	switch kind {
	case DockerConfigJSON:
		return ParseConfigJSON(text)
	case DockerConfig:
		return ParseConfig(text)
	}
	return nil, fmt.Errorf("a secret of type %.100q holds no credentials for registries", kind)
}

func errNoConfig(why string) error {
	return &verdict.RemedyError{Err: errors.New(why), Remedy: "Give what 'docker login' writes to config.json."}
}

func newConfig(auths map[string]*storedAuth) (*Config, error) {
	c := &Config{}
	var errs []error
	for key, stored := range auths {
		if stored == nil {
			continue
		}
		credential, err := stored.credential()
		if err != nil {
			errs = append(errs, fmt.Errorf("the entry of %.100s: %w", key, err))
			continue
		}
		if credential.empty() {
			continue // a helper keeps it
		}
		host, at, _ := strings.Cut(stripped(key), "/")
		if slices.Contains([]string{"v1", "v2"}, strings.Trim(at, "/")) {
			at = "" // https://registry.example/v1/
		}
		c.entries = append(c.entries, configEntry{canonical(host), strings.Trim(at, "/"), credential})
	}
	slices.SortFunc(c.entries, func(a, b configEntry) int {
		return cmp.Or(cmp.Compare(len(b.path), len(a.path)), cmp.Compare(strings.Count(a.host, "*"), strings.Count(b.host, "*")),
			cmp.Compare(len(b.host), len(a.host)), cmp.Compare(a.host, b.host), cmp.Compare(a.path, b.path))
	})
	return c, errors.Join(errs...)
}

func (s *storedAuth) credential() (Credential, error) {
	c := Credential{username: s.Username, password: s.Password, identity: s.IdentityToken, bearer: s.RegistryToken}
	if s.Auth == "" {
		return c, nil
	}
	raw, err := base64.StdEncoding.DecodeString(s.Auth)
	if err != nil {
		raw, err = base64.RawStdEncoding.DecodeString(s.Auth)
	}
	name, password, ok := strings.Cut(strings.TrimRight(string(raw), "\x00"), ":")
	if err != nil || !ok {
		return c, errors.New("auth is no base64 of a name, a colon and a password")
	}
	if c.username, c.password = name, password; name == "<token>" {
		c.username, c.password, c.identity = "", "", cmp.Or(c.identity, password)
	}
	return c, nil
}

// stripped is an address without its scheme.
func stripped(address string) string {
	return strings.TrimPrefix(strings.TrimPrefix(address, "https://"), "http://")
}

// canonical is the one name of a registry: that of docker.io has several.
func canonical(registry string) string {
	host, _, _ := strings.Cut(stripped(registry), "/")
	host = strings.ToLower(host)
	switch host {
	case "index.docker.io", "registry-1.docker.io", "docker.io":
		return "docker.io"
	}
	return host
}

// Find gives the entries for a repository, the most particular first (as kubelet does with pull secrets), or what a
// helper keeps for its registry.
func (c *Config) Find(repository string) ([]Credential, error) {
	host, at, _ := strings.Cut(repository, "/")
	var list []Credential
	for _, e := range c.entries {
		if hostMatches(e.host, host) && (e.path == "" || at == e.path || strings.HasPrefix(at, e.path+"/")) {
			list = append(list, e.credential)
		}
	}
	helper := cmp.Or(c.helpers[host], c.standard)
	if c.helpers[host] == "" && len(list) > 0 || helper == "" || c.run == nil {
		return list, nil
	}
	asked := host
	if host == "docker.io" {
		asked = "https://index.docker.io/v1/"
	}
	kept, err := c.run(helper, asked)
	if err != nil || kept.empty() {
		return list, err
	}
	return append([]Credential{kept}, list...), nil
}

// hostMatches compares part by part: a * stands for one part or some of it (kubernetes.io/docs, "Config.json").
func hostMatches(pattern, host string) bool {
	if pattern == host {
		return true
	}
	split := func(s string) (string, string) {
		if name, port, err := net.SplitHostPort(s); err == nil {
			return name, port
		}
		return s, ""
	}
	wantName, wantPort := split(pattern)
	name, port := split(host)
	want, parts := strings.Split(wantName, "."), strings.Split(name, ".")
	if wantPort != port || len(want) != len(parts) {
		return false
	}
	for i := range want {
		if ok, err := path.Match(want[i], parts[i]); err != nil || !ok {
			return false
		}
	}
	return true
}
