package attack

var escapeHostFiles = Step{
	ID: "escape-host-files", Title: "Write files that the node runs or obeys", Technique: "T1611",
	Needs: "commands as root in a container that can write such a folder of its node",
	Gives: "root on the node",
	Why: "What lies there is run as root, or says who may log in: a line in a cron table, a systemd unit, a program, a network plugin, a key. " +
		"No capability is asked for, for the files belong to user 0, which the container is.",
	Fix:    "Take the volume out, or mount the one file that is read, with readOnly.",
	Effort: Easy,
	Find:   folderStep(obeyed, true, "can write", machineOfBox),
}

// obeyed are files and folders of a usual Linux node that make whoever writes them root.
var obeyed = []place{
	{"/etc/cron.d", true}, {"/etc/cron.hourly", true}, {"/etc/cron.daily", true}, {"/etc/cron.weekly", true}, {"/etc/cron.monthly", true},
	{"/etc/crontab", false}, {"/var/spool/cron", true}, {"/etc/systemd", true}, {"/usr/lib/systemd", true}, {"/run/systemd/system", true},
	{"/etc/ld.so.preload", false}, {"/etc/profile.d", true}, {"/etc/init.d", true}, {"/etc/udev/rules.d", true}, {"/etc/modprobe.d", true},
	{"/etc/pam.d", true}, {"/etc/sudoers.d", true}, {"/etc/passwd", false}, {"/etc/shadow", false}, {"/etc/ssh", true},
	{"/root", true}, {"/etc/containerd", true}, {"/etc/crio", true}, {"/etc/docker", true}, {"/opt/cni/bin", true},
	{"/bin", true}, {"/sbin", true}, {"/lib", true}, {"/lib64", true}, {"/boot", true}, {"/usr/bin", true}, {"/usr/sbin", true}, {"/usr/lib", true},
	{"/usr/lib64", true}, {"/usr/libexec", true}, {"/usr/local/bin", true}, {"/usr/local/sbin", true}, {"/usr/local/lib", true},
	{"/var/lib/cloud", true}, {"/var/lib/kubelet/config.yaml", false}, {"/var/lib/kubelet/kubeadm-flags.env", false},
	{"/var/lib/containerd", true}, {"/var/lib/docker", true}, {"/var/lib/containers", true},
}
