package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/coaming/coaming/test/sandbox/kubeconfig"
	"github.com/coaming/coaming/test/sandbox/node"
	"github.com/coaming/coaming/test/sandbox/pki"
)

// The names of the credentials in the directory pki, without their extensions.
const (
	caName            = "ca"
	servingName       = "apiserver"
	proxyCAName       = "front-proxy-ca"
	proxyClientName   = "front-proxy-client"
	tokenKeyName      = "service-account"
	kubeletClientName = "kubelet-client"  // the API server's, to the kubelet
	kubeletName       = "kubelet-serving" // the kubelet's own
	adminKubeconfig   = "kubeconfig"      // in the sandbox's directory itself, where a person looks first
	managerKubeconfig = pkiDir + "/controller-manager.kubeconfig"
)

var (
	admin             = User{Name: "sandbox-admin", Groups: []string{"system:masters"}}
	controllerManager = User{Name: "system:kube-controller-manager"}

	// nodeUsers are those of a node's programs, by the path of their kubeconfig.
	nodeUsers = map[string]User{
		pkiDir + "/scheduler.kubeconfig":  {Name: "system:kube-scheduler"},
		pkiDir + "/kubelet.kubeconfig":    {Name: "system:node:" + node.Name, Groups: []string{"system:nodes"}},
		pkiDir + "/kube-proxy.kubeconfig": {Name: "system:kube-proxy"},
	}
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

// writeCredentials fills the directory with all that the components and the administrator need to trust each other.
func writeCredentials(config Config, info Info, now time.Time) (*pki.Authority, error) {
	at := func(name string) string { return filepath.Join(info.Dir, pkiDir, name) }
	ca, err := pki.NewAuthority("sandbox", now)
	if err != nil {
		return nil, err
	}
	proxyCA, err := pki.NewAuthority("sandbox-front-proxy", now)
	if err != nil {
		return nil, err
	}
	leaves := map[string]pki.Leaf{servingName: servingLeaf(config)}
	users := map[string]User{adminKubeconfig: admin, managerKubeconfig: controllerManager}
	if config.Node != nil {
		leaves[kubeletClientName] = pki.Leaf{CommonName: "kube-apiserver", Organizations: admin.Groups}
		leaves[kubeletName] = pki.Leaf{CommonName: "system:node:" + node.Name, Organizations: []string{"system:nodes"}, IPs: []net.IP{net.ParseIP(node.Address)}}
		maps.Copy(users, nodeUsers)
	}
	pairs := map[string]pki.Pair{caName: ca.Pair(), proxyCAName: proxyCA.Pair()}
	if pairs[proxyClientName], err = proxyCA.Sign(pki.Leaf{CommonName: proxyClientName}.Valid(now)); err != nil {
		return nil, err
	}
	for name, leaf := range leaves {
		if pairs[name], err = ca.Sign(leaf.Valid(now)); err != nil {
			return nil, err
		}
	}
	for name, pair := range pairs {
		if err := pair.Write(at(name)); err != nil {
			return nil, err
		}
	}
	if err := pki.WriteSigningKey(at(tokenKeyName)); err != nil {
		return nil, err
	}
	for path, user := range users {
		data, err := newKubeconfig(ca, info.Server, user, now)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(info.Dir, path), data, 0o600); err != nil {
			return nil, fmt.Errorf("write kubeconfig: %w", err)
		}
	}
	return ca, nil
}

// servingLeaf is the API server's, for every name and address that it is reached by.
func servingLeaf(config Config) pki.Leaf {
	leaf := pki.Leaf{
		CommonName: "kube-apiserver",
		DNSNames: []string{
			"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		},
		IPs: []net.IP{net.ParseIP(loopback), net.ParseIP(serviceIP)},
	}
	if config.Node != nil {
		leaf.IPs = append(leaf.IPs, net.ParseIP(node.Address))
	}
	return leaf
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
