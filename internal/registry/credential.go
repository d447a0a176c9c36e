package registry

import (
	"encoding/base64"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

// Keychain finds who may read a repository, named as REGISTRY/NAME. Several answers are tried in their order.
type Keychain interface {
	Find(repository string) ([]Credential, error)
}

// Credential says who asks. It never prints what it holds.
type Credential struct {
	username, password string
	identity           string // a token that the token server exchanges
	bearer             string // a token that the registry takes as it is
}

// Password is the credential of a name and a password.
func Password(username, password string) Credential {
	return Credential{username: username, password: password}
}

// String keeps the credential out of every print.
func (Credential) String() string { return "[credential]" }

// GoString does, too.
func (Credential) GoString() string { return "[credential]" }

func (c Credential) empty() bool { return c == Credential{} }

func (c Credential) authenticator() authn.Authenticator {
	return authn.FromConfig(authn.AuthConfig{Username: c.username, Password: c.password, IdentityToken: c.identity, RegistryToken: c.bearer})
}

// secrets are the words that no message may hold.
func (c Credential) secrets() []string {
	var list []string
	for _, w := range []string{c.password, c.identity, c.bearer, base64.StdEncoding.EncodeToString([]byte(c.username + ":" + c.password))} {
		if len(w) > 3 {
			list = append(list, w)
		}
	}
	return list
}

// Keychains are asked one after the other, and all that they find counts.
type Keychains []Keychain

// Find asks all of them.
func (k Keychains) Find(repository string) ([]Credential, error) {
	var list []Credential
	for _, one := range k {
		found, err := one.Find(repository)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	return list, nil
}

// For is the credential of one registry and no other.
type For struct {
	Registry   string
	Credential Credential
}

// Find gives the credential where its registry is asked.
func (f For) Find(repository string) ([]Credential, error) {
	host, _, _ := strings.Cut(repository, "/")
	if host != canonical(f.Registry) {
		return nil, nil
	}
	return []Credential{f.Credential}, nil
}
