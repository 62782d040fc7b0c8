package tests

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// idleConnections are the ways in which a client has a connection that it does not use.
func idleConnections(t testing.TB, address string) map[string]*trafficConnection {
	t.Helper()
	all := map[string]*trafficConnection{}
	for name, request := range map[string]string{
		"opened in advance (502s of balancers that open spare connections)": "",
		"kept after an answer (502s of AWS's balancer, which keeps 60s)":    "GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		c := &trafficConnection{}
		require.True(t, c.connect(address))
		t.Cleanup(c.hangUp)
		if request != "" {
			_, _, err := c.roundTrip(request)
			require.NoError(t, err)
		}
		all[name] = c
	}
	return all
}

func TestAnIdleConnectionIsKeptForTheIdleTimeoutAndThenJustEnds(t *testing.T) {
	t.Parallel()
	t.Run("longer than a request may take to arrive", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, newSQLite(t), "IDLE_TIMEOUT", "60s")
		s.listen(t)
		connections := idleConnections(t, s.address)
		time.Sleep(11 * time.Second)
		for name, c := range connections {
			response, _, err := c.roundTrip("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
			assert.NoError(t, err, name)
			if assert.NotNil(t, response, name) {
				assert.Equal(t, 200, response.StatusCode, name)
			}
		}
	})
	t.Run("no longer", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, newSQLite(t), "IDLE_TIMEOUT", "1s")
		s.listen(t)
		start := time.Now()
		for name, c := range idleConnections(t, s.address) {
			require.NoError(t, c.SetDeadline(time.Now().Add(waitLimit)))
			rest, err := io.ReadAll(c.reader)
			require.NoError(t, err, name)
			require.Empty(t, rest, "%s: a proxy could take it for the answer to its next request", name)
			require.GreaterOrEqual(t, time.Since(start), time.Second, name)
		}
	})
}

func TestTenThousandIdleConnectionsCostLittle(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	const connections, memoryEach = 10_000, 40 << 10
	body := strings.Repeat("x", 60_000)
	p := newHome(t).start(t, append(inDevelopment, "METRICS_ADDR=127.0.0.1:0")...)
	before := p.gauge(t, "process_resident_memory_bytes")
	for i := range connections {
		conn, err := net.Dial("tcp", p.address)
		if err != nil {
			t.Skipf("%d connections are open, no more: %v", i, err) // the limit of open files
		}
		t.Cleanup(func() { _ = conn.Close() })
		if i%2 == 0 {
			_, err = io.WriteString(conn, "POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"+body)
			require.NoError(t, err)
			_, err = io.ReadFull(conn, make([]byte, len("HTTP/1.1 405")))
			require.NoError(t, err)
		}
	}
	require.Eventually(t, func() bool { return p.gauge(t, "process_open_fds") > connections }, waitLimit, 10*time.Millisecond)
	after := p.gauge(t, "process_resident_memory_bytes")
	t.Logf("memory from %.0f to %.0f MB", before/1e6, after/1e6)
	require.Less(t, after-before, float64(connections*memoryEach))
	p.call(t, 200, "GET", "/health", "", "")
}
