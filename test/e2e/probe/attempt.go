package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// attempt is one connection to try, and then what became of it.
type attempt struct {
	ID       int    `json:"id"`
	Protocol string `json:"protocol"` // TCP, UDP, SCTP, or DNS: ask that server for Name
	Address  string `json:"address"`
	Port     int    `json:"port"`
	Name     string `json:"name,omitempty"`
	From     string `json:"from,omitempty"` // own address, where there are several

	// Outcome is "open" when an answer came, which By holds; "closed" when a filter said so; "silent" when nothing came; else "failed".
	Outcome string `json:"outcome"`
	By      string `json:"by,omitempty"`
	Error   string `json:"error,omitempty"`
}

const (
	patience = 5 * time.Second
	again    = 500 * time.Millisecond // after this, a datagram may have been lost
)

func (a *attempt) make() {
	ways := map[string]func() (string, error){"TCP": a.tcp, "UDP": a.udp, "SCTP": a.sctp, "DNS": a.dns}
	way, ok := ways[a.Protocol]
	if !ok {
		a.Outcome, a.Error = "failed", "no such protocol"
		return
	}
	by, err := way()
	var timeout net.Error
	switch {
	case err == nil:
		a.Outcome, a.By = "open", strings.TrimSpace(by)
		return
	case errors.Is(err, syscall.EHOSTUNREACH): // what ICMP's "administratively prohibited" becomes
		a.Outcome = "closed"
	case errors.As(err, &timeout) && timeout.Timeout():
		a.Outcome = "silent"
	default:
		a.Outcome = "failed"
	}
	a.Error = err.Error()
}

func (a *attempt) target() string { return net.JoinHostPort(a.Address, strconv.Itoa(a.Port)) }

func (a *attempt) tcp() (string, error) {
	dialer := net.Dialer{Timeout: patience}
	if a.From != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(a.From)}
	}
	conn, err := dialer.DialContext(context.Background(), "tcp4", a.target())
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }() // what matters has been read or sent
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	return bufio.NewReader(conn).ReadString('\n')
}

func (a *attempt) udp() (string, error) {
	dialer := net.Dialer{Timeout: patience}
	if a.From != "" {
		dialer.LocalAddr = &net.UDPAddr{IP: net.ParseIP(a.From)}
	}
	conn, err := dialer.DialContext(context.Background(), "udp4", a.target())
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }() // what matters has been read or sent
	answer, err := ask(conn, []byte("who?\n"), func([]byte) bool { return true })
	return string(answer), err
}

// ask sends a datagram, again when no answer comes that is wanted.
func ask(conn net.Conn, question []byte, wanted func([]byte) bool) ([]byte, error) {
	buffer := make([]byte, 1500)
	for end := time.Now().Add(patience); ; {
		if _, err := conn.Write(question); err != nil {
			return nil, err
		}
		if err := conn.SetReadDeadline(time.Now().Add(again)); err != nil {
			return nil, err
		}
		for {
			n, err := conn.Read(buffer)
			if err == nil && wanted(buffer[:n]) {
				return buffer[:n], nil
			}
			if err == nil {
				continue
			}
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() && time.Now().Before(end) {
				break
			}
			return nil, err
		}
	}
}

func (a *attempt) dns() (string, error) {
	var refused error
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "udp4", a.target())
		if err != nil {
			return nil, err
		}
		return &noting{conn.(*net.UDPConn), &refused}, nil
	}}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	addresses, err := resolver.LookupHost(ctx, a.Name)
	if err != nil {
		return "", fmt.Errorf("%w (%w)", err, errors.Join(refused))
	}
	return strings.Join(addresses, " "), nil
}

// noting keeps the error of a read, which the resolver turns into a text.
type noting struct {
	*net.UDPConn
	refused *error
}

func (n *noting) Read(b []byte) (int, error) {
	got, err := n.UDPConn.Read(b)
	if err != nil {
		*n.refused = err
	}
	return got, err
}
