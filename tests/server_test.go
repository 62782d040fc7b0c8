package tests

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"taskapi/config"
	"taskapi/middleware"
	"taskapi/middleware/token"
	"taskapi/models"
	"taskapi/models/database"
	"taskapi/routes"
	httpserver "taskapi/routes/server"
)

const testSecret = "a secret of the tests, long enough for production"

// server is the whole program on a database of its own, driven in memory.
type server struct {
	app   *fiber.App
	cfg   *config.Config
	db    *gorm.DB
	deps  routes.Deps
	drain *middleware.Drain
	logs  *logBuffer
	judge func() (*judge, error) // the document of its routes

	address string // where the app listens, once listen was called
}

// eachEngine runs a test on every engine, in parallel with all other tests.
func eachEngine(t *testing.T, test func(t *testing.T, s *server)) {
	t.Helper()
	eachDatabase(t, func(t *testing.T, databaseURL string) { test(t, newServer(t, databaseURL)) })
}

// eachDatabase is eachEngine for tests that start the server themselves: it gives the URL of an empty database. With
// TEST_DISTRIBUTED PostgreSQL's has the tables that deploy/citus.sql leaves.
func eachDatabase(t *testing.T, test func(t *testing.T, databaseURL string)) {
	t.Helper()
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, newSQLite(t))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		databaseURL := newPostgres(t)
		if os.Getenv("TEST_DISTRIBUTED") != "" {
			distribute(t, databaseURL)
		}
		test(t, databaseURL)
	})
}

// eachCollation is eachDatabase that also has a PostgreSQL of another collation.
func eachCollation(t *testing.T, test func(t *testing.T, databaseURL string)) {
	t.Helper()
	eachDatabase(t, test)
	t.Run("PostgreSQL with ICU", func(t *testing.T) {
		t.Parallel()
		test(t, newPostgresWith(t, unlikeC))
	})
}

func newSQLite(t testing.TB) string {
	return "sqlite://" + filepath.Join(t.TempDir(), "tasks.db")
}

// newServer starts the program in memory. Settings are name, value pairs of environment variables.
func newServer(t testing.TB, databaseURL string, settings ...string) *server {
	t.Helper()
	return newServerWith(t, databaseURL, declared{}, settings...)
}

// declared is what a test declares in addition to the program's own resources.
type declared struct {
	models []any
	routes func(db *gorm.DB) []routes.Route
}

// newServerWith is newServer with further resources.
func newServerWith(t testing.TB, databaseURL string, further declared, settings ...string) *server {
	t.Helper()
	cfg, err := parse(append([]string{
		"BETTER_AUTH_SECRET", testSecret, "DATABASE_URL", databaseURL,
		"ENVIRONMENT", "production", "LOG_LEVEL", "debug", "CORS_ORIGINS", "https://app.example.com",
		"REQUEST_TIMEOUT", "7s", // as long as may be: the machine may be busy
	}, settings...)...)
	require.NoError(t, err)
	s := &server{cfg: cfg, drain: &middleware.Drain{}, logs: &logBuffer{}, judge: programJudge}
	log := cfg.Logger(s.logs)
	db, err := database.Open(context.Background(), cfg, append(models.Owned(), further.models...), log)
	require.NoError(t, err)
	s.db = db
	t.Cleanup(func() { _ = database.Close(db) })
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	s.deps = routes.Deps{
		Config: cfg, DB: db, Log: log, Drain: s.drain, Keys: token.NewKeySet(ctx, cfg.Issuer, log),
		Metrics: middleware.NewMetrics(database.Collectors(db)...),
	}
	if further.routes == nil {
		s.app = routes.New(s.deps)
		return s
	}
	return s.with(further)
}

// with is the same server on the same database with other routes than the program's own. Its document is the one that it serves.
func (s *server) with(further declared) *server {
	changed := *s
	changed.deps.Extra = further.routes(s.db)
	changed.app = routes.New(changed.deps)
	changed.judge = servedJudge(changed.app)
	return &changed
}

// listen serves the app on a port of the loopback interface and lets send use it, for tests that need connections.
func (s *server) listen(t testing.TB) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- httpserver.Serve(ctx, s.app, listener, s.drain) }()
	t.Cleanup(func() {
		stop()
		assert.NoError(t, <-ended)
	})
	s.address = listener.Addr().String()
	return "http://" + s.address
}

// sendRaw sends bytes to the listening app and returns all that it answers until it closes, for ten seconds at most.
func (s *server) sendRaw(t testing.TB, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", s.address)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = io.WriteString(conn, text)
	require.NoError(t, err)
	got, _ := io.ReadAll(conn)
	return string(got)
}

// answer is a response, read to its end.
type answer struct {
	*http.Response
	body []byte
}

// request describes a request to the app. Of body, a string or bytes go out as they are and anything else as JSON.
type request struct {
	method, path string
	user         string // whose token to send; none if empty
	body         any
	header       map[string]string // lines are split by CR LF; Host is one
}

// withHeader is the request with one more header.
func (r request) withHeader(name, value string) request {
	header := map[string]string{}
	maps.Copy(header, r.header)
	header[name] = value
	r.header = header
	return r
}

// send sends a request and checks both against the OpenAPI document.
func (s *server) send(t testing.TB, r request) answer {
	t.Helper()
	got := s.sendUnchecked(t, r)
	sent, body := s.newRequest(t, r)
	judge, err := s.judge()
	require.NoError(t, err)
	judge.check(t, sent, body, got)
	requireSecureHeaders(t, sent.URL.Path, got.Header)
	return got
}

// sendUnchecked is send for routes that the document lacks.
func (s *server) sendUnchecked(t testing.TB, r request) answer {
	t.Helper()
	roundTrip := func(req *http.Request) (*http.Response, error) { return s.app.Test(req, -1) }
	if s.address != "" {
		roundTrip = http.DefaultTransport.RoundTrip
	}
	req, _ := s.newRequest(t, r)
	response, err := roundTrip(req)
	require.NoError(t, err, "%s %s", r.method, r.path)
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{response, read}
}

// newRequest makes the request that a description stands for, and returns its body as well.
func (s *server) newRequest(t testing.TB, r request) (req *http.Request, body []byte) {
	t.Helper()
	var err error
	switch value := r.body.(type) {
	case nil:
	case string:
		body = []byte(value)
	case []byte:
		body = value
	default:
		body, err = json.Marshal(value)
		require.NoError(t, err)
	}
	req, err = http.NewRequest(r.method, "http://"+cmp.Or(s.address, "api.example.com")+r.path, bytes.NewReader(body))
	require.NoError(t, err)
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.user != "" {
		req.Header.Set("Authorization", "Bearer "+tokenOf(t, r.user))
	}
	req.Host = cmp.Or(r.header["Host"], req.Host)
	for name, value := range r.header {
		req.Header[http.CanonicalHeaderKey(name)] = strings.Split(value, "\r\n")
	}
	return req, body
}

// as makes short calls in a user's name.
func (s *server) as(user string) *client { return &client{s, user} }

type client struct {
	server *server
	user   string
}

// call sends a request with an optional body and demands a status.
func (c *client) call(t testing.TB, status int, method, path string, body ...any) answer {
	t.Helper()
	r := request{method: method, path: path, user: c.user}
	if len(body) > 0 {
		r.body = body[0]
	}
	got := c.server.send(t, r)
	require.Equal(t, status, got.StatusCode, "%s %s: %s", method, path, got.body)
	return got
}

// create makes a task and returns it.
func (c *client) create(t testing.TB, title string) task {
	t.Helper()
	return decode[task](t, c.call(t, 201, "POST", "/api/tasks", map[string]any{"title": title}))
}

// list returns the user's tasks.
func (c *client) list(t testing.TB) []task {
	t.Helper()
	return decode[[]task](t, c.call(t, 200, "GET", "/api/tasks"))
}

// task is a task as clients see it: a type apart from the program's, so that a change there is noticed here.
type task struct {
	ID          int64   `json:"id"`
	UserID      string  `json:"user_id"`
	Title       string  `json:"title"`
	Description *string `json:"description"`
	Completed   bool    `json:"completed"`
	CreatedAt   string  `json:"created_at"`
	UpdatedAt   string  `json:"updated_at"`
}

func decode[T any](t testing.TB, a answer) (value T) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(a.body))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&value), "%s", a.body)
	return value
}

// tokenOf signs one for a user with the program's own command.
func tokenOf(t testing.TB, user string) string {
	t.Helper()
	signed, err := token.Sign(testSecret, user, time.Hour)
	require.NoError(t, err)
	return signed
}

// logBuffer keeps what the server logs.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// answered returns the log's records of the requests with an answer of a status.
func (b *logBuffer) answered(t testing.TB, status int) []map[string]any {
	t.Helper()
	return slices.DeleteFunc(b.lines(t, "request"), func(record map[string]any) bool { return record["status"] != float64(status) })
}

// lines returns the log's records whose message is msg.
func (b *logBuffer) lines(t testing.TB, msg string) (found []map[string]any) {
	t.Helper()
	for line := range strings.Lines(b.String()) {
		var record map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &record), "%s", line)
		if record[slog.MessageKey] == msg {
			found = append(found, record)
		}
	}
	return found
}
