package enclosure

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// hierarchy is one tree of control groups, and where in it a process is.
type hierarchy struct {
	// controllers as the kernel writes them: "cpu,cpuacct", "name=systemd", or "" for version 2.
	controllers string
	// group is the directory of the process's own group.
	group string
}

// directory is the name that the hierarchy's mount has below /sys/fs/cgroup.
func (h hierarchy) directory() string {
	if h.controllers == "" {
		return "unified"
	}
	return strings.TrimPrefix(h.controllers, "name=")
}

// hierarchies reads where a process is from the text of its /proc/PID/cgroup, and where that can be seen from the text
// of its mountinfo (both proc(5)). A hierarchy that is mounted nowhere is left out.
func hierarchies(cgroup, mountinfo string) []hierarchy {
	mounts := map[string][2]string{} // by controllers: the mount's root and its place
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(strings.TrimSpace(line), " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(kind) < 3 {
			continue
		}
		root, place := fields[3], fields[4]
		switch kind[0] {
		case "cgroup2":
			mounts[""] = [2]string{root, place}
		case "cgroup":
			for option := range strings.SplitSeq(kind[2], ",") {
				mounts[option] = [2]string{root, place}
			}
		}
	}
	var list []hierarchy
	for line := range strings.Lines(cgroup) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		first, _, _ := strings.Cut(parts[1], ",")
		mount, ok := mounts[first]
		if !ok {
			continue
		}
		list = append(list, hierarchy{parts[1], filepath.Join(mount[1], strings.TrimPrefix(parts[2], strings.TrimSuffix(mount[0], "/")))})
	}
	return list
}

func ownHierarchies() ([]hierarchy, error) {
	cgroup, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("find control groups: %w", err)
	}
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("find control groups: %w", err)
	}
	return hierarchies(string(cgroup), string(mountinfo)), nil
}

// Groups are control groups of the enclosure's own, one below that of this process in every hierarchy.
type Groups struct {
	// Paths are their directories.
	Paths []string

	own []hierarchy
}

// NewGroups are groups of that name, which are still to be made.
func NewGroups(name string) (*Groups, error) {
	own, err := ownHierarchies()
	if err != nil {
		return nil, err
	}
	g := &Groups{own: own}
	for _, h := range own {
		g.Paths = append(g.Paths, filepath.Join(h.group, name))
	}
	return g, nil
}

// Make makes the groups. They are to be removed: see RemoveGroups.
func (g *Groups) Make() error {
	for i, path := range g.Paths {
		if err := os.Mkdir(path, 0o755); err != nil {
			return fmt.Errorf("make control group: %w", err)
		}
		// Nobody may join a group of cpuset that has neither processors nor memory.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			data, err := os.ReadFile(filepath.Join(g.own[i].group, file))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(path, file), data, 0o600)
			}
			if err != nil {
				return fmt.Errorf("make control group: %w", err)
			}
		}
	}
	return nil
}

// Within runs start while this process is in the groups, so that what start starts is in them, and in a namespace whose root they are.
func (g *Groups) Within(start func() error) error {
	err := join(g.Paths)
	if err == nil {
		err = start()
	}
	var own []string
	for _, h := range g.own {
		own = append(own, h.group)
	}
	return errors.Join(err, join(own))
}

func join(groups []string) error {
	for _, path := range groups {
		if err := os.WriteFile(filepath.Join(path, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
			return fmt.Errorf("join control group: %w", err)
		}
	}
	return nil
}

// RemoveGroups removes groups and all below them as their processes end, and gives up when that takes longer than patience.
func RemoveGroups(paths []string, patience time.Duration) error {
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		var errs []error
		for _, path := range paths {
			errs = append(errs, removeGroup(path))
		}
		err := errors.Join(errs...)
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}

func removeGroup(path string) error {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove control group: %w", err)
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeGroup(filepath.Join(path, entry.Name())); err != nil {
				return err
			}
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove control group: %w", err)
	}
	return nil
}
