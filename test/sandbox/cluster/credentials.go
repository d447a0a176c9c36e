package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/coaming/coaming/test/sandbox/kubeconfig"
	"github.com/coaming/coaming/test/sandbox/pki"
)

// The names of the credentials in the directory pki, without their extensions.
const (
	caName            = "ca"
	servingName       = "apiserver"
	proxyCAName       = "front-proxy-ca"
	proxyClientName   = "front-proxy-client"
	tokenKeyName      = "service-account"
	adminKubeconfig   = "kubeconfig" // in the sandbox's directory itself, where a person looks first
	managerKubeconfig = pkiDir + "/controller-manager.kubeconfig"
)

var (
	admin             = User{Name: "sandbox-admin", Groups: []string{"system:masters"}}
	controllerManager = User{Name: "system:kube-controller-manager"}
)

// User is somebody who shows a client certificate to the API server.
type User struct {
	Name   string
	Groups []string
	// Expired makes a certificate whose life is over, which the API server answers with 401.
	Expired bool
}

// leaf is the user's certificate before it is signed.
func (u User) leaf(now time.Time) pki.Leaf {
	leaf := pki.Leaf{CommonName: u.Name, Organizations: u.Groups}
	if u.Expired {
		return leaf.Expired(now)
	}
	return leaf.Valid(now)
}

// Kubeconfig signs a client certificate for a user of the sandbox that runs in dir.
func Kubeconfig(dir string, user User, now time.Time) ([]byte, error) {
	if user.Name == "" {
		return nil, errors.New("make kubeconfig: the user has no name")
	}
	info, err := ReadInfo(dir)
	if err != nil {
		return nil, err
	}
	ca, err := pki.ReadAuthority(filepath.Join(dir, pkiDir, caName))
	if err != nil {
		return nil, err
	}
	return newKubeconfig(ca, info.Server, user, now)
}

func newKubeconfig(ca *pki.Authority, server string, user User, now time.Time) ([]byte, error) {
	client, err := ca.Sign(user.leaf(now))
	if err != nil {
		return nil, err
	}
	return kubeconfig.New(server, ca.CertPEM(), user.Name, client)
}

// writeCredentials fills dir with all that the components and the administrator need to trust each other.
func writeCredentials(dir, server string, now time.Time) (*pki.Authority, error) {
	at := func(name string) string { return filepath.Join(dir, pkiDir, name) }
	ca, err := pki.NewAuthority("sandbox", now)
	if err != nil {
		return nil, err
	}
	proxyCA, err := pki.NewAuthority("sandbox-front-proxy", now)
	if err != nil {
		return nil, err
	}
	serving, err := ca.Sign(pki.Leaf{
		CommonName: "kube-apiserver",
		DNSNames: []string{
			"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		},
		IPs: []net.IP{net.ParseIP(loopback), net.ParseIP(serviceIP)},
	}.Valid(now))
	if err != nil {
		return nil, err
	}
	proxyClient, err := proxyCA.Sign(pki.Leaf{CommonName: proxyClientName}.Valid(now))
	if err != nil {
		return nil, err
	}
	for name, pair := range map[string]pki.Pair{
		caName: ca.Pair(), proxyCAName: proxyCA.Pair(), servingName: serving, proxyClientName: proxyClient,
	} {
		if err := pair.Write(at(name)); err != nil {
			return nil, err
		}
	}
	if err := pki.WriteSigningKey(at(tokenKeyName)); err != nil {
		return nil, err
	}
	for path, user := range map[string]User{adminKubeconfig: admin, managerKubeconfig: controllerManager} {
		data, err := newKubeconfig(ca, server, user, now)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, path), data, 0o600); err != nil {
			return nil, fmt.Errorf("write kubeconfig: %w", err)
		}
	}
	return ca, nil
}

// adminClient asks the API server as its administrator.
func adminClient(ca *pki.Authority, now time.Time) (*http.Client, error) {
	pair, err := ca.Sign(admin.leaf(now))
	if err != nil {
		return nil, err
	}
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		return nil, fmt.Errorf("parse certificate of %s: %w", admin.Name, err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(ca.CertPEM())
	return &http.Client{
		Timeout: 2 * time.Second,
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: trusted},
		},
	}, nil
}
