package main

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"net"
)

// The first two messages of SCTP's handshake, by hand over a raw socket (RFC 9260, sections 3 and 5.1): a filter sees what
// it would see of a kernel that speaks SCTP, which not every one does.
const (
	sctpProtocol = "ip4:132"
	sctpHeader   = 12 // source port, destination port, tag, checksum
	sctpInit     = 1
	sctpInitAck  = 2
)

// packet is one chunk of that kind with the fields that INIT and INIT ACK share.
func packet(from, to int, tag uint32, kind byte, own uint32) []byte {
	const length = 20
	b := make([]byte, sctpHeader+length)
	binary.BigEndian.PutUint16(b[0:], uint16(from))
	binary.BigEndian.PutUint16(b[2:], uint16(to))
	binary.BigEndian.PutUint32(b[4:], tag)
	c := b[sctpHeader:]
	c[0] = kind
	binary.BigEndian.PutUint16(c[2:], length)
	binary.BigEndian.PutUint32(c[4:], own)    // the tag that the other end is to use
	binary.BigEndian.PutUint32(c[8:], 65536)  // receive window
	binary.BigEndian.PutUint16(c[12:], 1)     // streams out
	binary.BigEndian.PutUint16(c[14:], 1)     // streams in
	binary.BigEndian.PutUint32(c[16:], own+1) // first sequence number
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// chunk is what of a packet matters here.
type chunk struct {
	from, to int
	kind     byte
	own      uint32 // the tag that the other end is to use
}

// parse reads what packet writes; ok is false for anything shorter.
func parse(b []byte) (c chunk, ok bool) {
	if len(b) < sctpHeader+8 {
		return chunk{}, false
	}
	return chunk{
		from: int(binary.BigEndian.Uint16(b)), to: int(binary.BigEndian.Uint16(b[2:])),
		kind: b[sctpHeader], own: binary.BigEndian.Uint32(b[sctpHeader+4:]),
	}, true
}

func serveSCTP(own net.IP, ports map[int]bool) error {
	conn, err := net.ListenIP(sctpProtocol, &net.IPAddr{IP: own})
	if err != nil {
		return err
	}
	buffer := make([]byte, 1500)
	for {
		n, peer, err := conn.ReadFrom(buffer)
		if err != nil {
			return err
		}
		if c, ok := parse(buffer[:n]); ok && c.kind == sctpInit && ports[c.to] {
			_, _ = conn.WriteTo(packet(c.to, c.from, c.own, sctpInitAck, c.own), peer)
		}
	}
}

// sctp ends with the answer to INIT: nobody keeps an association that was not begun by a cookie.
func (a *attempt) sctp() (string, error) {
	var local *net.IPAddr
	if a.From != "" {
		local = &net.IPAddr{IP: net.ParseIP(a.From)}
	}
	remote := net.ParseIP(a.Address)
	if remote == nil {
		return "", errors.New("no address")
	}
	conn, err := net.DialIP(sctpProtocol, local, &net.IPAddr{IP: remote})
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }() // what matters has been read or sent
	const firstFree, free = 32768, 28000
	port, tag := firstFree+rand.IntN(free), rand.Uint32()|1
	_, err = ask(headless{conn}, packet(port, a.Port, 0, sctpInit, tag), func(b []byte) bool {
		c, ok := parse(b)
		return ok && c == (chunk{a.Port, port, sctpInitAck, tag})
	})
	return "", err
}

// headless reads packets without the header of IPv4, which Read leaves on and ReadFrom takes off.
type headless struct{ *net.IPConn }

func (h headless) Read(b []byte) (int, error) {
	n, _, err := h.ReadFrom(b)
	return n, err
}
