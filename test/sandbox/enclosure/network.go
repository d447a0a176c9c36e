package enclosure

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// Network is what an enclosure's network is made of: the node, and one machine beyond it that stands for everything
// outside of the cluster. Nothing leads from there to the machine's own network.
type Network struct {
	// Node and Gateway are the two ends of the link between them, as address/bits.
	Node, Gateway string
	// Outside are more addresses of the machine beyond.
	Outside []string
	// Settings are the node's, below /proc/sys/net.
	Settings map[string]string
}

// outsideName is the name of the network namespace of the machine beyond, below /run/netns.
const outsideName = "outside"

// connect makes the network in the calling thread's namespace, which it must be alone in.
func connect(n Network) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	node, err := netns.Get()
	if err != nil {
		return fmt.Errorf("find network: %w", err)
	}
	defer node.Close()
	outside, err := netns.NewNamed(outsideName) // and the thread is in it
	if err != nil {
		return fmt.Errorf("make network outside: %w", err)
	}
	defer outside.Close()
	if err := netns.Set(node); err != nil {
		return fmt.Errorf("return to network: %w", err)
	}
	const nodeEnd, outsideEnd = "node0", "gate0"
	link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: nodeEnd}, PeerName: outsideEnd, PeerNamespace: netlink.NsFd(outside)}
	if err := netlink.LinkAdd(link); err != nil {
		return fmt.Errorf("make link outside: %w", err)
	}
	beyond, err := netlink.NewHandleAt(outside)
	if err != nil {
		return fmt.Errorf("enter network outside: %w", err)
	}
	defer beyond.Close()
	here, err := netlink.NewHandle()
	if err != nil {
		return fmt.Errorf("ask for network: %w", err)
	}
	defer here.Close()
	if err := errors.Join(
		up(here, "lo"), up(here, nodeEnd, n.Node), route(here, n.Gateway),
		up(beyond, "lo", n.Outside...), up(beyond, outsideEnd, n.Gateway), route(beyond, n.Node),
	); err != nil {
		return err
	}
	for name, value := range n.Settings {
		if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o600); err != nil {
			return fmt.Errorf("set up network: %w", err)
		}
	}
	return nil
}

func up(h *netlink.Handle, name string, addresses ...string) error {
	link, err := h.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find link %s: %w", name, err)
	}
	for _, text := range addresses {
		address, err := netlink.ParseAddr(text)
		if err != nil {
			return fmt.Errorf("address of %s: %w", name, err)
		}
		if err := h.AddrAdd(link, address); err != nil {
			return fmt.Errorf("give %s the address %s: %w", name, text, err)
		}
	}
	if err := h.LinkSetUp(link); err != nil {
		return fmt.Errorf("start link %s: %w", name, err)
	}
	return nil
}

// route sends what has no other way to a gateway, given as address/bits.
func route(h *netlink.Handle, gateway string) error {
	address, _, _ := strings.Cut(gateway, "/")
	if err := h.RouteAdd(&netlink.Route{Gw: net.ParseIP(address)}); err != nil {
		return fmt.Errorf("make default route: %w", err)
	}
	return nil
}
