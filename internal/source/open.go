package source

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/coaming/coaming/internal/verdict"
)

// writerWait is how long a named pipe is waited for: 'helm template > pipe &' may need a moment to open its end.
const writerWait = 5 * time.Second

// Open opens a file that a user named, and waits for nothing without end: a device is refused, and a
// named pipe that nobody opens for writing. What the process was handed (/dev/stdin, <(command)) is
// read as it comes.
func Open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return os.Open(path) // the error is in the words of opening
	}
	switch mode := info.Mode(); {
	case mode.IsRegular() || mode.IsDir() || handedOver(path) || path == os.DevNull:
		return os.Open(path)
	case mode&fs.ModeNamedPipe != 0:
		return openPipe(path, writerWait)
	default:
		return nil, &verdict.RemedyError{
			Err: fmt.Errorf("%s is a device or a socket, which may never end", path), Remedy: "Name a file, or - for standard input.",
		}
	}
}

// openPipe opens a named pipe once somebody has opened it for writing.
func openPipe(path string, patience time.Duration) (*os.File, error) {
	type answer struct {
		file *os.File
		err  error
	}
	answers := make(chan answer, 1)
	go func() { // when nobody ever comes it ends with the process: nobody can interrupt the opening of a pipe
		file, err := os.Open(path)
		answers <- answer{file, err}
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case a := <-answers:
		return a.file, a.err
	case <-timer.C:
		return nil, &verdict.RemedyError{
			Err:    fmt.Errorf("%s is a pipe that nobody opened for writing within %s", path, patience),
			Remedy: "Name a file, or pipe into the command and name -.",
		}
	}
}

// handedOver says whether a path is a descriptor that whoever started the process opened.
func handedOver(path string) bool {
	path = filepath.Clean(path)
	return path == "/dev/stdin" || strings.HasPrefix(path, "/dev/fd/") || strings.HasPrefix(path, "/proc/self/fd/")
}
