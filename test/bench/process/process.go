// Package process measures what one process costs.
package process

import (
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// Figures are CPU seconds (user and system), wall seconds and peak resident MiB.
type Figures struct{ CPU, Wall, Peak float64 }

// Measure runs a command. Of one that ended with another code than 0 the figures stand beside the error.
func Measure(cmd *exec.Cmd) (Figures, error) {
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if err != nil {
		err = fmt.Errorf("run %v: %w", cmd.Args, err)
	}
	if cmd.ProcessState == nil {
		return Figures{}, err
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return Figures{}, errors.Join(err, errors.New("no resource usage on this system"))
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return Figures{CPU: cpu.Seconds(), Wall: wall.Seconds(), Peak: float64(usage.Maxrss) / 1024}, err
}

// Median is the median of each figure.
func Median(list []Figures) Figures {
	pick := func(of func(Figures) float64) float64 {
		values := make([]float64, 0, len(list))
		for _, f := range list {
			values = append(values, of(f))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return Figures{
		CPU:  pick(func(f Figures) float64 { return f.CPU }),
		Wall: pick(func(f Figures) float64 { return f.Wall }),
		Peak: pick(func(f Figures) float64 { return f.Peak }),
	}
}
