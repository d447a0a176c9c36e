package enclosure

import (
	"slices"
	"testing"
)

func TestHierarchies(t *testing.T) {
	const mountinfo = `
24 1 0:22 / /proc rw - proc proc rw
31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
32 25 0:28 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory
33 25 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
34 25 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
`
	tests := map[string]struct {
		cgroup string
		want   []hierarchy
	}{
		"at the root":           {"3:cpu,cpuacct:/\n", []hierarchy{{"cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct"}}},
		"below it":              {"3:cpu,cpuacct:/a/b\n", []hierarchy{{"cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct/a/b"}}},
		"a part is mounted":     {"4:memory:/docker/abc/x\n", []hierarchy{{"memory", "/sys/fs/cgroup/memory/x"}}},
		"all of that part":      {"4:memory:/docker/abc\n", []hierarchy{{"memory", "/sys/fs/cgroup/memory"}}},
		"named, and version 2":  {"1:name=systemd:/s\n0::/u\n", []hierarchy{{"name=systemd", "/sys/fs/cgroup/systemd/s"}, {"", "/sys/fs/cgroup/unified/u"}}},
		"mounted nowhere":       {"7:pids:/\n", nil},
		"what is no line of it": {"\nnonsense\n:\n", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := hierarchies(test.cgroup, mountinfo); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestDirectory(t *testing.T) {
	for controllers, want := range map[string]string{"cpu,cpuacct": "cpu,cpuacct", "name=systemd": "systemd", "": "unified"} {
		if got := (hierarchy{controllers: controllers}).directory(); got != want {
			t.Errorf("%q is mounted at %q, want %q", controllers, got, want)
		}
	}
}

func TestRemoveGroups(t *testing.T) {
	if err := RemoveGroups([]string{t.TempDir() + "/never-made"}, 0); err != nil {
		t.Errorf("what is not there cannot be left: %v", err)
	}
}
