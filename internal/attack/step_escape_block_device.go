package attack

import "regexp"

var escapeBlockDevice = Step{
	ID: "escape-block-device", Title: "Write the node's own disk as a block device", Technique: "T1611",
	Needs: "commands as root in a container that is given the disk that its node starts from, by a claim in block mode",
	Gives: "root on the node",
	Why: "A volume in block mode is the disk itself, and the runtime opens it to the container: every file of the node is read and changed below the file system. " +
		"A device that is only mounted by hostPath is not opened to a container that is not privileged.",
	Fix:    "Delete the PersistentVolume, or name the disk that is meant by /dev/disk/by-id.",
	Effort: Moderate,
	Find: func(w *World, take func(Taken)) {
		for b := range w.Boxes {
			if b.Value.Get("volumeDevices").Len() == 0 || !b.Root() || !b.HostUsers() || b.Pods.OS() != "linux" {
				continue
			}
			for _, m := range b.Mounts() {
				volume := w.boundTo(b.Pods, m.Volume)
				if !m.Device || volume == nil || volume.Root.At("spec", "volumeMode").Str() != "Block" || !systemDisk.MatchString(nodeFolder(volume)) {
					continue
				}
				take(Taken{
					From: b.Node, To: b.Pods.Machine,
					Evidence: []Evidence{
						value(b, m.Value, "it is given the claim "+m.Volume.At("persistentVolumeClaim", "claimName").Str()+" as a block device"),
						{volume, volume.Root.Get("spec"), title(volume) + ", to which the claim is bound, is " + nodeFolder(volume) + " of its node"},
					},
					Changes: []Change{without(b, m.Value, "Take the block device from "+b.Node.Title())},
				})
			}
		}
	},
}

// systemDisk is a device that nodes usually start from.
var systemDisk = regexp.MustCompile(`^/dev/(sda|vda|xvda|nvme0n1|mmcblk0)(p?[0-9]+)?$`)
