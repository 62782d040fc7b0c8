package tests

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAUserOverTheRateLimitIsTold429AndNobodyElseIs(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		s := newServer(t, databaseURL, "RATE_LIMIT", "5")
		for i := range 5 {
			got := s.as("ann").call(t, 200, "GET", "/api/tasks")
			require.Equal(t, `"user";q=5;w=60`, got.Header.Get("RateLimit-Policy"))
			require.Equal(t, fmt.Sprintf(`"user";r=%d;t=%d`, 4-i, 12*(i+1)), got.Header.Get("RateLimit"))
			require.Empty(t, got.Header.Get("Retry-After"))
		}
		for _, r := range []request{
			{method: "GET", path: "/api/tasks"}, {method: "POST", path: "/api/tasks", body: `{"title":"x"}`}, {method: "GET", path: "/api/tasks/x"},
			{method: "PUT", path: "/api/tasks/1", body: `{"title":"x"}`},
			{method: "PATCH", path: "/api/tasks/1/complete"}, {method: "DELETE", path: "/api/tasks/1"},
			{method: "PATCH", path: "/api/tasks/1", body: `{}`},
		} {
			r.user = "ann"
			got := s.send(t, r)
			require.Equal(t, 429, got.StatusCode)
			require.Equal(t, `{"detail":"Too Many Requests"}`, string(got.body))
			require.Equal(t, "12", got.Header.Get("Retry-After"))
			require.Equal(t, `"user";r=0;t=60`, got.Header.Get("RateLimit"))
		}
		require.Empty(t, s.as("bob").list(t))
		s.send(t, request{method: "GET", path: "/health"})

		for range 5 {
			require.Equal(t, 401, s.send(t, request{method: "GET", path: "/api/tasks"}).StatusCode)
		}
		for _, authorization := range []string{"", "x"} {
			got := s.send(t, request{method: "GET", path: "/api/tasks", header: bearer(authorization)})
			require.Equal(t, 429, got.StatusCode, "requests without a token count per address")
			require.Equal(t, "12", got.Header.Get("Retry-After"))
		}
		expired := request{method: "GET", path: "/api/tasks", header: bearer(claim(`{"user_id":"ann","exp":%d}`, -time.Hour))}
		require.Equal(t, 401, s.send(t, expired).StatusCode, "an expired token is refused by the limit of its address")
		require.Empty(t, s.as("carol").list(t), "a user is refused by the limit of the address")
		for range 10 {
			require.Equal(t, 200, s.send(t, request{method: "GET", path: "/health"}).StatusCode)
			require.Equal(t, 200, s.send(t, request{method: "GET", path: "/ready"}).StatusCode)
		}
	})
}

// from is a connection of an address.
type from struct {
	net.Conn
	address netip.Addr
}

func (f from) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(f.address, 1234))
}

func TestTheAddressesThatAnIPv6ClientHasShareTheLimit(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t), "RATE_LIMIT", "2")
	s.send(t, request{method: "GET", path: "/health"}) // makes Fiber build its routes
	for _, c := range []struct {
		address string
		want    int
	}{
		{"2001:db8:1:2::1", 401}, {"2001:db8:1:2:ffff::1", 401}, {"2001:db8:1:2:3:4:5:6", 429}, {"2001:db8:1:3::1", 401},
		{"192.0.2.1", 401}, {"192.0.2.1", 401}, {"192.0.2.1", 429}, {"192.0.2.2", 401}, {"::ffff:192.0.2.1", 429}, {"::ffff:192.0.2.3", 401},
	} {
		client, conn := net.Pipe()
		go func() {
			_ = s.app.Server().ServeConn(from{conn, netip.MustParseAddr(c.address)})
			_ = conn.Close()
		}()
		_, err := io.WriteString(client, "GET /api/tasks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		require.NoError(t, err)
		got, err := http.ReadResponse(bufio.NewReader(client), nil)
		require.NoError(t, err)
		require.Equal(t, c.want, got.StatusCode, c.address)
		_ = got.Body.Close()
		_ = client.Close()
	}
}

func TestRequestsAtOnceCannotSlipPastTheRateLimit(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t), "RATE_LIMIT", "20")
	var allowed atomic.Int64
	var requests sync.WaitGroup
	for range 60 {
		requests.Go(func() {
			if s.send(t, request{method: "GET", path: "/api/tasks", user: "ann"}).StatusCode == 200 {
				allowed.Add(1)
			}
		})
	}
	requests.Wait()
	require.Contains(t, []int64{20, 21}, allowed.Load()) // one more is allowed every three seconds
}

func TestThereIsNoRateLimitByDefault(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	for range 200 {
		require.Empty(t, s.as("ann").call(t, 200, "GET", "/api/tasks").Header.Get("RateLimit"))
	}
}
