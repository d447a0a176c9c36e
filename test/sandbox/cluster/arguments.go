package cluster

import (
	"strconv"

	"github.com/coaming/coaming/test/sandbox/node"
)

const (
	loopback  = "127.0.0.1"
	serviceIP = "10.96.0.1" // the first of the range, which the service "kubernetes" gets
	issuer    = "https://kubernetes.default.svc.cluster.local"
)

// The components run in the sandbox's directory, so the paths below are relative to it. That keeps the socket's path
// within the kernel's 107 bytes, however deep a test's temporary directory is.
const (
	pkiDir          = "pki"
	logDir          = "log"
	etcdDir         = "etcd"
	etcdSocket      = "etcd.sock"
	auditLog        = "audit.log"
	auditPolicyFile = "audit-policy.yaml"
)

func etcdArguments() []string {
	return []string{"--data-dir=" + etcdDir, "--socket=" + etcdSocket}
}

func (c Config) apiServerArguments(securePort int) []string {
	args := []string{
		"--etcd-servers=unix://" + etcdSocket,

		"--secure-port=" + strconv.Itoa(securePort),
		"--permit-port-sharing", // see port
		"--service-cluster-ip-range=" + node.ServiceRange,

		"--client-ca-file=" + pkiDir + "/" + caName + ".crt",
		"--tls-cert-file=" + pkiDir + "/" + servingName + ".crt",
		"--tls-private-key-file=" + pkiDir + "/" + servingName + ".key",
		"--anonymous-auth=false", // who shows no credentials gets 401, not a user that a test forgot

		"--requestheader-client-ca-file=" + pkiDir + "/" + proxyCAName + ".crt",
		"--requestheader-allowed-names=" + proxyClientName,
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + pkiDir + "/" + proxyClientName + ".crt",
		"--proxy-client-key-file=" + pkiDir + "/" + proxyClientName + ".key",

		"--service-account-issuer=" + issuer,
		"--service-account-key-file=" + pkiDir + "/" + tokenKeyName + ".pub",
		"--service-account-signing-key-file=" + pkiDir + "/" + tokenKeyName + ".key",

		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true", // as every distribution has it; Pod Security Admission decides who may
		"--profiling=false",
	}
	if c.Node == nil {
		args = append(args, "--bind-address="+loopback, "--advertise-address="+loopback,
			// The service "kubernetes" cannot have a loopback address as its endpoint, and there is no pod to use it.
			"--endpoint-reconciler-type=none")
	} else {
		args = append(args, "--bind-address=0.0.0.0", "--advertise-address="+node.Address,
			"--kubelet-client-certificate="+pkiDir+"/"+kubeletClientName+".crt",
			"--kubelet-client-key="+pkiDir+"/"+kubeletClientName+".key",
			"--kubelet-certificate-authority="+pkiDir+"/"+caName+".crt",
			"--kubelet-preferred-address-types=InternalIP")
	}
	if !c.ControllerManager {
		// Nobody makes the service accounts, and without them this plugin refuses every pod.
		args = append(args, "--disable-admission-plugins=ServiceAccount")
	}
	if c.Audit {
		args = append(args, "--audit-policy-file="+auditPolicyFile, "--audit-log-path="+auditLog, "--audit-log-mode=blocking")
	}
	return append(args, c.APIServerFlags...)
}

func (c Config) controllerManagerArguments() []string {
	return []string{
		"--kubeconfig=" + managerKubeconfig,
		"--secure-port=0", // nobody asks it anything
		"--leader-elect=false",
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + pkiDir + "/" + tokenKeyName + ".key",
		"--root-ca-file=" + pkiDir + "/" + caName + ".crt",
		"--cluster-signing-cert-file=" + pkiDir + "/" + caName + ".crt",
		"--cluster-signing-key-file=" + pkiDir + "/" + caName + ".key",
		"--service-cluster-ip-range=" + node.ServiceRange,
		"--cluster-cidr=" + node.ClusterRange,
		"--allocate-node-cidrs=" + strconv.FormatBool(c.Node != nil), // the first node gets node.PodRange
		// The defaults spare a cluster that others use; here they would only slow the start.
		"--kube-api-qps=1000",
		"--kube-api-burst=2000",
		"--profiling=false",
	}
}
