// Command dns is CoreDNS with the few plugins that a cluster's own names need; the sandbox's node runs it as a pod.
//
// It is a module of its own: CoreDNS asks for later releases of what the sandbox's Kubernetes is built with, and for
// some two hundred modules that neither the product nor the sandbox needs.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/cache"      // answers again what was asked before
	_ "github.com/coredns/coredns/plugin/errors"     // logs what went wrong
	_ "github.com/coredns/coredns/plugin/kubernetes" // services and pods
	_ "github.com/coredns/coredns/plugin/ready"      // the readiness probe
)

func main() {
	dnsserver.Directives = []string{"errors", "ready", "cache", "kubernetes"}
	coremain.Run()
}
