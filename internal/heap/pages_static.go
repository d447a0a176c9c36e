//go:build linux && !cgo

package heap

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"syscall"
)

// giveBack unmaps the pages of the program's code and constants, which the initialisation of its packages has touched all
// over: 40 MiB, of which a command that looks into images wants a third again. The kernel keeps the file, and maps what is
// read. Where a debugger may have put breakpoints, or a loader has written addresses (which it does in a program that is linked with C
// or may be loaded anywhere), pages are no longer those of the file, and stay.
func giveBack() {
	if !fixed() {
		return
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil || !bytes.Contains(status, []byte("\nTracerPid:\t0\n")) {
		return
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return // it is memory alone
	}
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	for line := range bytes.Lines(maps) {
		fields := bytes.Fields(line) // proc_pid_maps(5): from-to rights offset device inode path
		if len(fields) < 6 || fields[1][1] == 'w' || string(fields[5]) != self {
			continue
		}
		from, to, _ := bytes.Cut(fields[0], []byte("-"))
		start, err1 := strconv.ParseUint(string(from), 16, 64)
		end, err2 := strconv.ParseUint(string(to), 16, 64)
		if err1 == nil && err2 == nil && start < end {
			_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, uintptr(start), uintptr(end-start), syscall.MADV_DONTNEED)
		}
	}
}

// fixed says whether the program was linked for one address: its ELF header is of type ET_EXEC (elf(5)).
func fixed() bool {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return false
	}
	defer self.Close() //nolint:errcheck // it was only read
	var header [18]byte
	_, err = io.ReadFull(self, header[:])
	return err == nil && header[16]|header[17] == 2 // in either order of bytes
}
