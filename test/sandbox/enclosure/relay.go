package enclosure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
)

// Relay hands every connection of a listener on to an address. The listener may be of another network namespace than the
// one that Relay dials in, which is how something inside of an enclosure is reached from the machine. It ends when accepting does.
func Relay(listener net.Listener, address string) error {
	for {
		outer, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("relay to %s: %w", address, err)
		}
		go func() {
			defer outer.Close()
			inner, err := new(net.Dialer).DialContext(context.Background(), "tcp", address)
			if err != nil {
				return // the caller sees its connection end
			}
			defer inner.Close()
			go func() {
				pass(inner, outer)
			}()
			pass(outer, inner)
		}()
	}
}

// pass copies one direction and tells the receiver when it is over; what broke, the two ends see themselves.
func pass(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
