package tests

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"taskapi/models"
	"taskapi/routes"
)

const (
	loadClients = 32
	loadRound   = 3 * time.Second
)

// BenchmarkLoad puts the app and a server written by hand, on fasthttp and pgx alone, under the same load in turns, on one
// PostgreSQL and with pools of one size. An iteration is a round of each: choose their number with -benchtime=5x. Of what
// it reports, "ratio" is the median of the app's requests per second over the other's.
func BenchmarkLoad(b *testing.B) {
	databaseURL := newPostgres(b)
	s := newServer(b, databaseURL)
	deps := s.deps
	deps.Log, deps.Metrics = s.cfg.Logger(devNull(b)), nil
	app := routes.New(deps)
	appAddress := listenLoopback(b, app.Listener, app.Shutdown)

	pool, err := s.db.DB()
	require.NoError(b, err)
	byHand := newByHand(b, databaseURL, pool.Stats().MaxOpenConnections)
	server := &fasthttp.Server{Handler: byHand.handle}
	byHandAddress := listenLoopback(b, server.Serve, server.Shutdown)

	load := newLoad(b, appAddress)
	for _, path := range []string{"/api/tasks", load.users[0].paths[0]} {
		want := load.users[0].once(b, appAddress, "GET", path, "")
		require.Equal(b, string(want), string(load.users[0].once(b, byHandAddress, "GET", path, "")), "the servers answer alike")
	}
	tidy := func() {
		administerAt(b, databaseURL, "DELETE FROM tasks WHERE user_id = '"+loadCreator+"'")
		administerAt(b, databaseURL, "VACUUM tasks")
	}
	load.run(b, appAddress, loadRound/6)
	load.run(b, byHandAddress, loadRound/6)

	var ratios []float64
	var apps, byHands result
	for b.Loop() {
		tidy()
		ofApp := load.run(b, appAddress, loadRound)
		tidy()
		ofByHand := load.run(b, byHandAddress, loadRound)
		ratios = append(ratios, ofApp.perSecond()/ofByHand.perSecond())
		apps.add(ofApp)
		byHands.add(ofByHand)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(ratios), "ratio")
	apps.report(b, "app")
	byHands.report(b, "byhand")
}

// BenchmarkBinary builds the program, starts it on each engine and reports how long it took until /health answered 200, and
// how much memory it holds after a load: the most (hwm) and the last (rss).
func BenchmarkBinary(b *testing.B) {
	binary := filepath.Join(b.TempDir(), "taskapi")
	build := exec.Command("go", "build", "-o", binary, "..")
	out, err := build.CombinedOutput()
	require.NoError(b, err, "%s", out)
	for _, engine := range []struct {
		name string
		make func(testing.TB) string
	}{{"SQLite", newSQLite}, {"PostgreSQL", newPostgres}} {
		b.Run(engine.name, func(b *testing.B) {
			databaseURL := engine.make(b)
			benchBinary(b, binary, databaseURL) // makes the tables
			var starts, peaks, rests []float64
			var total result
			for b.Loop() {
				start, peak, rest, got := benchBinary(b, binary, databaseURL)
				starts, peaks, rests = append(starts, float64(start.Microseconds())/1000), append(peaks, peak), append(rests, rest)
				total.add(got)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(starts), "start-ms")
			b.ReportMetric(median(peaks), "hwm-MB")
			b.ReportMetric(median(rests), "rss-MB")
			total.report(b, "app")
		})
	}
}

func benchBinary(b *testing.B, binary, databaseURL string) (start time.Duration, peak, rest float64, got result) {
	port, err := freePort()
	require.NoError(b, err)
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	cmd := exec.Command(binary)
	cmd.Dir = b.TempDir()
	cmd.Env = []string{
		"ENVIRONMENT=production", "HOST=127.0.0.1", "PORT=" + strconv.Itoa(port),
		"BETTER_AUTH_SECRET=" + testSecret, "DATABASE_URL=" + databaseURL,
	}
	cmd.Stderr = devNull(b)
	begin := time.Now()
	require.NoError(b, cmd.Start())
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}()
	for {
		response, err := http.Get("http://" + address + "/health")
		if err == nil {
			_ = response.Body.Close()
			require.Equal(b, 200, response.StatusCode)
			break
		}
		require.Less(b, time.Since(begin), 10*time.Second, "the binary does not start: %v", err)
		time.Sleep(time.Millisecond)
	}
	start = time.Since(begin)
	got = newLoad(b, address).run(b, address, loadRound)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		b.Skip("memory is read from /proc, which is not here")
	}
	return start, megabytes(b, status, "VmHWM"), megabytes(b, status, "VmRSS"), got
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

func listenLoopback(b *testing.B, serve func(net.Listener) error, stop func() error) (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	go func() { _ = serve(listener) }()
	b.Cleanup(func() { _ = stop() })
	return listener.Addr().String()
}

func administerAt(b *testing.B, databaseURL, statement string) {
	conn, err := pgx.Connect(context.Background(), databaseURL)
	require.NoError(b, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(context.Background(), statement)
	require.NoError(b, err)
}

func median[T cmp.Ordered](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}

// result is what a load met.
type result struct {
	took      time.Duration
	latencies []time.Duration
}

func (r *result) add(other result) {
	r.took += other.took
	r.latencies = append(r.latencies, other.latencies...)
}

func (r *result) perSecond() float64 { return float64(len(r.latencies)) / r.took.Seconds() }

func (r *result) report(b *testing.B, name string) {
	slices.Sort(r.latencies)
	at := func(share float64) float64 {
		return float64(r.latencies[int(share*float64(len(r.latencies)-1))].Microseconds()) / 1000
	}
	b.ReportMetric(r.perSecond(), name+"-req/s")
	b.ReportMetric(at(0.50), name+"-p50-ms")
	b.ReportMetric(at(0.99), name+"-p99-ms")
}

// load is a mix of requests from clients with a connection each: half read a task, a fifth list 20 of them, and a tenth
// each create, replace and toggle one. Each works on 20 tasks of its own, and creates for one more user.
type load struct {
	users   []*loadUser
	creator string
}

const loadCreator = "creator"

type loadUser struct {
	token string
	paths []string // of the user's tasks
}

const loadInput = `{"title":"Buy groceries","description":"milk, eggs, bread"}`

func newLoad(b *testing.B, address string) *load {
	l := &load{creator: tokenOf(b, loadCreator)}
	name := time.Now().Format("150405.000")
	for i := range loadClients {
		user := &loadUser{token: tokenOf(b, fmt.Sprintf("user-%s-%d", name, i))}
		for range 20 {
			var made task
			require.NoError(b, json.Unmarshal(user.once(b, address, "POST", "/api/tasks", loadInput), &made))
			user.paths = append(user.paths, fmt.Sprintf("/api/tasks/%d", made.ID))
		}
		l.users = append(l.users, user)
	}
	return l
}

// once sends a request on a connection of its own.
func (u *loadUser) once(b *testing.B, address, method, path, body string) []byte {
	conn, err := net.Dial("tcp", address)
	require.NoError(b, err)
	defer conn.Close()
	_, err = conn.Write(rawRequest(method, path, u.token, body))
	require.NoError(b, err)
	var response fasthttp.Response
	require.NoError(b, response.Read(bufio.NewReader(conn)))
	require.Less(b, response.StatusCode(), 300, "%s %s: %s", method, path, response.Body())
	return response.Body()
}

func rawRequest(method, path, token, body string) []byte {
	text := method + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://app.example.com\r\nAuthorization: Bearer " + token + "\r\n"
	if body != "" {
		text += "Content-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n"
	}
	return []byte(text + "\r\n" + body)
}

// run sends requests to a server for a while, from all clients at once.
func (l *load) run(b *testing.B, address string, length time.Duration) result {
	var (
		all     = make([][]time.Duration, len(l.users))
		faults  = make([]error, len(l.users))
		clients sync.WaitGroup
		begin   = time.Now()
	)
	for i, user := range l.users {
		clients.Go(func() { all[i], faults[i] = l.work(user, address, begin.Add(length)) })
	}
	clients.Wait()
	took := time.Since(begin)
	require.NoError(b, errors.Join(faults...))
	return result{took, slices.Concat(all...)}
}

// work is one client of a run.
func (l *load) work(user *loadUser, address string, end time.Time) (latencies []time.Duration, err error) {
	list, create := rawRequest("GET", "/api/tasks", user.token, ""), rawRequest("POST", "/api/tasks", l.creator, loadInput)
	var gets, replaces, toggles [][]byte
	for _, path := range user.paths {
		gets = append(gets, rawRequest("GET", path, user.token, ""))
		replaces = append(replaces, rawRequest("PUT", path, user.token, loadInput))
		toggles = append(toggles, rawRequest("PATCH", path+"/complete", user.token, ""))
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	reader := bufio.NewReaderSize(conn, 16<<10)
	var response fasthttp.Response
	for begin := time.Now(); begin.Before(end); {
		n, request, status := rand.IntN(len(gets)), list, 200
		switch dice := rand.IntN(10); {
		case dice < 5:
			request = gets[n]
		case dice < 7:
		case dice < 8:
			request, status = create, 201
		case dice < 9:
			request = replaces[n]
		default:
			request = toggles[n]
		}
		if _, err = conn.Write(request); err != nil {
			return nil, err
		}
		if err = response.Read(reader); err != nil {
			return nil, err
		}
		if response.StatusCode() != status {
			return nil, fmt.Errorf("%d, not %d: %s", response.StatusCode(), status, response.Body())
		}
		now := time.Now()
		latencies = append(latencies, now.Sub(begin))
		begin = now
	}
	return latencies, nil
}

// byHand is the server that the app is measured by: the same answers to the load's requests, without a framework, an ORM
// or anything that the answers do not need.
type byHand struct{ pool *pgxpool.Pool }

func newByHand(b *testing.B, databaseURL string, maxConns int) byHand {
	cfg, err := pgxpool.ParseConfig(databaseURL)
	require.NoError(b, err)
	cfg.MaxConns = int32(maxConns)
	cfg.MinIdleConns = int32(maxConns)
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	require.NoError(b, err)
	b.Cleanup(pool.Close)
	return byHand{pool}
}

const byHandColumns = "id, user_id, title, description, completed, created_at, updated_at"

func (h byHand) handle(c *fasthttp.RequestCtx) {
	user, ok := byHandUser(c)
	if !ok {
		byHandAnswer(c, 401, map[string]string{"detail": "Invalid authentication credentials"})
		return
	}
	path := string(c.Path())
	id, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimPrefix(path, "/api/tasks/"), "/complete"), 10, 64)
	switch method := string(c.Method()); {
	case path == "/api/tasks" && method == "GET":
		h.answer(c, 200, true, "SELECT "+byHandColumns+" FROM tasks WHERE user_id = $1 ORDER BY created_at DESC, id DESC", user)
	case path == "/api/tasks" && method == "POST":
		if in, ok := byHandInput(c); ok {
			h.answer(c, 201, false, "INSERT INTO tasks (user_id, title, description, created_at, updated_at) VALUES ($1, $2, $3, $4, $4) RETURNING "+byHandColumns,
				user, in.Title, in.Description, time.Now())
		}
	case method == "GET":
		h.answer(c, 200, false, "SELECT "+byHandColumns+" FROM tasks WHERE user_id = $1 AND id = $2", user, id)
	case method == "PUT":
		if in, ok := byHandInput(c); ok {
			h.answer(c, 200, false, "UPDATE tasks SET title = $3, description = $4, updated_at = $5 WHERE user_id = $1 AND id = $2 RETURNING "+byHandColumns,
				user, id, in.Title, in.Description, time.Now())
		}
	case method == "PATCH":
		h.answer(c, 200, false, "UPDATE tasks SET completed = NOT completed, updated_at = $3 WHERE user_id = $1 AND id = $2 RETURNING "+byHandColumns,
			user, id, time.Now())
	default:
		byHandAnswer(c, 405, map[string]string{"detail": "Method Not Allowed"})
	}
}

// byHandUser verifies the request's token.
func byHandUser(c *fasthttp.RequestCtx) (user string, ok bool) {
	var claims struct {
		jwt.RegisteredClaims
		UserID string `json:"user_id"`
	}
	bearer := bytes.TrimPrefix(c.Request.Header.Peek("Authorization"), []byte("Bearer "))
	_, err := jwt.ParseWithClaims(string(bearer), &claims, func(*jwt.Token) (any, error) { return []byte(testSecret), nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(time.Minute))
	return claims.UserID, err == nil && claims.UserID != ""
}

func byHandInput(c *fasthttp.RequestCtx) (in models.TaskInput, ok bool) {
	err := json.Unmarshal(c.PostBody(), &in)
	if err != nil || strings.TrimSpace(in.Title) == "" || len([]rune(in.Title)) > 200 || in.Description != nil && len([]rune(*in.Description)) > 1000 {
		byHandAnswer(c, 422, map[string]string{"detail": "invalid"})
		return in, false
	}
	return in, true
}

type byHandTask struct {
	ID          int64      `json:"id"`
	UserID      string     `json:"user_id"`
	Title       string     `json:"title"`
	Description *string    `json:"description"`
	Completed   bool       `json:"completed"`
	CreatedAt   byHandTime `json:"created_at"`
	UpdatedAt   byHandTime `json:"updated_at"`
}

type byHandTime struct{ time.Time }

func (t byHandTime) MarshalJSON() ([]byte, error) {
	return t.UTC().AppendFormat(make([]byte, 0, 32), `"2006-01-02T15:04:05.000000Z"`), nil
}

// answer runs a statement and answers with its rows.
func (h byHand) answer(c *fasthttp.RequestCtx, status int, list bool, statement string, args ...any) {
	rows, err := h.pool.Query(context.Background(), statement, args...)
	tasks := []byHandTask{}
	if err == nil {
		tasks, err = pgx.AppendRows(tasks, rows, func(row pgx.CollectableRow) (t byHandTask, err error) {
			return t, row.Scan(&t.ID, &t.UserID, &t.Title, &t.Description, &t.Completed, &t.CreatedAt.Time, &t.UpdatedAt.Time)
		})
	}
	switch {
	case err != nil:
		byHandAnswer(c, 500, map[string]string{"detail": "Internal Server Error"})
	case list:
		byHandAnswer(c, status, tasks)
	case len(tasks) == 0:
		byHandAnswer(c, 404, map[string]string{"detail": "Task not found"})
	default:
		byHandAnswer(c, status, tasks[0])
	}
}

func byHandAnswer(c *fasthttp.RequestCtx, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		status = 500
	}
	c.SetStatusCode(status)
	c.SetContentType("application/json")
	c.SetBody(body)
}
