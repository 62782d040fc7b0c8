package tests

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// slowClient keeps a connection open: it sends begin, then part once a second until the test ends.
type slowClient struct {
	begin, part string
	neverReads  bool // and has a small receive buffer
}

func slowClients(t testing.TB, user string) map[string]slowClient {
	t.Helper()
	post := "POST /api/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + tokenOf(t, user) + "\r\n"
	return map[string]slowClient{
		"says nothing":                    {},
		"says half a head":                {begin: post},
		"says a byte of a head a second":  {begin: post + "X-Long: ", part: "x"},
		"says a line of a head a second":  {begin: post, part: "X: y\r\n"},
		"says nothing of a large body":    {begin: post + "Content-Length: 65536\r\n\r\n"},
		"says half a body":                {begin: post + "Content-Length: 17\r\n\r\n{"},
		"says a byte of a body a second":  {begin: post + "Content-Length: 65536\r\n\r\n{", part: " "},
		"says a chunk of a body a second": {begin: post + "Transfer-Encoding: chunked\r\n\r\n", part: "1\r\n \r\n"},
		"waits for a 100 to do nothing":   {begin: post + "Expect: 100-continue\r\nContent-Length: 17\r\n\r\n"},
		"reads nothing of a large answer": {begin: "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n", neverReads: true},
		"reads nothing of a large list": {
			begin: "GET /api/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + tokenOf(t, user) + "\r\n\r\n", neverReads: true,
		},
	}
}

// connect starts the client. The channel gets all that the server sends until it closes the connection, or nothing if the
// client never reads.
func (c slowClient) connect(t testing.TB, address string) (received <-chan string, err error) {
	dialer := net.Dialer{Timeout: waitLimit}
	if c.neverReads {
		dialer.Control = func(_, _ string, raw syscall.RawConn) error {
			return raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
		}
	}
	conn, err := dialer.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, c.begin); err != nil {
		return nil, err
	}
	dropped := make(chan struct{})
	if c.part != "" {
		go func() {
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for {
				select {
				case <-dropped:
					return
				case <-tick.C:
					_, _ = io.WriteString(conn, c.part)
				}
			}
		}()
	}
	answers := make(chan string, 1)
	if !c.neverReads {
		go func() {
			all, _ := io.ReadAll(conn)
			close(dropped)
			answers <- string(all)
		}()
	}
	return answers, nil
}

// createLargeList creates tasks for a user whose list has some megabytes.
func createLargeList(t testing.TB, s *server, user string) {
	t.Helper()
	s.as(user).create(t, "x")
	pool, err := s.db.DB()
	require.NoError(t, err)
	_, err = pool.Exec(fmt.Sprintf(`INSERT INTO tasks (user_id, title, description, completed, created_at, updated_at)
		WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 500)
		SELECT user_id, title, '%s', completed, created_at, updated_at FROM tasks, numbers
		WHERE user_id = '%s'`, strings.Repeat("😀", 1000), user))
	require.NoError(t, err)
}

func TestAThousandSlowClientsAreDroppedAndSlowNobody(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("descriptors and memory are counted in /proc, which is not here")
	}
	buildProgram(t)
	t.Parallel()
	const (
		ofEachKind = 100
		allowed    = 15 * time.Second // until all connections are closed
		memoryEach = 192 << 10        // mostly for the buffer of the announced body
	)
	databaseURL := newSQLite(t)
	p := newHome(t).start(t, append(inDevelopment, "DATABASE_URL="+databaseURL, "METRICS_ADDR=127.0.0.1:0", "IDLE_TIMEOUT=10s")...)
	createLargeList(t, newServer(t, databaseURL), "bob")
	ann := tokenOf(t, "ann")
	p.call(t, 201, "POST", "/api/tasks", ann, outer)
	files, memory := p.gauge(t, "process_open_fds"), p.gauge(t, "process_resident_memory_bytes")

	kinds := slowClients(t, "bob")
	received := map[string][]<-chan string{}
	connected := make(chan time.Time)
	go func() {
		for name, kind := range kinds {
			for range ofEachKind {
				answers, err := kind.connect(t, p.address)
				assert.NoError(t, err, name)
				received[name] = append(received[name], answers)
			}
		}
		connected <- time.Now()
	}()

	// Meanwhile another user works: none of the requests takes longer than its deadline, or it would be a 503.
	var last time.Time
	var worst time.Duration
	most, requests, peak := 0.0, 0, 0.0
	for last.IsZero() || time.Since(last) < allowed && p.gauge(t, "process_open_fds") > files+20 {
		for _, body := range []string{outer, ""} {
			method, status := "POST", 201
			if body == "" {
				method, status = "GET", 200
			}
			start := time.Now()
			p.call(t, status, method, "/api/tasks", ann, body)
			worst = max(worst, time.Since(start))
			requests++
		}
		most, peak = max(most, p.gauge(t, "process_open_fds")), max(peak, p.gauge(t, "process_resident_memory_bytes"))
		select {
		case last = <-connected:
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Logf("%d kinds, %.0f open files at most, %d requests of the ordinary user, the slowest %v, memory from %.0f to %.0f MB",
		len(kinds), most, requests, worst, memory/1e6, peak/1e6)
	// One kind is refused at once.
	require.Greater(t, most, 0.8*float64(len(kinds)-1)*ofEachKind, "the clients were not connected at the same time")
	require.Less(t, peak-memory, float64(len(kinds)*ofEachKind*memoryEach))
	require.Less(t, p.gauge(t, "process_open_fds"), files+20, "clients are still connected")

	for name, answers := range received {
		if kinds[name].neverReads {
			continue
		}
		for _, answer := range answers {
			text := strings.TrimPrefix(<-answer, "HTTP/1.1 100 Continue\r\n\r\n")
			if kinds[name].begin == "" {
				require.Empty(t, text, "an idle connection just ends")
				continue
			}
			response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), nil)
			require.NoError(t, err, name)
			require.Equal(t, 408, response.StatusCode, name)
			require.Contains(t, text, `{"detail":"Request Timeout"}`, name)
		}
	}
	p.call(t, 200, "GET", "/api/tasks", ann, "")
}

func TestAUserWhoseClientsDoNotReadGetsNoFurtherLists(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	s.app.Server().WriteTimeout = time.Minute // so that no connection times out before there are enough
	s.listen(t)
	createLargeList(t, s, "bob")
	created, length := s.as("ann").create(t, "x"), len(s.as("bob").list(t))

	client := slowClients(t, "bob")["reads nothing of a large list"]
	list := request{method: "GET", path: "/api/tasks", user: "bob"}
	t.Run("while they are connected", func(t *testing.T) {
		var got answer
		for clients := 0; got.Response == nil || got.StatusCode == 200; clients++ {
			require.Less(t, clients, 50)
			_, err := client.connect(t, s.address)
			require.NoError(t, err)
			got = s.send(t, list)
		}
		require.Equal(t, 429, got.StatusCode)
		require.Equal(t, "1", got.Header.Get("Retry-After"))
		require.True(t, got.Close)
		require.Equal(t, `{"detail":"Too Many Requests"}`, string(got.body))
		require.Equal(t, []task{created}, s.as("ann").list(t))
		s.as("bob").create(t, "other requests are answered")
	})
	require.Eventually(t, func() bool { return s.send(t, list).StatusCode == 200 }, waitLimit, 10*time.Millisecond,
		"the backlog stays after the connections are closed")
	require.Len(t, s.as("bob").list(t), length+1)
}

func TestAUserHasThirtyTwoListsMadeAtATime(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		s := newServer(t, databaseURL)
		s.listen(t)
		s.as("bob").create(t, "x")
		pool, err := s.db.DB()
		require.NoError(t, err)
		pool.SetMaxOpenConns(1)
		held, err := pool.Conn(context.Background())
		require.NoError(t, err)
		const requests, allowed = 100, 32
		answers := make(chan int, requests)
		for range requests {
			go func() { answers <- s.send(t, request{method: "GET", path: "/api/tasks", user: "bob"}).StatusCode }()
		}
		for range requests - allowed {
			require.Equal(t, 429, <-answers)
		}
		require.NoError(t, held.Close())
		for range allowed {
			require.Equal(t, 200, <-answers)
		}
		s.as("bob").list(t)
	})
}
