package cluster

import (
	"net"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A reserved port is free for the one who knows of it and for nobody else.
func TestReservePort(t *testing.T) {
	reserved, err := reservePort()
	if err != nil {
		t.Fatal(err)
	}
	defer reserved.release()
	address := net.JoinHostPort(loopback, strconv.Itoa(reserved.number))

	if stranger, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address); err == nil {
		stranger.Close()
		t.Errorf("%s can be taken away", address)
	}
	sharing := net.ListenConfig{Control: func(_, _ string, connection syscall.RawConn) error {
		var optErr error
		err := connection.Control(func(fd uintptr) { optErr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
		if err != nil {
			return err
		}
		return optErr
	}}
	listener, err := sharing.Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatalf("listen as the API server does: %v", err)
	}
	defer listener.Close()

	// Every connection must reach the listener: the reserving socket does not take part.
	for range 20 {
		client, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		server, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		client.Close()
		server.Close()
	}
}
