package tests

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// portOf is the PORT setting that leads to a server.
func portOf(t testing.TB, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	return "PORT=" + port
}

func TestTheHealthCommandFindsTheServerOnEveryKindOfHost(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	hosts := []string{"", "127.0.0.1", "localhost", "0.0.0.0"}
	if listener, err := net.Listen("tcp", "[::1]:0"); err == nil { // some containers lack IPv6
		_ = listener.Close()
		hosts = append(hosts, "::", "::1")
	}
	for _, host := range hosts {
		settings := inProduction("HOST="+host, "DATABASE_URL="+newSQLite(t))
		p := newHome(t).start(t, settings...)
		h := newHome(t)
		got := h.run(t, append(settings, portOf(t, p.address), "HTTP_PROXY=http://127.0.0.1:1"), "health")
		require.Equal(t, outcome{}, got, host)
		require.Empty(t, h.files(t), "a health check leaves something behind")
	}
}

func TestTheHealthCommandFailsWithOneLineWhereNoHealthyServerAnswers(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	port, err := freePort()
	require.NoError(t, err)
	answering := func(handler http.HandlerFunc) string {
		other := httptest.NewServer(handler)
		t.Cleanup(other.Close)
		return portOf(t, other.Listener.Addr().String())
	}
	for name, c := range map[string]struct{ setting, says string }{
		"nothing listens": {fmt.Sprint("PORT=", port), "refused"},
		"a fault":         {answering(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }), "500"},
		"another server":  {answering(http.NotFound), "404"},
		"led elsewhere": {
			answering(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/docs/", http.StatusFound) }), "302",
		},
		"no answer":            {answering(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), "deadline exceeded"},
		"a setting is not one": {"PORT=x", "PORT: "},
	} {
		h, start := newHome(t), time.Now()
		got := h.run(t, []string{c.setting}, "health")
		refused(t, got, 1)
		require.Contains(t, got.stderr, c.says, name)
		require.Less(t, time.Since(start), 10*time.Second, name)
		require.Empty(t, h.files(t), "a health check makes a secret or another file")
	}
}
