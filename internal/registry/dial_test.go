package registry

import (
	"net/http"
	"net/netip"
	"net/url"
	"testing"
)

// TestDoor: what is outside sends nobody inside; what is inside may, but never to the addresses of the machine itself.
func TestDoor(t *testing.T) {
	const outside, home, loopback, metadata = "203.0.113.7", "10.1.2.3", "127.0.0.1", "169.254.169.254"
	for _, tt := range []struct {
		named, from, to string // the registry, where its name was found, where it sends
		refused         bool
	}{
		{"registry.example.com", outside, outside, false},
		{"registry.example.com", outside, home, true},
		{"registry.example.com", outside, "100.64.1.1", true},
		{"registry.example.com", outside, "fd12::1", true},
		{"registry.example.com", outside, "::ffff:10.1.2.3", true},
		{"registry.example.com", outside, "0.0.0.0", true},
		{"registry.example.com", outside, loopback, true},
		{"registry.shop.svc:5000", home, "10.9.9.9", false},
		{"registry.shop.svc:5000", home, metadata, true},
		{"registry.shop.svc:5000", home, "fd00:ec2::254", true},
		{"169.254.169.254", metadata, metadata, false},
	} {
		d := &door{named: tt.named}
		if err := d.leads(netip.MustParseAddr(tt.from), true, false); err != nil {
			t.Errorf("%s at %s: %v", tt.named, tt.from, err)
		}
		if err := d.leads(netip.MustParseAddr(tt.to).Unmap(), false, false); (err != nil) != tt.refused {
			t.Errorf("%s at %s sends to %s: %v, want refused %v", tt.named, tt.from, tt.to, err, tt.refused)
		}
	}
	d := &door{named: "registry.example.com"}
	_, _ = d.proxy(func(*http.Request) (*url.URL, error) { return url.Parse("http://10.0.0.8:3128") })(nil)
	if _, own := d.proxies.Load("10.0.0.8"); !own || d.leads(netip.MustParseAddr("10.0.0.8"), false, own) != nil {
		t.Error("a proxy of one's own is not asked")
	}
}

// TestFollowInside: an address in a redirect is looked at before anything is asked, for a proxy would ask in our place.
func TestFollowInside(t *testing.T) {
	for named, refused := range map[string]bool{"registry.example.com": true, "10.0.0.5:5000": false} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://10.1.2.3/internal", http.NoBody)
		if err := follow(false, named)(r, nil); (err != nil) != refused {
			t.Errorf("%s sends inside: %v, want refused %v", named, err, refused)
		}
	}
}
