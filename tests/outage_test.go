package tests

import (
	"context"
	"database/sql"
	"net"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// recovery is the longest time between the return of the database and the first answer: an attempt to connect that was lost
// takes three seconds, the rest is for a slow machine.
const recovery = 10 * time.Second

// survives requires of a program under load that it answers 503 within its deadline of one second during an outage of its
// database, serves again soon after it, and has every task that it acknowledged.
func survives(t *testing.T, p *process, begin, end func()) {
	t.Helper()
	users := strings.Fields(strings.Repeat("ann bob ", 12)) // more clients than connections to the database
	tr := startTraffic(t, []*process{p}, users...)
	tr.await(t, 201, 100)
	begin()
	tr.await(t, 503, len(users)+1) // some have asked twice
	p.call(t, 200, "GET", "/health", "", "")
	unavailable(t, p.call(t, 503, "GET", "/ready", "", ""))
	end()
	back := time.Now()
	tr.await(t, 201, 1)
	first := time.Since(back)
	p.await(t, "/ready", "")
	ready := time.Since(back)
	tr.await(t, 201, 100)
	tr.stop()
	t.Logf("the first task after %s, ready after %s, the slowest answer after %s of %v", first, ready, tr.slowest, tr.answers)
	require.Less(t, max(first, ready), recovery)
	require.Less(t, tr.slowest, 4*time.Second)
	require.Empty(t, tr.wrong)
	require.Empty(t, tr.unanswered)
	require.Empty(t, tr.lost(t, p, "ann", "bob"))
	require.False(t, p.hasEnded())
	for _, word := range []string{"panic", `"ERROR"`} {
		require.NotContains(t, p.stderr.String(), word)
	}
}

func TestPostgreSQLMayStopUnderLoad(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	postgres := ownPostgres(t)
	p := newHome(t).start(t, inProduction("DATABASE_URL="+postgres.url, "REQUEST_TIMEOUT=1s")...)
	again := func() { require.NoError(t, postgres.start()) }
	t.Run("in order", func(t *testing.T) { survives(t, p, func() { postgres.end("INT") }, again) })
	t.Run("at once", func(t *testing.T) { survives(t, p, func() { postgres.end("QUIT") }, again) })
	t.Run("without a word", func(t *testing.T) {
		if runtime.GOOS != "linux" {
			t.Skip("only Linux lists the processes of the server")
		}
		survives(t, p, func() { postgres.signal(t, syscall.SIGSTOP) }, func() { postgres.signal(t, syscall.SIGCONT) })
	})
}

func TestTheWayToPostgreSQLMayBreakUnderLoadForTheConnectionsThatThereAre(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	w, databaseURL := newWire(t, newPostgres(t))
	p := newHome(t).start(t, inProduction("DATABASE_URL="+databaseURL, "REQUEST_TIMEOUT=1s")...)
	survives(t, p, w.gate.Lock, func() {
		w.dead.Store(w.accepted.Load()) // those that were tried meanwhile, too
		w.gate.Unlock()
	})
}

func TestConnectionsThatDiedIdleCostNoRequestItsAnswer(t *testing.T) {
	t.Parallel()
	w, databaseURL := newWire(t, newPostgres(t))
	s := newServer(t, databaseURL)
	calls := taskCalls(t, s)
	pool, err := s.db.DB()
	require.NoError(t, err)
	openAll(t, pool)
	w.dead.Store(w.accepted.Load())
	time.Sleep(1100 * time.Millisecond) // one that was in use within the last second is taken to be alive
	for _, r := range calls {
		require.Less(t, s.send(t, r).StatusCode, 300)
	}
	require.Greater(t, pool.Stats().Idle, 1, "some connections are still the dead ones")
}

// openAll opens all connections that a pool may have, and leaves them idle.
func openAll(t testing.TB, pool *sql.DB) {
	t.Helper()
	for range pool.Stats().MaxOpenConnections {
		conn, err := pool.Conn(context.Background())
		require.NoError(t, err)
		defer conn.Close()
	}
}

// wire is a network that may drop packets: they are neither delivered nor refused.
type wire struct {
	gate     sync.RWMutex // locked while nothing is delivered
	accepted atomic.Int64 // connections
	dead     atomic.Int64 // of them, the first, for good
	cut      atomic.Bool  // what the database answers is lost, and its connection closed
}

// newWire returns a wire to a database and the URL that leads through it.
func newWire(t *testing.T, databaseURL string) (w *wire, wiredURL string) {
	t.Helper()
	u, err := url.Parse(databaseURL)
	require.NoError(t, err)
	to := u.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	u.Host, w = listener.Addr().String(), &wire{}
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			number := w.accepted.Add(1)
			onward, err := net.Dial("tcp", to)
			if err != nil {
				_ = from.Close()
				continue
			}
			go w.deliver(number, from, onward, nil)
			go w.deliver(number, onward, from, &w.cut)
		}
	}()
	return w, u.String()
}

func (w *wire) deliver(number int64, from, to net.Conn, cut *atomic.Bool) {
	defer from.Close()
	defer to.Close()
	packet := make([]byte, 64<<10)
	for {
		n, err := from.Read(packet)
		w.gate.RLock()
		dead := number <= w.dead.Load()
		w.gate.RUnlock()
		if err != nil || cut != nil && cut.Load() {
			return
		}
		if !dead {
			_, _ = to.Write(packet[:n])
		}
	}
}
