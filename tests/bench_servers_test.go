package tests

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// Each server is started several times, because two processes of one program differ, and rounds are short, because the machine
	// is faster in one minute than in the next.
	starts         = 9
	warmUp         = 2 * time.Second // of a start: connections are opened, and the heap grows
	roundsOfAStart = 3
	loadRound      = 500 * time.Millisecond
)

// contender is a server that is measured, as a process of its own.
type contender struct {
	name, binary, databaseURL, address string

	process *os.Process
	load    *load
	// Of each start: the time until its first answer, in milliseconds, its memory then, and the peak, in megabytes.
	start, idle, peak []float64
}

// BenchmarkServers measures servers in turns, request by request: this tree ("new"), the commit in BENCH_OLD if it is set ("old"),
// and on PostgreSQL the server in tests/byhand. BENCH_ONLY is a regular expression of "engine/request". Without it, the tables go
// to docs/performance.md and the figures to docs/img/performance.json.
func BenchmarkServers(b *testing.B) {
	only, err := regexp.Compile(os.Getenv("BENCH_ONLY"))
	require.NoError(b, err)
	programs := []struct{ name, binary string }{{"new", buildAt(b, "..", ".")}}
	if commit := os.Getenv("BENCH_OLD"); commit != "" {
		programs = slices.Insert(programs, 0, struct{ name, binary string }{"old", buildAt(b, checkout(b, commit), ".")})
	}
	byHand := buildAt(b, "..", "-tags=bench", "./tests/byhand")
	var r report
	for _, engine := range []struct {
		name   string
		newURL func(testing.TB) string
	}{{"PostgreSQL", newPostgres}, {"SQLite", newSQLite}} {
		var contenders []*contender
		for _, p := range programs {
			contenders = append(contenders, newContender(b, p.name, p.binary, p.binary, engine.newURL(b)))
		}
		if engine.name == "PostgreSQL" {
			contenders = append(contenders, newContender(b, "by hand", programs[len(programs)-1].binary, byHand, newPostgres(b)))
		}
		rounds := map[string]map[string][]figures{} // by the names of requests and servers
		for range starts {
			for _, c := range contenders {
				c.begin(b, c.binary)
				c.load.run(b, c.address, loadRequests[0], warmUp)
			}
			for _, request := range loadRequests {
				if only.MatchString(engine.name + "/" + request.name) {
					addRounds(rounds, request.name, measureInTurns(b, contenders, request, roundsOfAStart))
				}
			}
			for _, c := range contenders {
				c.end(b)
			}
		}
		for _, request := range loadRequests {
			if rounds[request.name] != nil {
				r.add(engine.name, request.name, rounds[request.name])
			}
		}
		for _, c := range contenders {
			r.processes = append(r.processes,
				[]string{engine.name, c.name, number(median(c.start)), number(median(c.idle)), number(slices.Max(c.peak))})
		}
	}
	b.ReportMetric(0, "ns/op")
	fmt.Print("\n", r.markdown(), "\n")
	if os.Getenv("BENCH_ONLY") == "" {
		r.write(b)
	}
}

// checkout returns a directory with the files of a commit.
func checkout(b *testing.B, commit string) string {
	dir := b.TempDir()
	archive := exec.Command("sh", "-c", `git archive "$0" | tar -x -C "$1"`, commit, dir)
	archive.Dir = ".."
	out, err := archive.CombinedOutput()
	require.NoError(b, err, "%s", out)
	return dir
}

// buildAt builds a program in a directory, and returns the path of the binary.
func buildAt(b *testing.B, dir string, args ...string) string {
	binary := filepath.Join(b.TempDir(), "server")
	build := exec.Command("go", append([]string{"build", "-o", binary}, args...)...)
	build.Dir = dir
	out, err := build.CombinedOutput()
	require.NoError(b, err, "%s", out)
	return binary
}

// addRounds adds rounds of a request, by the names of the servers.
func addRounds(all map[string]map[string][]figures, request string, rounds map[string][]figures) {
	if all[request] == nil {
		all[request] = map[string][]figures{}
	}
	for name, of := range rounds {
		all[request][name] = append(all[request][name], of...)
	}
}

// newContender has a program make the tables and the tasks, and finds out whether the one to be measured answers alike.
func newContender(b *testing.B, name, maker, binary, databaseURL string) *contender {
	c := &contender{name: name, binary: binary, databaseURL: databaseURL}
	c.begin(b, maker)
	c.load = newLoad(b, c.address)
	want := c.load.clients[0].once(b, c.address, "GET", "/api/tasks", "")
	c.end(b)
	c.begin(b, binary)
	got := c.load.clients[0].once(b, c.address, "GET", "/api/tasks", "")
	require.Equal(b, string(want.Body()), string(got.Body()), "the servers answer alike")
	require.Equal(b, want.Header.Len(), got.Header.Len(), "%s\n%s", &want.Header, &got.Header)
	c.page(b)
	c.end(b)
	c.start, c.idle, c.peak = nil, nil, nil
	return c
}

// page finds the second page of the pager's tasks, if the server has pages.
func (c *contender) page(b *testing.B) {
	next := string(c.load.pager.once(b, c.address, "GET", "/api/tasks?limit=50", "").Header.Peek("Link"))
	c.load.pager.page, _, _ = strings.Cut(strings.TrimPrefix(next, "<"), ">")
}

// begin starts a server and waits for its first answer.
func (c *contender) begin(b *testing.B, binary string) {
	port, err := freePort()
	require.NoError(b, err)
	c.address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	cmd := exec.Command(binary)
	cmd.Dir = b.TempDir()
	cmd.Env = []string{
		"ENVIRONMENT=production", "HOST=127.0.0.1", "PORT=" + strconv.Itoa(port), "BETTER_AUTH_SECRET=" + testSecret,
		"DATABASE_URL=" + c.databaseURL, "CORS_ORIGINS=https://app.example.com", "REQUEST_TIMEOUT=7s",
	}
	cmd.Stderr = devNull(b)
	begin := time.Now()
	require.NoError(b, cmd.Start())
	c.process = cmd.Process
	b.Cleanup(func() { _ = cmd.Process.Kill() })
	for {
		response, err := http.Get("http://" + c.address + "/health")
		if err == nil {
			_ = response.Body.Close()
			break
		}
		require.Less(b, time.Since(begin), waitLimit, "the server does not start: %v", err)
		time.Sleep(time.Millisecond)
	}
	c.start = append(c.start, float64(time.Since(begin).Microseconds())/1000)
	c.idle = append(c.idle, c.memory(b, "VmRSS"))
}

// end stops a server.
func (c *contender) end(b *testing.B) {
	c.peak = append(c.peak, c.memory(b, "VmHWM"))
	require.NoError(b, c.process.Signal(os.Interrupt))
	_, err := c.process.Wait()
	require.NoError(b, err)
}

func (c *contender) memory(b *testing.B, name string) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.process.Pid))
	if err != nil {
		b.Skip("memory is read from /proc, which is not here")
	}
	return megabytes(b, status, name)
}

// cpu returns the CPU time that a server has used, in ticks of 10 ms (proc(5), utime and stime).
func (c *contender) cpu(b *testing.B) (ticks float64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.process.Pid))
	require.NoError(b, err)
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')'):]))
	for _, field := range fields[12:14] {
		value, err := strconv.ParseFloat(field, 64)
		require.NoError(b, err)
		ticks += value
	}
	return ticks
}

// measureInTurns lets the clients send a kind of requests to one server after the other, round by round, after one to warm up.
func measureInTurns(b *testing.B, contenders []*contender, r loadRequest, rounds int) map[string][]figures {
	all := map[string][]figures{}
	for round := range rounds + 1 {
		for _, c := range contenders {
			if round == 0 {
				c.load.run(b, c.address, r, loadRound)
				continue
			}
			before := c.cpu(b)
			got := c.load.run(b, c.address, r, loadRound)
			used := (c.cpu(b) - before) * 10_000 / float64(len(got.latencies))
			all[c.name] = append(all[c.name], figures{CPU: used, PerSecond: got.perSecond(), P99: got.p99()})
		}
	}
	return all
}
