package tests

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"taskapi/routes"
)

// burst is how many requests of one user a page sends at once: as many as there are rows to delete or to tick off.
const burst = 30

// BenchmarkBurst sends 30 requests of one user at once, each on a connection that stays open, and reports how long it took
// until all were answered: the median and the longest of the iterations.
func BenchmarkBurst(b *testing.B) {
	for _, engine := range []struct {
		name string
		make func(testing.TB) string
	}{{"SQLite", newSQLite}, {"PostgreSQL", newPostgres}} {
		s := newServer(b, engine.make(b))
		deps := s.deps
		deps.Log, deps.Metrics = s.cfg.Logger(devNull(b)), nil
		app := routes.New(deps)
		address := listenLoopback(b, app.Listener, app.Shutdown)
		b.Run(engine.name+"/DELETE", func(b *testing.B) { benchBurst(b, address, "DELETE", "", 204) })
		b.Run(engine.name+"/PATCH", func(b *testing.B) { benchBurst(b, address, "PATCH", `{"completed":true}`, 200) })
	}
}

func benchBurst(b *testing.B, address, method, body string, status int) {
	user := &loadUser{token: tokenOf(b, "ann")}
	connections := make([]net.Conn, burst)
	for i := range connections {
		var err error
		connections[i], err = net.Dial("tcp", address)
		require.NoError(b, err)
		defer connections[i].Close()
	}
	var all []time.Duration
	for b.Loop() {
		requests := make([][]byte, burst)
		for i := range requests {
			var made task
			require.NoError(b, json.Unmarshal(user.once(b, address, "POST", "/api/tasks", loadInput).Body(), &made))
			requests[i] = rawRequest(method, path(made.ID), user.token, body)
		}
		faults := make([]error, burst)
		var clients sync.WaitGroup
		begin := time.Now()
		for i, connection := range connections {
			clients.Go(func() { faults[i] = exchange(connection, requests[i], status) })
		}
		clients.Wait()
		all = append(all, time.Since(begin))
		require.NoError(b, errors.Join(faults...))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(median(all).Microseconds())/1000, "median-ms")
	b.ReportMetric(float64(slices.Max(all).Microseconds())/1000, "max-ms")
}

// exchange sends a request on an open connection and reads the answer.
func exchange(connection net.Conn, request []byte, status int) error {
	if _, err := connection.Write(request); err != nil {
		return err
	}
	var response fasthttp.Response
	if err := response.Read(bufio.NewReader(connection)); err != nil {
		return err
	}
	if response.StatusCode() != status {
		return fmt.Errorf("%d, not %d: %s", response.StatusCode(), status, response.Body())
	}
	return nil
}

func listenLoopback(b *testing.B, serve func(net.Listener) error, stop func() error) (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	go func() { _ = serve(listener) }()
	b.Cleanup(func() { _ = stop() })
	return listener.Addr().String()
}
