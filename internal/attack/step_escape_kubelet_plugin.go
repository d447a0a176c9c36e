package attack

var escapeKubeletPlugin = Step{
	ID: "escape-kubelet-plugin", Title: "Register as a plugin of the kubelet", Technique: "T1543",
	Needs: "commands as root in a container that can write the folders where the kubelet looks for its plugins",
	Gives: "what the kubelet hands to a driver: secrets, tokens and volumes of other pods",
	Why: "A socket in these folders becomes a storage or device driver of the node. Of a driver's name the kubelet takes what it serves, and hands it the secrets and tokens " +
		"of the pods that use it; which pods do, and which driver is there first, is not to be seen.",
	Fix:    "Mount only the driver's own folder below plugins; let its registrar alone write to plugins_registry.",
	Effort: Hard,
	Find: func(w *World, take func(Taken)) {
		folderStep(pluginFolders, true, "can put sockets into", kubeletOfBox)(w, func(t Taken) {
			if t.Doubt == "" {
				t.Doubt = "whether pods of the node use such a driver or device is not known"
			}
			take(t)
		})
	},
}

var pluginFolders = []place{{"/var/lib/kubelet/plugins_registry", false}, {"/var/lib/kubelet/device-plugins", false}}
