// Package node is what the programs of a sandbox's node are told: addresses, files of configuration, images. It is pure:
// package cluster writes the files and starts the programs, package enclosure makes the place that they run in.
package node

import (
	"bytes"
	"embed"
	"fmt"
	"path"
	"text/template"
)

// Where everything is. Only loopback leads from the machine to the node, so sandboxes side by side do not meet.
const (
	Name    = "node1"
	Address = "10.88.0.1"
	// Gateway is the machine outside of the cluster, as the node's end of the link sees it.
	Gateway  = "10.88.0.254"
	linkBits = "/24"
	// ClusterRange is what pods' addresses are taken from, PodRange the part of it that this node has.
	ClusterRange = "10.244.0.0/16"
	PodRange     = "10.244.0.0/24"
	// ServiceRange is what services' addresses are taken from; DNS is the one that pods ask for names.
	ServiceRange = "10.96.0.0/16"
	DNS          = "10.96.0.10"
	Domain       = "cluster.local"
	// PauseImage holds a pod's namespaces.
	PauseImage = "sandbox.test/pause:1"
	DNSImage   = "sandbox.test/coredns:1"
)

// Outside are the addresses of the machine outside of the cluster: of the ranges that are kept for examples (RFC 5737), which nobody routes.
var Outside = []string{"192.0.2.10", "198.51.100.10", "203.0.113.10", "203.0.113.77"}

// Link is the node's and the gateway's end of the link between them, and Outside, each with the length of its network.
func Link() (node, gateway string, outside []string) {
	for _, address := range Outside {
		outside = append(outside, address+"/32")
	}
	return Address + linkBits, Gateway + linkBits, outside
}

// NetworkSettings are the node's, below /proc/sys/net.
var NetworkSettings = map[string]string{
	"ipv4/ip_forward": "1",
	// Without it connections between two pods pass the bridge and no filter.
	"bridge/bridge-nf-call-iptables": "1",
	// A filter that refuses says so each time, not once a second.
	"ipv4/icmp_ratelimit":    "0",
	"ipv4/icmp_msgs_burst":   "10000",
	"ipv4/icmp_msgs_per_sec": "10000",
}

// Config is what differs from one sandbox to the next.
type Config struct {
	// Dir is the sandbox's directory, which holds pki and gets the files below.
	Dir string
	// Plugins is where the network plugins are.
	Plugins string
	// Snapshotter is containerd's way to keep layers: overlayfs, or native where that is not possible.
	Snapshotter string
}

//go:embed files
var files embed.FS

// Places of the files, below the sandbox's directory.
const (
	KubeletFile    = "node/kubelet.yaml"
	ProxyFile      = "node/kube-proxy.yaml"
	ContainerdFile = "node/containerd.toml"
	DNSFile        = "node/dns.yaml"
	networkFile    = "node/network/10-bridge.conflist"
)

// Files are the files of configuration by their place below the sandbox's directory.
func (c Config) Files() (map[string][]byte, error) {
	values := struct {
		Config
		Name, ClusterRange, PodRange, DNS, Domain, Pause, DNSImage string
	}{c, Name, ClusterRange, PodRange, DNS, Domain, PauseImage, DNSImage}
	out := map[string][]byte{}
	for _, place := range []string{KubeletFile, ProxyFile, ContainerdFile, DNSFile, networkFile} {
		source := path.Join("files", path.Base(place))
		t, err := template.New(path.Base(place)).Option("missingkey=error").ParseFS(files, source)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", source, err)
		}
		var b bytes.Buffer
		if err := t.Execute(&b, values); err != nil {
			return nil, fmt.Errorf("fill in %s: %w", source, err)
		}
		out[place] = b.Bytes()
	}
	return out, nil
}

// KubeletArguments follow the kubelet's name.
func KubeletArguments() []string {
	return []string{
		"--config=" + KubeletFile, "--kubeconfig=pki/kubelet.kubeconfig", "--hostname-override=" + Name, "--node-ip=" + Address,
	}
}

// ProxyArguments follow kube-proxy's name.
func ProxyArguments() []string { return []string{"--config=" + ProxyFile} }

// SchedulerArguments follow kube-scheduler's name.
func SchedulerArguments() []string {
	return []string{"--kubeconfig=pki/scheduler.kubeconfig", "--leader-elect=false", "--secure-port=0", "--profiling=false"}
}
