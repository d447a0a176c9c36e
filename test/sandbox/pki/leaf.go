package pki

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"time"
)

// Leaf describes a certificate that signs nothing itself. Kubernetes reads CommonName as the user and Organizations as its groups.
type Leaf struct {
	CommonName    string
	Organizations []string
	// DNSNames and IPs make it a serving certificate; without either it is a client certificate.
	DNSNames []string
	IPs      []net.IP

	NotBefore time.Time
	NotAfter  time.Time
}

// leafLife outlasts any sandbox a person forgets.
const leafLife = 30 * 24 * time.Hour

// Valid returns the leaf with a life around now.
func (l Leaf) Valid(now time.Time) Leaf {
	l.NotBefore, l.NotAfter = now.Add(-time.Hour), now.Add(leafLife)
	return l
}

// Expired returns the leaf with a life that ended an hour before now.
func (l Leaf) Expired(now time.Time) Leaf {
	l.NotBefore, l.NotAfter = now.Add(-2*time.Hour), now.Add(-time.Hour)
	return l
}

func (l Leaf) template() (*x509.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	usage := x509.ExtKeyUsageClientAuth
	if len(l.DNSNames)+len(l.IPs) > 0 {
		usage = x509.ExtKeyUsageServerAuth
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: l.CommonName, Organization: l.Organizations},
		DNSNames:     l.DNSNames,
		IPAddresses:  l.IPs,
		NotBefore:    l.NotBefore,
		NotAfter:     l.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{usage},
	}, nil
}
