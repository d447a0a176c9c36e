package main

import (
	"fmt"
	"io"
	"net"
	"sync"
)

// relay hands each connection to an address on to a socket of the file system: whoever listens there is then in this network,
// wherever it runs. It ends with the first error of the listener.
func relay(address, socket string) error {
	listener, err := net.Listen("tcp4", address) //nolint:noctx // until the process ends
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		go func() {
			defer func() { _ = conn.Close() }()     // both ends see it
			behind, err := net.Dial("unix", socket) //nolint:noctx // it is on this machine
			if err != nil {
				return
			}
			defer func() { _ = behind.Close() }()
			exchange(conn.(*net.TCPConn), behind.(*net.UnixConn))
		}()
	}
}

// exchange copies both ways until both have ended.
func exchange(a *net.TCPConn, b *net.UnixConn) {
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(a, b)
		_ = a.CloseWrite()
	})
	both.Go(func() {
		_, _ = io.Copy(b, a)
		_ = b.CloseWrite()
	})
	both.Wait()
}
