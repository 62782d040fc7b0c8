package tests

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"
)

// loadClients is how many clients send requests at once, each one after the other on a connection of its own.
const loadClients = 32

const loadInput = `{"title":"Buy groceries","description":"milk, eggs, bread"}`

// loadUser is a client: a user with tasks.
type loadUser struct {
	token string
	paths []string          // of the user's tasks
	page  string            // the query of the second page of 50, of the pager
	tags  map[string]string // of the tasks as the user knows them, by their paths
}

// load has what the requests of a benchmark work on: 20 tasks of each client, and users who list pages and who create.
type load struct {
	clients        []*loadUser
	pager, creator *loadUser
}

func newLoad(b *testing.B, address string) *load {
	l := &load{pager: newLoadUser(b, address, "pager", 120), creator: newLoadUser(b, address, "creator", 1)}
	for i := range loadClients {
		l.clients = append(l.clients, newLoadUser(b, address, fmt.Sprint("client ", i), 20))
	}
	return l
}

func newLoadUser(b *testing.B, address, name string, tasks int) *loadUser {
	u := &loadUser{token: tokenOf(b, name), tags: map[string]string{}}
	for range tasks {
		var made task
		require.NoError(b, json.Unmarshal(u.once(b, address, "POST", "/api/tasks", loadInput).Body(), &made))
		u.paths = append(u.paths, path(made.ID))
	}
	return u
}

// once sends a request on a connection of its own.
func (u *loadUser) once(b *testing.B, address, method, path, body string) *fasthttp.Response {
	conn, err := net.Dial("tcp", address)
	require.NoError(b, err)
	defer conn.Close()
	_, err = conn.Write(rawRequest(method, path, u.token, body))
	require.NoError(b, err)
	response := &fasthttp.Response{}
	require.NoError(b, response.Read(bufio.NewReader(conn)))
	require.Less(b, response.StatusCode(), 300, "%s %s: %s", method, path, response.Body())
	return response
}

// rawRequest returns the text of a request. Each header is a line.
func rawRequest(method, path, token, body string, headers ...string) []byte {
	text := method + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://app.example.com\r\nAuthorization: Bearer " + token + "\r\n"
	if body != "" {
		text += "Content-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n"
	}
	for _, header := range headers {
		text += header + "\r\n"
	}
	return []byte(text + "\r\n" + body)
}

// loadRequest is a kind of requests, of which next makes one for a client's task.
type loadRequest struct {
	name   string
	status int
	next   func(l *load, u *loadUser, path string) []byte
}

var loadRequests = []loadRequest{
	{"get", 200, func(_ *load, u *loadUser, path string) []byte { return rawRequest("GET", path, u.token, "") }},
	{"list of 20", 200, func(_ *load, u *loadUser, _ string) []byte { return rawRequest("GET", "/api/tasks", u.token, "") }},
	{"page of 50 with cursor", 200, func(l *load, _ *loadUser, _ string) []byte {
		return rawRequest("GET", "/api/tasks"+l.pager.page, l.pager.token, "")
	}},
	{"create", 201, func(l *load, _ *loadUser, _ string) []byte {
		return rawRequest("POST", "/api/tasks", l.creator.token, loadInput)
	}},
	{"create with Idempotency-Key", 201, func(l *load, _ *loadUser, _ string) []byte {
		return rawRequest("POST", "/api/tasks", l.creator.token, loadInput, fmt.Sprintf("Idempotency-Key: %016x", rand.Uint64()))
	}},
	{"update", 200, func(_ *load, u *loadUser, path string) []byte { return rawRequest("PUT", path, u.token, loadInput) }},
	{"update with If-Match", 200, func(_ *load, u *loadUser, path string) []byte {
		return rawRequest("PUT", path, u.token, loadInput, "If-Match: "+cmp.Or(u.tags[path], "*"))
	}},
	{"toggle", 200, func(_ *load, u *loadUser, path string) []byte {
		return rawRequest("PATCH", path+"/complete", u.token, "")
	}},
	{"refused token", 401, func(_ *load, u *loadUser, path string) []byte { return rawRequest("GET", path, u.token+"x", "") }},
}

// run sends requests of a kind to a server for a while, from all clients at once.
func (l *load) run(b *testing.B, address string, r loadRequest, length time.Duration) result {
	var (
		all     = make([][]time.Duration, len(l.clients))
		faults  = make([]error, len(l.clients))
		clients sync.WaitGroup
		begin   = time.Now()
	)
	for i, u := range l.clients {
		clients.Go(func() { all[i], faults[i] = l.work(u, address, r, begin.Add(length)) })
	}
	clients.Wait()
	took := time.Since(begin)
	require.NoError(b, errors.Join(faults...))
	return result{took, slices.Concat(all...)}
}

// work is one client of a run.
func (l *load) work(u *loadUser, address string, r loadRequest, end time.Time) (latencies []time.Duration, err error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	clear(u.tags) // of another kind's time
	reader := bufio.NewReaderSize(conn, 16<<10)
	var response fasthttp.Response
	for begin := time.Now(); begin.Before(end); {
		path := u.paths[rand.IntN(len(u.paths))]
		if _, err = conn.Write(r.next(l, u, path)); err != nil {
			return nil, err
		}
		if err = response.Read(reader); err != nil {
			return nil, err
		}
		if response.StatusCode() != r.status {
			return nil, fmt.Errorf("%s: %d, not %d: %s", r.name, response.StatusCode(), r.status, response.Body())
		}
		now := time.Now()
		latencies, begin = append(latencies, now.Sub(begin)), now
		if tag := response.Header.Peek("ETag"); len(tag) > 0 {
			u.tags[path] = string(tag)
		}
	}
	return latencies, nil
}

// result is what a load met.
type result struct {
	took      time.Duration
	latencies []time.Duration
}

func (r result) perSecond() float64 { return float64(len(r.latencies)) / r.took.Seconds() }

// p99 returns the 99th percentile, in milliseconds.
func (r result) p99() float64 {
	slices.Sort(r.latencies)
	return float64(r.latencies[len(r.latencies)*99/100].Microseconds()) / 1000
}

func median[T cmp.Ordered](values []T) T {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}

// megabytes reads a line of /proc/PID/status.
func megabytes(b testing.TB, status []byte, name string) float64 {
	found := regexp.MustCompile(name + `:\s+(\d+) kB`).FindSubmatch(status)
	require.NotNil(b, found, name)
	kilobytes, err := strconv.ParseFloat(string(found[1]), 64)
	require.NoError(b, err)
	return kilobytes / 1024
}

func devNull(b *testing.B) *os.File {
	file, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(b, err)
	b.Cleanup(func() { _ = file.Close() })
	return file
}
