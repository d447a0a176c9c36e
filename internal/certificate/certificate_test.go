package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"

	"github.com/coaming/coaming/internal/verdict"
)

const gate = "coaming-gate.coaming-system.svc"

var start = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func newAuthority(t *testing.T, now time.Time, life time.Duration) *Authority {
	t.Helper()
	a, err := NewAuthority([]string{gate}, now, life)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// put writes a folder as the kubelet mounts a Secret.
func put(t *testing.T, folder string, certificate, key []byte) {
	t.Helper()
	for name, text := range map[string][]byte{certificateFile: certificate, keyFile: key} {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func putAuthority(t *testing.T, folder string, a *Authority) {
	t.Helper()
	certificate, key, err := a.PEM()
	if err != nil {
		t.Fatal(err)
	}
	put(t, folder, certificate, key)
}

// believed is what a client says of a certificate who knows the authority.
func believed(a *Authority, leaf *x509.Certificate, name string, at time.Time) error {
	roots := x509.NewCertPool()
	roots.AddCert(a.Certificate)
	_, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: at})
	return err
}

func TestAuthorityVouchesForItsNameAlone(t *testing.T) {
	a := newAuthority(t, start, AuthorityLife)
	leaf, err := a.Issue([]string{gate}, start, LeafLife)
	if err != nil {
		t.Fatal(err)
	}
	if err := believed(a, leaf.Leaf, gate, start); err != nil {
		t.Errorf("the gate's certificate: %v", err)
	}
	if got, want := leaf.Leaf.NotAfter, start.Add(LeafLife); !got.Equal(want) {
		t.Errorf("the leaf ends %s, want %s", got, want)
	}
	for _, names := range [][]string{{"kubernetes.default.svc"}, {"localhost"}, {"127.0.0.1"}, {"::1"}, {gate, "localhost"}} {
		other, err := a.Issue(names, start, LeafLife)
		var told *verdict.RemedyError
		if other != nil || !errors.As(err, &told) || !strings.Contains(told.Error(), "nobody would believe") || !strings.Contains(told.Remedy, gate) {
			t.Errorf("a certificate for %v: %v", names, err)
		}
	}
	client := x509.VerifyOptions{Roots: x509.NewCertPool(), CurrentTime: start, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	client.Roots.AddCert(a.Certificate)
	if _, err := leaf.Leaf.Verify(client); err == nil {
		t.Error("the certificate serves a client, too")
	}
	if len(a.Certificate.ExcludedIPRanges) != 2 {
		t.Errorf("addresses are left open: %v", a.Certificate.ExcludedIPRanges)
	}
}

// TestAddresses: an address is written as one, or nobody who calls it by it believes the certificate.
func TestAddresses(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: start, NotAfter: start.Add(AuthorityLife), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &Authority{Certificate: parsed, key: key}
	leaf, err := a.Issue([]string{"127.0.0.1", "::1", "gate.example.com"}, start, LeafLife)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"127.0.0.1", "::1", "gate.example.com"} {
		if err := believed(a, leaf.Leaf, name, start); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(leaf.Leaf.IPAddresses) != 2 || len(leaf.Leaf.DNSNames) != 1 {
		t.Errorf("addresses %v, names %v", leaf.Leaf.IPAddresses, leaf.Leaf.DNSNames)
	}
}

func TestAuthorityIsReadAsWritten(t *testing.T) {
	a, b := newAuthority(t, start, AuthorityLife), newAuthority(t, start, AuthorityLife)
	certificate, key, err := a.PEM()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadAuthority(certificate, key)
	if err != nil || !again.Certificate.Equal(a.Certificate) {
		t.Fatalf("read again: %v", err)
	}
	_, otherKey, err := b.PEM()
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := a.Issue([]string{gate}, start, LeafLife)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ certificate, key []byte }{
		"another's key": {certificate, otherKey},
		"no key":        {certificate, nil},
		"no PEM":        {[]byte("certificate"), key},
		"a leaf":        {pemOf(t, leaf.Leaf), key},
	} {
		if _, err := ReadAuthority(c.certificate, c.key); err == nil {
			t.Errorf("%s: read", name)
		} else if strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
}

func pemOf(t *testing.T, c *x509.Certificate) []byte {
	t.Helper()
	text, err := cert.EncodeCertificates(c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestLeafEndsWithItsAuthority(t *testing.T) {
	a := newAuthority(t, start, 20*time.Second)
	leaf, err := a.Issue([]string{gate}, start, LeafLife)
	if err != nil {
		t.Fatal(err)
	}
	if !leaf.Leaf.NotAfter.Equal(a.Certificate.NotAfter) {
		t.Errorf("the leaf ends %s, its authority %s", leaf.Leaf.NotAfter, a.Certificate.NotAfter)
	}
	if _, err := a.Issue([]string{gate}, start.Add(time.Minute), LeafLife); err == nil {
		t.Error("an authority that has ended signs")
	}
	if !a.Fading(start) || newAuthority(t, start, AuthorityLife).Fading(start) {
		t.Error("which authority is to be replaced is wrong")
	}
}

func TestBundleHoldsOldAndNew(t *testing.T) {
	old, next, ended := newAuthority(t, start, AuthorityLife), newAuthority(t, start, AuthorityLife), newAuthority(t, start.Add(-time.Hour), time.Minute)
	var parts [][]byte
	for _, a := range []*Authority{next, old, ended, next} {
		parts = append(parts, pemOf(t, a.Certificate))
	}
	bundle, err := Bundle(start, append(parts, nil)...)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	for name, a := range map[string]*Authority{"old": old, "new": next} {
		leaf, err := a.Issue([]string{gate}, start, LeafLife)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := leaf.Leaf.Verify(x509.VerifyOptions{DNSName: gate, Roots: roots, CurrentTime: start}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if ends, err := Ends(bundle); err != nil || len(ends) != 2 {
		t.Errorf("ends are %v, %v, want two", ends, err)
	}
	if _, err := Bundle(start, parts[2]); err == nil {
		t.Error("a bundle of what has ended alone is made")
	}
}

func TestKeeperRotates(t *testing.T) {
	folder, now := t.TempDir(), start
	a := newAuthority(t, start, AuthorityLife)
	putAuthority(t, folder, a)
	k := NewKeeper(Options{Certificate: filepath.Join(folder, certificateFile), Key: filepath.Join(folder, keyFile), Names: []string{gate}, Now: func() time.Time { return now }})
	if k.Ready() == nil {
		t.Error("ready without a certificate")
	}
	first := served(t, k)
	now = start.Add(LeafLife*2/3 - time.Minute)
	if c := served(t, k); !c.Equal(first) {
		t.Error("replaced before its time")
	}
	now = start.Add(LeafLife * 2 / 3)
	second := served(t, k)
	if second.Equal(first) || believed(a, second, gate, now) != nil {
		t.Error("not replaced at two thirds of its life")
	}
	// The authority is replaced: the next leaf is of the new one, at once.
	next := newAuthority(t, now, AuthorityLife)
	putAuthority(t, folder, next)
	if err := believed(next, served(t, k), gate, now); err != nil {
		t.Errorf("after the authority was replaced: %v", err)
	}
	// Rotation is broken: what there is is served to its end, and then the gate is not ready.
	put(t, folder, []byte("broken"), nil)
	if k.Refresh() == nil {
		t.Error("a broken folder is no error")
	}
	if err := k.Ready(); err != nil {
		t.Errorf("not ready before the end: %v", err)
	}
	now = now.Add(LeafLife)
	if k.Ready() == nil {
		t.Error("ready with a certificate that has ended")
	}
	putAuthority(t, folder, next)
	if err := believed(next, served(t, k), gate, now); err != nil {
		t.Errorf("mended: %v", err)
	}
}

func TestKeeperServesWhatOthersMade(t *testing.T) {
	folder, now := t.TempDir(), start
	a := newAuthority(t, start, AuthorityLife)
	k := NewKeeper(Options{Certificate: filepath.Join(folder, certificateFile), Key: filepath.Join(folder, keyFile), Names: []string{"another.name"}, Now: func() time.Time { return now }})
	var last *x509.Certificate
	for range 2 {
		made, err := a.Issue([]string{gate}, start, LeafLife)
		if err != nil {
			t.Fatal(err)
		}
		key, err := keyutil.MarshalPrivateKeyToPEM(made.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		put(t, folder, pemOf(t, made.Leaf), key)
		c := served(t, k)
		if !c.Equal(made.Leaf) || c.Equal(last) {
			t.Error("not what stands in the folder is served")
		}
		last = c
	}
}

func served(t *testing.T, k *Keeper) *x509.Certificate {
	t.Helper()
	if err := k.Refresh(); err != nil {
		t.Fatal(err)
	}
	if err := k.Ready(); err != nil {
		t.Fatal(err)
	}
	c, err := k.GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	if !c.Leaf.NotAfter.Equal(k.End()) {
		t.Errorf("the end is told as %s, and is %s", k.End(), c.Leaf.NotAfter)
	}
	return c.Leaf
}

// TestKeeperWithoutNamesMakesNone serves a certificate that might sign others as it is where nobody names any.
func TestKeeperWithoutNamesMakesNone(t *testing.T) {
	folder := t.TempDir()
	a := newAuthority(t, start, AuthorityLife)
	putAuthority(t, folder, a)
	o := Options{Now: func() time.Time { return start }}
	o.Certificate, o.Key = In(folder)
	k := NewKeeper(o)
	if err := k.Refresh(); err != nil {
		t.Fatal(err)
	}
	if c, err := k.GetCertificate(nil); err != nil || !c.Leaf.Equal(a.Certificate) {
		t.Errorf("another certificate is served: %v", err)
	}
}
