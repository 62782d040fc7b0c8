package server

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// ReadTimeout limits the arrival of a request, from its first byte on.
const ReadTimeout = 10 * time.Second

// sendBuffer is about how many bytes of an answer the system buffers for a client that does not read. The default grows to
// megabytes, and many such clients would use up the memory for TCP.
const sendBuffer = 128 << 10

// listener waits while the system has no file descriptors, an error at which fasthttp would stop, and sets [sendBuffer].
type listener struct {
	net.Listener
	idleTimeout time.Duration
}

// Accept implements [net.Listener].
func (l listener) Accept() (net.Conn, error) {
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		accepted, err := l.Listener.Accept()
		if tcp, ok := accepted.(*net.TCPConn); ok {
			_ = tcp.SetWriteBuffer(sendBuffer)
			return &conn{TCPConn: tcp, idleTimeout: l.idleTimeout}, nil
		}
		var shortage interface{ Temporary() bool }
		if err == nil || !errors.As(err, &shortage) || !shortage.Temporary() {
			return accepted, err
		}
		time.Sleep(wait)
	}
}

// conn is a connection that counts as idle before its first request too: proxies open some in advance. It also counts
// request lines that end in a bare LF, which fasthttp does not tell from others.
type conn struct {
	*net.TCPConn
	idleTimeout time.Duration
	begun       bool
	bareLines   int
	last        [len(" HTTP/1.1")]byte
}

// SetReadDeadline implements [net.Conn].
func (c *conn) SetReadDeadline(deadline time.Time) error {
	if !c.begun {
		deadline = time.Now().Add(c.idleTimeout)
	}
	return c.TCPConn.SetReadDeadline(deadline)
}

// Read implements [io.Reader]. A connection that idles too long just ends: a 408 could be taken for the answer to a request
// that is on its way.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if !c.begun {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return n, io.EOF
		}
		c.begun = true
		_ = c.SetReadDeadline(time.Now().Add(ReadTimeout))
	}
	var both [2 * len(c.last)]byte
	edge := append(append(both[:0], c.last[:]...), p[:min(n, len(c.last))]...)
	c.bareLines += countBareLines(edge) + countBareLines(p[:n])
	if n > len(c.last) {
		edge = p[:n]
	}
	copy(c.last[:], edge[len(edge)-len(c.last):])
	return n, err
}

// countBareLines counts the ends of request lines that lack a CR. A JSON text has none.
func countBareLines(text []byte) int {
	return bytes.Count(text, []byte(" HTTP/1.1\n")) + bytes.Count(text, []byte(" HTTP/1.0\n"))
}
