package tests

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// traffic is what clients, on connections that they keep, send at once and are answered: they create tasks, each with a
// title of its own, and read back what was acknowledged.
type traffic struct {
	processes []*process
	stopping  atomic.Bool
	clients   sync.WaitGroup

	mu         sync.Mutex
	created    map[int64]task // acknowledged
	answers    map[int]int    // how many answers had a status
	slowest    time.Duration  // of the answers
	unanswered []time.Time    // when requests were sent of which nothing came but the end of the connection
	wrong      []string       // what no client may see: a part of an answer, another status or body than those expected
}

// startTraffic has a client for each user given, who may be given repeatedly. It creates on one process and reads on the
// next, by turns.
func startTraffic(t *testing.T, processes []*process, users ...string) *traffic {
	t.Helper()
	tr := &traffic{processes: processes, created: map[int64]task{}, answers: map[int]int{}}
	for i, user := range users {
		c := &trafficClient{traffic: tr, token: tokenOf(t, user), connections: make([]trafficConnection, len(processes))}
		tr.clients.Go(func() {
			for n := 0; !tr.stopping.Load(); n++ {
				c.createAndRead(n, fmt.Sprintf("task %d of client %d", n, i))
			}
			for i := range c.connections {
				c.connections[i].hangUp()
			}
		})
	}
	t.Cleanup(tr.stop)
	return tr
}

// stop returns when each client has its answer.
func (tr *traffic) stop() {
	tr.stopping.Store(true)
	tr.clients.Wait()
}

// await returns when so many more answers had a status.
func (tr *traffic) await(t testing.TB, status, more int) {
	t.Helper()
	count := func() int {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		return tr.answers[status]
	}
	enough := count() + more
	require.Eventually(t, func() bool { return count() >= enough }, waitLimit, time.Millisecond, "%d is not answered", status)
}

// requireFlawless demands that every request was answered as it is without any fault.
func (tr *traffic) requireFlawless(t testing.TB) {
	t.Helper()
	require.Empty(t, tr.wrong)
	require.Empty(t, tr.unanswered)
	require.Zero(t, tr.answers[503])
}

// lost finds the tasks that were acknowledged and that a program does not have as they were.
func (tr *traffic) lost(t testing.TB, p *process, users ...string) (lost []task) {
	t.Helper()
	kept := p.tasks(t, users...)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for id, one := range tr.created {
		if kept[id] != one {
			lost = append(lost, one)
		}
	}
	return lost
}

// tasks returns all tasks of the users.
func (p *process) tasks(t testing.TB, users ...string) map[int64]task {
	t.Helper()
	all := map[int64]task{}
	for _, user := range users {
		for _, one := range decode[[]task](t, p.await(t, "/api/tasks", tokenOf(t, user))) {
			all[one.ID] = one
		}
	}
	return all
}

type trafficClient struct {
	traffic     *traffic
	token       string
	connections []trafficConnection
}

func (c *trafficClient) createAndRead(turn int, title string) {
	here, next := turn%len(c.connections), (turn+1)%len(c.connections)
	status, body := c.send(here, "POST", "/api/tasks", fmt.Sprintf(`{"title": %q}`, title), 201, 503)
	if status != 201 {
		return
	}
	var created task
	err := json.Unmarshal(body, &created)
	c.traffic.expect(err == nil && created.Title == title, "%s", body)
	c.traffic.mu.Lock()
	_, again := c.traffic.created[created.ID]
	c.traffic.created[created.ID] = created
	c.traffic.mu.Unlock()
	c.traffic.expect(!again, "the id %d was given twice", created.ID)
	status, read := c.send(next, "GET", path(created.ID), "", 200, 503)
	c.traffic.expect(status != 200 || bytes.Equal(body, read), "%s was created, %s is read", body, read)
}

func (tr *traffic) expect(ok bool, format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if !ok {
		tr.wrong = append(tr.wrong, fmt.Sprintf(format, args...))
	}
}

// send sends a request to one of the processes and returns the answer; 0 stands for none. Other statuses are noted as wrong.
func (c *trafficClient) send(to int, method, path, body string, expected ...int) (status int, read []byte) {
	tr, start := c.traffic, time.Now()
	raw := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\n\r\n%s", method, path, c.token, len(body), body)
	if !c.connections[to].connect(strings.TrimPrefix(tr.processes[to].url, "http://")) {
		time.Sleep(5 * time.Millisecond)
		return 0, nil
	}
	response, read, err := c.connections[to].roundTrip(raw)
	took := time.Since(start)
	if response == nil {
		tr.expect(err == nil, "a part of an answer: %v", err)
		tr.mu.Lock()
		defer tr.mu.Unlock()
		tr.unanswered = append(tr.unanswered, start)
		return 0, nil
	}
	status = response.StatusCode
	good := status == expected[0]
	if status == 503 {
		good = string(read) == `{"detail":"Service Unavailable"}` && response.Header.Get("Retry-After") != ""
	}
	tr.expect(good, "%s %s: %d %s", method, path, status, read)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.answers[status]++
	tr.slowest = max(tr.slowest, took)
	return status, read
}

// trafficConnection is one that the client keeps as long as the server does.
type trafficConnection struct {
	net.Conn
	reader *bufio.Reader
}

func (c *trafficConnection) hangUp() {
	if c.Conn != nil {
		_ = c.Close()
		c.Conn = nil
	}
}

// connect makes the connection if there is none.
func (c *trafficConnection) connect(address string) bool {
	if c.Conn == nil {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		c.Conn, c.reader = conn, bufio.NewReader(conn)
	}
	return true
}

// roundTrip returns no response where not a byte of one came, and an error where it ended in the middle.
func (c *trafficConnection) roundTrip(request string) (response *http.Response, body []byte, err error) {
	_ = c.SetDeadline(time.Now().Add(waitLimit))
	_, _ = io.WriteString(c, request)
	if _, err := c.reader.Peek(1); err != nil {
		c.hangUp()
		return nil, nil, nil
	}
	if response, err = http.ReadResponse(c.reader, nil); err == nil {
		body, err = io.ReadAll(response.Body)
	}
	if err != nil {
		c.hangUp()
		return nil, nil, err
	}
	if response.Close {
		c.hangUp()
	}
	return response, body, nil
}
