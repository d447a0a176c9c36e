// Package component links the Kubernetes components that the sandbox's one binary can become.
//
// Each runs in a process of its own, because they share global flag sets and metric registries. Only package main may
// import this package: it is what makes the binary large and its build long.
package component

import (
	"context"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"k8s.io/component-base/cli"
	"k8s.io/component-base/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	_ "time/tzdata" // CronJobs may name a time zone, and a static binary finds none on the machine

	_ "k8s.io/component-base/logs/json/register"            // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo"   // the components' client metrics, as upstream
	_ "k8s.io/component-base/metrics/prometheus/restclient" // the same
	_ "k8s.io/component-base/metrics/prometheus/version"    // kubernetes_build_info
)

// mains is what each name runs; a main returns its exit code.
var mains = map[string]func(args []string) int{
	"etcd": etcd,
	"kube-apiserver": func([]string) int {
		return cli.Run(apiserver.NewAPIServerCommand())
	},
	"kube-controller-manager": func([]string) int {
		return cli.Run(controllermanager.NewControllerManagerCommand())
	},
	"kube-scheduler": func([]string) int {
		return cli.Run(scheduler.NewSchedulerCommand())
	},
	"kubelet": func([]string) int {
		return cli.Run(kubelet.NewKubeletCommand(context.Background()))
	},
	"kube-proxy": func([]string) int {
		return cli.Run(proxy.NewProxyCommand())
	},
	"kubectl": kubectl,
}

// Names lists the components in alphabetical order.
func Names() []string { return slices.Sorted(maps.Keys(mains)) }

// Version is the Kubernetes version the binary was built as, "v1.36.3".
func Version() string { return version.Get().GitVersion }

// Run turns this process into a component, with the arguments that follow its name. It reports false if there is no such component.
func Run(name string, args []string) (code int, ok bool) {
	run, ok := mains[name]
	if !ok {
		return 0, false
	}
	os.Args = append([]string{name}, args...) // cobra and kubectl's plugin lookup read it
	hurry()
	return run(args), true
}

// hurry collects garbage rarely while the component starts: that makes the sandbox ready about a tenth sooner, and once
// it is, memory matters more.
func hurry() {
	const starting, garbagePercent = 5 * time.Second, 400
	usual := debug.SetGCPercent(garbagePercent)
	time.AfterFunc(starting, func() {
		debug.SetGCPercent(usual)
		debug.FreeOSMemory()
	})
}
