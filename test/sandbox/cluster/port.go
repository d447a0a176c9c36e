package cluster

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// port is a free TCP port of the loopback address, kept from every other process until a component listens on it and beyond.
//
// The socket is bound but does not listen. With SO_REUSEPORT the API server (--permit-port-sharing) can bind the same
// port, while the kernel will not hand it to anybody who asks for any free port: there is no gap in which it could be lost.
type port struct {
	number int
	socket int
}

func reservePort() (*port, error) {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("reserve port: %w", os.NewSyscallError("socket", err))
	}
	p := &port{socket: socket}
	if err := unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		p.release()
		return nil, fmt.Errorf("reserve port: %w", os.NewSyscallError("setsockopt", err))
	}
	if err := unix.Bind(socket, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		p.release()
		return nil, fmt.Errorf("reserve port: %w", os.NewSyscallError("bind", err))
	}
	name, err := unix.Getsockname(socket)
	if err != nil {
		p.release()
		return nil, fmt.Errorf("reserve port: %w", os.NewSyscallError("getsockname", err))
	}
	p.number = name.(*unix.SockaddrInet4).Port
	return p, nil
}

// release closes a socket that carries no data, so there is no error to act on.
func (p *port) release() { _ = unix.Close(p.socket) }
