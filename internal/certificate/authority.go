// Package certificate makes and keeps the certificates by which the API server knows the gate: an authority that may
// vouch for the gate's own name and nothing else, leaf certificates of a month, and the keeper that replaces them while
// the server runs. It speaks to no API server: what installs writes the authority into a Secret, and the gate reads
// it from a mounted folder, so that no identity of ours may read Secrets. Who serves (cli hands the keeper to
// internal/gate) and who installs (internal/install) may import it.
package certificate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"

	"github.com/coaming/coaming/internal/verdict"
)

const (
	// AuthorityLife is how long an authority holds. Replacing one needs who installs, for the API server is told of it.
	AuthorityLife = 10 * 365 * 24 * time.Hour
	// AuthorityAhead is how long before its end an authority is replaced and told of: a year has room for an upgrade.
	AuthorityAhead = 365 * 24 * time.Hour
	// LeafLife is how long a leaf certificate holds; at two thirds of it the keeper makes the next.
	LeafLife = 30 * 24 * time.Hour
	// skew is how far before the present a certificate begins: clocks of nodes differ.
	skew = 10 * time.Minute
)

// Authority is a certificate that may sign others, with its key.
type Authority struct {
	Certificate *x509.Certificate
	key         crypto.Signer
}

// NewAuthority makes an authority for these DNS names alone: a certificate of it for any other name, or for an address,
// is not believed (RFC 5280, 4.2.1.10), so that its key opens nothing but the door that it is for.
func NewAuthority(names []string, now time.Time, life time.Duration) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the authority's key: %w", err)
	}
	number, err := serial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:                number,
		Subject:                     pkix.Name{CommonName: "coaming-gate-ca " + now.UTC().Format("2006-01-02")},
		NotBefore:                   now.Add(-skew),
		NotAfter:                    now.Add(life),
		IsCA:                        true,
		BasicConstraintsValid:       true,
		MaxPathLenZero:              true, // it signs leaves, never another authority
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage:                 []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         names,
		ExcludedIPRanges:            everyAddress(),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign the authority: %w", err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the authority that was made: %w", err)
	}
	return &Authority{Certificate: made, key: key}, nil
}

// ReadAuthority reads an authority as it stands in a Secret: tls.crt, of which the first certificate counts, and tls.key.
func ReadAuthority(certificate, key []byte) (*Authority, error) {
	list, err := cert.ParseCertsPEM(certificate)
	if err != nil {
		return nil, unreadable(fmt.Errorf("read the authority's certificate: %w", err))
	}
	parsed, err := keyutil.ParsePrivateKeyPEM(key)
	if err != nil {
		return nil, unreadable(fmt.Errorf("read the authority's key: %w", err))
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, unreadable(fmt.Errorf("the authority's key cannot sign (%T)", parsed))
	}
	a := &Authority{Certificate: list[0], key: signer}
	switch public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool }); {
	case !a.Certificate.IsCA:
		return nil, unreadable(errors.New("the authority's certificate may not sign others"))
	case !ok || !public.Equal(a.Certificate.PublicKey):
		return nil, unreadable(errors.New("the authority's key is not the one of its certificate"))
	}
	return a, nil
}

func unreadable(err error) error {
	return &verdict.RemedyError{Err: err, Remedy: "Delete the Secret coaming-gate-ca and run 'coaming install' again: it makes another authority."}
}

// PEM is the authority as ReadAuthority reads it.
func (a *Authority) PEM() (certificate, key []byte, err error) {
	certificate, err = cert.EncodeCertificates(a.Certificate)
	if err != nil {
		return nil, nil, fmt.Errorf("write the authority's certificate: %w", err)
	}
	key, err = keyutil.MarshalPrivateKeyToPEM(a.key)
	if err != nil {
		return nil, nil, fmt.Errorf("write the authority's key: %w", err)
	}
	return certificate, key, nil
}

// Fading says whether the authority is to be replaced: it has ended, or ends within AuthorityAhead.
func (a *Authority) Fading(now time.Time) bool {
	return !now.Add(AuthorityAhead).Before(a.Certificate.NotAfter)
}

// Issue makes a server's certificate for these names, or addresses. It ends no later than the authority, for longer nobody believes it. A name that
// nobody would believe of this authority is an error: the API server would else fail every call, and let in what it should ask about.
func (a *Authority) Issue(names []string, now time.Time, life time.Duration) (*tls.Certificate, error) {
	if !now.Before(a.Certificate.NotAfter) {
		return nil, &verdict.RemedyError{
			Err:    fmt.Errorf("the authority ended on %s", a.Certificate.NotAfter.UTC().Format(time.RFC3339)),
			Remedy: "Run 'coaming install' again: it makes another.",
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a certificate's key: %w", err)
	}
	number, err := serial()
	if err != nil {
		return nil, err
	}
	end := now.Add(life)
	if end.After(a.Certificate.NotAfter) {
		end = a.Certificate.NotAfter
	}
	template := &x509.Certificate{
		SerialNumber:          number,
		Subject:               pkix.Name{CommonName: names[0]},
		NotBefore:             now.Add(-skew),
		NotAfter:              end,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.Certificate, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the certificate that was made: %w", err)
	}
	if err := a.believed(leaf, names, now); err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// believed asks of each name whether one who believes the authority believes the certificate of it.
func (a *Authority) believed(leaf *x509.Certificate, names []string, now time.Time) error {
	roots := x509.NewCertPool()
	roots.AddCert(a.Certificate)
	for _, name := range names {
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, DNSName: name, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
		if err == nil {
			continue
		}
		remedy := "Give an authority that may vouch for the name, or a server's certificate."
		if may := a.Certificate.PermittedDNSDomains; len(may) > 0 {
			remedy = "Name what the authority may vouch for, with --certificate-name: " + strings.Join(may, ", ") + ". Or give a server's certificate."
		}
		// Constraints hold for a certificate as a whole: with one name beside them it is not believed at all.
		return &verdict.RemedyError{Err: fmt.Errorf("nobody would believe a certificate of this authority for %s: %w", strings.Join(names, ", "), err), Remedy: remedy}
	}
	return nil
}

// Bundle joins certificates in PEM for a caBundle: each once, in the order given, without those that have ended. While
// an authority is replaced the API server believes the old one and the new.
func Bundle(now time.Time, parts ...[]byte) ([]byte, error) {
	var kept []*x509.Certificate
	for _, part := range parts {
		if len(part) == 0 {
			continue
		}
		list, err := cert.ParseCertsPEM(part)
		if err != nil {
			return nil, fmt.Errorf("read a bundle of authorities: %w", err)
		}
		for _, c := range list {
			if now.Before(c.NotAfter) && !holds(kept, c) {
				kept = append(kept, c)
			}
		}
	}
	if len(kept) == 0 {
		return nil, errors.New("the bundle holds no authority that has not ended")
	}
	return cert.EncodeCertificates(kept...)
}

// Ends are the last moments of the certificates in a bundle, in its order.
func Ends(bundle []byte) ([]time.Time, error) {
	list, err := cert.ParseCertsPEM(bundle)
	if err != nil {
		return nil, fmt.Errorf("read a bundle of authorities: %w", err)
	}
	var ends []time.Time
	for _, c := range list {
		ends = append(ends, c.NotAfter)
	}
	return ends, nil
}

func holds(list []*x509.Certificate, c *x509.Certificate) bool {
	for _, other := range list {
		if other.Equal(c) {
			return true
		}
	}
	return false
}

// serial is a random number of 127 bits: positive, and longer than anybody guesses (RFC 5280, 4.1.2.2).
func serial() (*big.Int, error) {
	number, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	return number.Add(number, big.NewInt(1)), nil
}

// everyAddress are all addresses of IPv4 and IPv6.
func everyAddress() []*net.IPNet {
	return []*net.IPNet{
		{IP: make(net.IP, net.IPv4len), Mask: make(net.IPMask, net.IPv4len)},
		{IP: make(net.IP, net.IPv6len), Mask: make(net.IPMask, net.IPv6len)},
	}
}
