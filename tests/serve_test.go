package tests

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"taskapi/config"
	httpserver "taskapi/routes/server"
)

func TestServeAnswersWhatIsUnderWayAndReturnsWhenItsContextEnds(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		calls := taskCalls(t, s)
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		s.address = listener.Addr().String()
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- httpserver.Serve(ctx, s.app, listener, s.drain) }()
		unlock := lockTasks(t, s)
		inFlight := make(chan answer)
		go func() { inFlight <- s.send(t, calls[3]) }()
		pool, err := s.db.DB()
		require.NoError(t, err)
		require.Eventually(t, func() bool { return pool.Stats().InUse == 2 }, 5*time.Second, time.Millisecond,
			"the lock's connection and the request's")

		stop()
		require.Eventually(t, func() bool { return s.send(t, request{method: "GET", path: "/ready"}).StatusCode == 503 },
			5*time.Second, time.Millisecond)
		for _, r := range calls {
			unavailable(t, s.send(t, r))
		}
		require.Equal(t, 200, s.send(t, request{method: "GET", path: "/health"}).StatusCode)
		select {
		case err := <-ended:
			t.Fatal(err, "the shutdown did not wait for the request in flight")
		default:
		}
		unlock()
		require.Equal(t, 200, (<-inFlight).StatusCode)
		require.NoError(t, <-ended)
		_, err = http.Get("http://" + s.address + "/health")
		require.Error(t, err, "the server still listens")
	})
}

// brokenListener fails to accept.
type brokenListener struct{ net.Listener }

func (brokenListener) Accept() (net.Conn, error) { return nil, errBroken }

var errBroken = errors.New("out of order")

func TestServeReturnsTheFaultOfItsListener(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	require.ErrorIs(t, httpserver.Serve(context.Background(), s.app, brokenListener{listener}, s.drain), errBroken)
}

// It changes the working directory, so it cannot be parallel.
func TestLoadMakesASecretOnceAndReadsItsThreeSourcesInOrder(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range settings {
		t.Setenv(name, "")
	}
	load := func() (*config.Config, string) {
		var notices strings.Builder
		cfg, err := config.Load()
		require.NoError(t, err)
		require.NoError(t, cfg.EnsureSecret(&notices))
		return cfg, notices.String()
	}
	require.NoError(t, os.WriteFile(".env", []byte("PORT=1\nHOST=10.0.0.1\nLOG_LEVEL=warn\n"), 0o600))
	require.NoError(t, os.WriteFile(".env.local", []byte("HOST=10.0.0.2\nLOG_LEVEL=error"), 0o644))
	t.Setenv("LOG_LEVEL", "debug")

	first, notices := load()
	require.Contains(t, notices, ".env.local")
	require.NotContains(t, notices, first.Secret)
	require.Regexp(t, `^made-for-development-[\w-]{43}$`, first.Secret)
	require.Equal(t, "10.0.0.2:1", first.Address())
	require.Equal(t, "DEBUG", first.LogLevel.String())
	info, err := os.Stat(".env.local")
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())

	second, notices := load()
	require.Empty(t, notices)
	require.Equal(t, first, second)

	require.NoError(t, os.WriteFile(".env.local", []byte("BETTER_AUTH_SECRET='s3cret\nbroken"), 0o600))
	_, err = config.Load()
	require.ErrorContains(t, err, ".env.local")
	require.NotContains(t, err.Error(), "s3cret")
	require.NoError(t, os.Remove(".env.local"))
	require.NoError(t, os.Mkdir(".env.local", 0o700))
	_, err = config.Load()
	require.ErrorContains(t, err, ".env.local")
}

// shortListener first fails for lack of file descriptors.
type shortListener struct {
	net.Listener
	shortages atomic.Int32
}

func (l *shortListener) Accept() (net.Conn, error) {
	if l.shortages.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

func TestAServerThatRunsOutOfFileDescriptorsGoesOn(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	short := &shortListener{Listener: listener}
	short.shortages.Store(3)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- httpserver.Serve(ctx, s.app, short, s.drain) }()
	s.address = listener.Addr().String()
	require.Equal(t, 200, s.send(t, request{method: "GET", path: "/health"}).StatusCode)
	stop()
	require.NoError(t, <-ended)
}

func TestANewDatabaseFileIsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	databaseURL := newSQLite(t)
	newServer(t, databaseURL).as("ann").create(t, "private")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(strings.TrimPrefix(databaseURL, "sqlite://") + suffix)
		require.NoError(t, err)
		require.EqualValues(t, 0o600, info.Mode().Perm(), suffix)
	}
}

func TestTheAccessLogCountsTheBytesOfAStreamedAnswer(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	asset := s.send(t, request{method: "GET", path: "/docs/swagger-ui.css"})
	require.EqualValues(t, len(asset.body), s.logs.lines(t, "request")[0]["bytes"])
}
