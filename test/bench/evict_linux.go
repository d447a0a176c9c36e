package main

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// evict takes a file out of the kernel's memory.
func evict(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED), file.Close())
}
