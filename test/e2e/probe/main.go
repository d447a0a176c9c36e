// Command probe is the one program of the image that pods of the end-to-end tests run: it answers connections and tries them.
//
//	probe serve tcp:80 udp:53 sctp:7000 …   answer on these ports with the name of the pod
//	probe try                               try the connections on standard input and tell what became of them
//	probe relay 192.0.2.10:443 SOCKET       hand connections on to a socket of the file system
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "probe: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) > 1 && args[0] == "serve":
		return serve(args[1:])
	case len(args) == 1 && args[0] == "try":
		return try()
	case len(args) == 3 && args[0] == "relay":
		return relay(args[1], args[2])
	}
	return errors.New("usage: probe serve PROTOCOL:PORT… | probe try | probe relay ADDRESS SOCKET")
}

// serve ends with the first error, or never.
func serve(ports []string) error {
	name, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("find own name: %w", err)
	}
	addresses, err := ownAddresses()
	if err != nil {
		return err
	}
	failed := make(chan error)
	sctp := map[int]bool{}
	for _, word := range ports {
		protocol, number, _ := strings.Cut(word, ":")
		port, err := strconv.Atoi(number)
		if err != nil {
			return fmt.Errorf("port %q: %w", word, err)
		}
		switch protocol {
		case "tcp":
			go func() { failed <- serveTCP(port, name) }()
		case "udp":
			for _, own := range addresses {
				go func() { failed <- serveUDP(own, port, name) }()
			}
		case "sctp":
			sctp[port] = true
		default:
			return fmt.Errorf("protocol %q is none of tcp, udp, sctp", protocol)
		}
	}
	for _, own := range addresses {
		if len(sctp) > 0 {
			go func() { failed <- serveSCTP(own, sctp) }()
		}
	}
	return <-failed
}

// ownAddresses are those of IPv4. What has no connections is to be answered from the address that was asked.
func ownAddresses() ([]net.IP, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("find own addresses: %w", err)
	}
	var list []net.IP
	for _, address := range all {
		if network, ok := address.(*net.IPNet); ok && network.IP.To4() != nil {
			list = append(list, network.IP)
		}
	}
	return list, nil
}

func serveTCP(port int, name string) error {
	listener, err := net.ListenTCP("tcp4", &net.TCPAddr{Port: port})
	if err != nil {
		return err
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer func() { _ = conn.Close() }() // what matters has been read or sent
			_, _ = fmt.Fprintln(conn, name)     // who asked sees whether it came
		}()
	}
}

func serveUDP(own net.IP, port int, name string) error {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: own, Port: port})
	if err != nil {
		return err
	}
	buffer := make([]byte, 1500)
	for {
		_, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return err
		}
		_, _ = conn.WriteTo([]byte(name+"\n"), from)
	}
}

// try reads attempts, makes them side by side, and writes them back with their outcomes.
func try() error {
	var attempts []*attempt
	if err := json.NewDecoder(os.Stdin).Decode(&attempts); err != nil {
		return fmt.Errorf("read attempts: %w", err)
	}
	const most = 32
	room := make(chan struct{}, most)
	var all sync.WaitGroup
	for _, a := range attempts {
		all.Go(func() {
			room <- struct{}{}
			a.make()
			<-room
		})
	}
	all.Wait()
	return json.NewEncoder(os.Stdout).Encode(attempts)
}
