package attack

var staticPod = Step{
	ID: "static-pod", Title: "Write the manifest of a static pod", Technique: "T1610",
	Needs: "commands as root in a container that can write the folder from which its kubelet takes static pods",
	Gives: "root on the node",
	Why: "The kubelet runs every manifest that it finds there, privileged ones too, and asks neither the API server nor any admission policy; " +
		"what it runs may mount the whole node.",
	Fix:    "Take the volume out, or mount it with readOnly.",
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		folderStep(w.staticFolders(), true, "can write static pods into", machineOfBox)(w, take)
	},
}

// staticFolders are where kubelets look for static pods: by kubeadm, by k3s and RKE2, and by the
// configurations of kubelets that were read.
func (w *World) staticFolders() []place {
	list := []place{
		{"/etc/kubernetes/manifests", true}, {"/var/lib/rancher/k3s/agent/pod-manifests", true}, {"/var/lib/rancher/rke2/agent/pod-manifests", true},
	}
	for _, o := range w.Inventory.OfKind("KubeletConfiguration.kubelet.config.k8s.io") {
		if path := o.Root.Get("staticPodPath").Str(); path != "" {
			list = append(list, place{cleanPath(path), true})
		}
	}
	return list
}
