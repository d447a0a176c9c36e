package pki

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func TestSign(t *testing.T) {
	ca := newAuthority(t)
	tests := map[string]struct {
		leaf  Leaf
		usage x509.ExtKeyUsage
		valid bool
	}{
		"client": {
			leaf:  Leaf{CommonName: "alice", Organizations: []string{"dev", "ops"}}.Valid(now),
			usage: x509.ExtKeyUsageClientAuth,
			valid: true,
		},
		"expired client": {
			leaf:  Leaf{CommonName: "bob"}.Expired(now),
			usage: x509.ExtKeyUsageClientAuth,
		},
		"server": {
			leaf:  Leaf{CommonName: "api", DNSNames: []string{"localhost"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}}.Valid(now),
			usage: x509.ExtKeyUsageServerAuth,
			valid: true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			pair, err := ca.Sign(test.leaf)
			if err != nil {
				t.Fatal(err)
			}
			cert := parse(t, pair.Cert)
			if cert.Subject.CommonName != test.leaf.CommonName || !slices.Equal(cert.Subject.Organization, test.leaf.Organizations) {
				t.Errorf("subject is %v", cert.Subject)
			}
			if cert.IsCA {
				t.Error("a leaf may sign")
			}
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(ca.CertPEM())
			_, err = cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{test.usage}})
			if (err == nil) != test.valid {
				t.Errorf("verify now: %v, want valid %t", err, test.valid)
			}
			// Expired is the only thing that may be wrong with it.
			_, err = cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: cert.NotAfter, KeyUsages: []x509.ExtKeyUsage{test.usage}})
			if err != nil {
				t.Errorf("verify at its last moment: %v", err)
			}
			for _, host := range append(test.leaf.DNSNames, ipStrings(test.leaf.IPs)...) {
				if err := cert.VerifyHostname(host); err != nil {
					t.Errorf("verify host name: %v", err)
				}
			}
		})
	}
}

func TestReadAuthority(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ca")
	ca := newAuthority(t)
	if err := ca.Pair().Write(path); err != nil {
		t.Fatal(err)
	}
	again, err := ReadAuthority(path)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := again.Sign(Leaf{CommonName: "carol"}.Valid(now))
	if err != nil {
		t.Fatal(err)
	}
	if err := parse(t, pair.Cert).CheckSignatureFrom(ca.cert); err != nil {
		t.Errorf("an authority read from its files signs differently: %v", err)
	}
	info, err := os.Stat(path + ".key")
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("key file has mode %v", info.Mode())
	}
}

func TestReadAuthorityRefusesLeaf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leaf")
	pair, err := newAuthority(t).Sign(Leaf{CommonName: "mallory"}.Valid(now))
	if err != nil {
		t.Fatal(err)
	}
	if err := pair.Write(path); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadAuthority(path); err == nil {
		t.Error("a leaf was taken for an authority")
	}
}

func TestWriteSigningKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	if err := WriteSigningKey(path); err != nil {
		t.Fatal(err)
	}
	private, err := x509.ParseECPrivateKey(decode(t, read(t, path+".key")))
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.ParsePKIXPublicKey(decode(t, read(t, path+".pub")))
	if err != nil {
		t.Fatal(err)
	}
	if !private.PublicKey.Equal(public) {
		t.Error("the two files hold different keys")
	}
}

func newAuthority(t *testing.T) *Authority {
	t.Helper()
	ca, err := NewAuthority("test", now)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func parse(t *testing.T, data []byte) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(decode(t, data))
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func decode(t *testing.T, data []byte) []byte {
	t.Helper()
	block, rest := pem.Decode(data)
	if block == nil || len(rest) > 0 {
		t.Fatalf("not one PEM block: %q", data)
	}
	return block.Bytes
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func ipStrings(ips []net.IP) []string {
	var all []string
	for _, ip := range ips {
		all = append(all, ip.String())
	}
	return all
}
