package attack

var nodeCredentialsRead = Step{
	ID: "node-credentials-read", Title: "Read the node's credentials from its files", Technique: "T1552.001",
	Needs: "commands as root in a container that sees such a folder of its node, be it read-only",
	Gives: "what the kubelet there may do: the secrets and the tokens of every pod of the node",
	Why: "The key by which the kubelet calls the API server is a file, and so are the tokens and secrets that it mounted into other pods. " +
		"readOnly does not keep from reading.",
	Fix:    "Mount the one file that is read, not a folder in which keys or the volumes of other pods lie.",
	Effort: Easy,
	Find:   folderStep(credentials, false, "reads", kubeletOfBox),
}

// credentials are where kubelets of usual distributions keep their key, or other pods' tokens.
var credentials = []place{
	{"/var/lib/kubelet/pki", true},
	{"/var/lib/kubelet/pods", true},
	{"/etc/kubernetes/kubelet.conf", false},
	{"/var/lib/kubelet/kubeconfig", false},
	{"/var/lib/rancher/k3s/agent", true},
	{"/var/lib/rancher/rke2/agent", true},
	{"/var/lib/k0s/kubelet", true},
	{"/var/snap/microk8s/current/credentials", true},
}
