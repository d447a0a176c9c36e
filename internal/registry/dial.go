package registry

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// door opens the connections of one host's transport. What a registry says (its token server, where it sends for a blob) must not
// lead to addresses that serve this machine alone, such as a cloud's metadata, nor, from a registry outside, into the network inside:
// whoever may name an image could else have whatever asks for it knock where they cannot.
type door struct {
	named   string // as the words have it, with its port
	dialer  net.Dialer
	proxies sync.Map // hosts of proxies, which the settings of this machine name
	// home is set when the named host itself was found inside: a registry there keeps its blobs there.
	home atomic.Bool
}

// proxy notes the proxies that are used.
func (d *door) proxy(under func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	if under == nil {
		return nil
	}
	return func(r *http.Request) (*url.URL, error) {
		at, err := under(r)
		if at != nil {
			d.proxies.Store(at.Hostname(), true)
		}
		return at, err
	}
}

// dial connects with an address, host:port, unless it may not be asked.
func (d *door) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host := bareHost(address)
	_, own := d.proxies.Load(host)
	named := host == bareHost(d.named)
	dialer := d.dialer
	dialer.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return nil //nolint:nilerr // no address that could be inside
		}
		return d.leads(at.Addr().Unmap(), named, own)
	}
	return dialer.DialContext(ctx, network, address)
}

// leads says why an address is not asked. named is that of the registry, own one that this machine's settings name.
func (d *door) leads(ip netip.Addr, named, own bool) error {
	switch {
	case own:
		return nil
	case ip.IsLinkLocalUnicast() || ip == metadata6:
		if bareHost(d.named) == ip.String() {
			return nil
		}
		return fmt.Errorf("%s is an address of this machine's own network, where no registry's words may lead", ip)
	case !inside(ip):
		return nil
	case named:
		d.home.Store(true)
		return nil
	case d.home.Load():
		return nil
	}
	return errInside(ip)
}

func errInside(ip netip.Addr) error {
	return fmt.Errorf("%s is a private address, where the words of a registry outside may not lead", ip)
}

var (
	metadata6 = netip.MustParseAddr("fd00:ec2::254")   // of a cloud's metadata
	shared    = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598, which clusters and clouds use for themselves
)

// inside says whether an address is of a network of one's own.
func inside(ip netip.Addr) bool {
	ip = ip.Unmap()
	return ip.IsPrivate() || ip.IsLoopback() || ip.IsUnspecified() || ip.IsLinkLocalUnicast() || shared.Contains(ip)
}

// bareHost is a host without its port and brackets.
func bareHost(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return strings.Trim(address, "[]")
}
