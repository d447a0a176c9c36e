package image

import (
	"os"
	"slices"
	"syscall"
)

// pseudo are file systems that the kernel makes up, by the numbers in linux/magic.h: proc, sysfs, devpts, cgroup, cgroup2,
// debugfs, tracefs, securityfs, selinuxfs, pstore, efivarfs, bpf, mqueue, hugetlbfs, autofs, binfmt_misc, configfs, fusectl,
// nsfs, ramfs and tmpfs, whose files last no longer than the system runs.
var pseudo = []int64{
	0x9fa0, 0x62656572, 0x1cd1, 0x27e0eb, 0x63677270, 0x64626720, 0x74726163, 0x73636673, 0xf97cff8c, 0x6165676c, 0xde5e81e4,
	0xcafe4a11, 0x19800202, 0x958458f6, 0x187, 0x42494e4d, 0x62656570, 0x65735543, 0x6e736673, 0x858458f6, 0x01021994,
}

// isPseudo says whether a directory stands in such a file system.
func isPseudo(f *os.File) bool {
	var s syscall.Statfs_t
	return syscall.Fstatfs(int(f.Fd()), &s) == nil && slices.Contains(pseudo, int64(s.Type)&0xffffffff) //nolint:unconvert // of another size on other machines
}
