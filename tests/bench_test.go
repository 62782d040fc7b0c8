package tests

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"slices"
	"strings"
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

// benchBatch is how many rows the benchmarks of create and delete make or remove at once, outside the timer.
const benchBatch = 500

// BenchmarkEndpoints sends each request through the whole app in memory ("app"), and the very statement that the app
// issued for it straight through the driver ("direct"). The app's x-direct is how many times as long it takes.
func BenchmarkEndpoints(b *testing.B) {
	b.Run("PostgreSQL", func(b *testing.B) {
		databaseURL := newPostgres(b)
		pool, err := pgxpool.New(context.Background(), databaseURL)
		require.NoError(b, err)
		b.Cleanup(pool.Close)
		benchEndpoints(b, newServer(b, databaseURL), directPostgres{pool})
	})
	b.Run("SQLite", func(b *testing.B) {
		s := newServer(b, newSQLite(b))
		pool, err := s.db.DB()
		require.NoError(b, err)
		benchEndpoints(b, s, directSQLite{pool})
	})
}

// BenchmarkToken judges tokens on a request that needs no database: a good one leads to the 422 of its path. Tokens of
// public keys are sent again and again ("seen"), and each but once in a while ("new"), so that none is remembered.
func BenchmarkToken(b *testing.B) {
	ed, rs := newKey(b, "ed", jwt.SigningMethodEdDSA), newKey(b, "rs", jwt.SigningMethodRS256)
	es := newKey(b, "es", jwt.SigningMethodES256)
	auth := newIssuer(b, ed, es, rs)
	s := newServerOf(b, auth, newSQLite(b))
	run := func(name string, status int, tokens ...string) {
		b.Run(name, func(b *testing.B) {
			app := newCaller(s)
			app.prepare("GET", "/api/tasks/x", tokens[0], "")
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				app.ctx.Request.Header.Set("Authorization", "Bearer "+tokens[i%len(tokens)])
				app.call(b, status)
			}
		})
	}
	run("accepted/HS256", 422, tokenOf(b, "ann"))
	for _, key := range []signingKey{ed, es, rs} {
		tokens := make([]string, 8500) // more than are remembered
		for i := range tokens {
			tokens[i] = key.sign(b, nil, auth.stock(fmt.Sprint("user ", i), nil))
		}
		run("accepted/"+key.method.Alg()+"/seen", 422, tokens[0])
		run("accepted/"+key.method.Alg()+"/new", 422, tokens...)
	}
	run("accepted/HS256, 8 kB", 422, claim(`{"user_id":"ann","exp":%d,"pad":"`+strings.Repeat("x", 6<<10)+`"}`, time.Hour))
	run("accepted/EdDSA, 8 kB, seen", 422, ed.sign(b, nil, auth.stock("ann", map[string]any{"pad": strings.Repeat("x", 6<<10)})))
	for _, f := range forgeries(b, auth, ed, rs) {
		switch f.attack {
		case "algorithm none without a signature", "sub alone under the secret", "a truncated signature", "a signature of zeros",
			"the kid \"/dev/null\"",
			"many dots", "8 kB of letters", "8 kB with a bad signature", "8 kB of nested lists", "a critical extension", "the claim sub twice":
			run("refused/"+f.attack, 401, f.token)
		}
	}
	run("refused/a bad HMAC", 401, tokenOf(b, "ann")+"x")
}

// direct issues statements without the app, the ORM and, for PostgreSQL, database/sql.
type direct interface {
	// query reads rows of all columns of tasks, or of the id alone.
	query(b *testing.B, statement string, args []any) []models.Task
	exec(b *testing.B, statement string, args []any) (affected int64)
}

type directPostgres struct{ pool *pgxpool.Pool }

func (d directPostgres) query(b *testing.B, statement string, args []any) (found []models.Task) {
	rows, err := d.pool.Query(context.Background(), statement, args...)
	if err == nil {
		columns := len(rows.FieldDescriptions())
		found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (t models.Task, err error) {
			return t, row.Scan(fields(&t)[:columns]...)
		})
	}
	noError(b, err)
	return found
}

func (d directPostgres) exec(b *testing.B, statement string, args []any) int64 {
	tag, err := d.pool.Exec(context.Background(), statement, args...)
	noError(b, err)
	return tag.RowsAffected()
}

type directSQLite struct{ pool *sql.DB }

func (d directSQLite) query(b *testing.B, statement string, args []any) (found []models.Task) {
	rows, err := d.pool.QueryContext(context.Background(), statement, args...)
	noError(b, err)
	defer rows.Close()
	columns, err := rows.Columns()
	noError(b, err)
	for rows.Next() {
		var t models.Task
		noError(b, rows.Scan(fields(&t)[:len(columns)]...))
		found = append(found, t)
	}
	noError(b, rows.Err())
	return found
}

func (d directSQLite) exec(b *testing.B, statement string, args []any) int64 {
	result, err := d.pool.ExecContext(context.Background(), statement, args...)
	noError(b, err)
	affected, err := result.RowsAffected()
	noError(b, err)
	return affected
}

func fields(t *models.Task) []any {
	return []any{&t.ID, &t.UserID, &t.Title, &t.Description, &t.Completed, &t.CreatedAt, &t.UpdatedAt, &t.Version}
}

// noError is require.NoError without its cost.
func noError(b *testing.B, err error) {
	if err != nil {
		b.Helper()
		b.Fatal(err)
	}
}

// caller sends one prepared request again and again, in memory.
type caller struct {
	handler fasthttp.RequestHandler
	ctx     fasthttp.RequestCtx
}

// newCaller takes the server's app anew, with a log that is written but not kept.
func newCaller(s *server) *caller {
	deps := s.deps
	deps.Log = s.cfg.Logger(io.Discard)
	app := routes.New(deps)
	app.Handler() // makes the app ready, as listening would
	return &caller{handler: app.Server().Handler}
}

func (c *caller) prepare(method, path, token, body string) {
	var r fasthttp.Request
	r.Header.SetMethod(method)
	r.SetRequestURI(path)
	r.Header.Set("Host", "api.example.com")
	r.Header.Set("Origin", "https://app.example.com")
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.SetContentType("application/json")
		r.SetBodyString(body)
	}
	c.ctx.Init(&r, nil, nil)
}

func (c *caller) call(b *testing.B, status int) {
	c.ctx.Response.Reset()
	c.ctx.ResetUserValues()
	c.handler(&c.ctx)
	if got := c.ctx.Response.StatusCode(); got != status {
		b.Fatalf("status %d, not %d: %s", got, status, c.ctx.Response.Body())
	}
}

// endpoint is a request to measure.
type endpoint struct {
	name, method, path, body string
	status                   int
	rows                     int // how many tasks the user has when a batch begins
	refill                   bool
}

func benchEndpoints(b *testing.B, s *server, d direct) {
	const input = `{"title": "Buy groceries", "description": "milk, eggs, bread"}`
	for _, e := range []endpoint{
		{"create", "POST", "/api/tasks", input, 201, 20, true},
		{"list", "GET", "/api/tasks", "", 200, 20, false},
		{"get", "GET", "/api/tasks/%d", "", 200, 20, false},
		{"replace", "PUT", "/api/tasks/%d", input, 200, 20, false},
		{"toggle", "PATCH", "/api/tasks/%d/complete", "", 200, 20, false},
		{"delete", "DELETE", "/api/tasks/%d", "", 204, benchBatch, true},
	} {
		b.Run(e.name, func(b *testing.B) { benchEndpoint(b, s, d, e) })
	}
}

func benchEndpoint(b *testing.B, s *server, d direct, e endpoint) {
	app := newCaller(s)
	app.prepare(e.method, e.path, tokenOf(b, "ann"), e.body)
	issued := record(b, s, app, e)

	var direct time.Duration // what one direct call takes
	b.Run("direct", func(b *testing.B) {
		send := d.exec
		if e.status != 204 {
			send = func(b *testing.B, text string, args []any) int64 { return int64(len(d.query(b, text, args))) }
		}
		want := int64(1)
		if e.name == "list" {
			want = int64(e.rows)
		}
		benchBatches(b, s, e, func(task benchTask) {
			if got := send(b, issued.text, issued.renew(task.id)); got != want {
				b.Fatalf("%d rows, not %d: %s", got, want, issued.text)
			}
		})
		direct = b.Elapsed() / time.Duration(b.N)
	})
	b.Run("app", func(b *testing.B) {
		benchBatches(b, s, e, func(task benchTask) {
			app.ctx.Request.SetRequestURI(task.path)
			app.call(b, e.status)
		})
		if direct > 0 {
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(direct), "x-direct")
		}
	})
}

// benchTask is a row to work on, and the path of the endpoint for it.
type benchTask struct {
	id   int64
	path string
}

// benchBatches repeats a call on one row after the other, with new rows for each batch where the calls use them up.
func benchBatches(b *testing.B, s *server, e endpoint, call func(benchTask)) {
	tasks := renewTasks(b, s, e)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if e.refill && i > 0 && i%benchBatch == 0 {
			b.StopTimer()
			tasks = renewTasks(b, s, e)
			b.StartTimer()
		}
		call(tasks[i%len(tasks)])
	}
}

// renewTasks gives ann new tasks instead of all that she has.
func renewTasks(b *testing.B, s *server, e endpoint) (made []benchTask) {
	noError(b, s.db.Scopes(models.OwnedBy("ann")).Delete(&models.Task{}).Error)
	description := "milk, eggs, bread"
	rows := make([]models.Task, e.rows)
	for i := range rows {
		rows[i] = models.Task{Owner: models.Owner{UserID: "ann"}, TaskInput: models.TaskInput{Title: "Buy groceries", Description: &description}}
	}
	noError(b, models.CreateOwned(b.Context(), s.db, "ann", &rows))
	for _, row := range rows {
		path := e.path
		if strings.Contains(path, "%d") {
			path = fmt.Sprintf(path, row.ID)
		}
		made = append(made, benchTask{row.ID, path})
	}
	return made
}

// statement is one that the app issued, for the task with the given id.
type statement struct {
	text string
	args []any
	id   int64
}

// renew puts another id and the current time where the old ones stand, for a row that is written as it was is not written
// at all by SQLite.
func (s *statement) renew(id int64) []any {
	for i, arg := range s.args {
		switch arg.(type) {
		case int64:
			if arg == s.id {
				s.args[i] = id
			}
		case time.Time:
			s.args[i] = time.Now().UTC().Truncate(time.Microsecond)
		}
	}
	s.id = id
	return s.args
}

// record has the app answer a request and returns the statement that it issued for it.
func record(b *testing.B, s *server, app *caller, e endpoint) (last statement) {
	before := s.db.Logger
	defer func() { s.db.Logger = before }()
	s.onStatement(func(text string, vars []any) { last = statement{text: text, args: slices.Clone(vars)} })
	task := renewTasks(b, s, e)[0]
	app.ctx.Request.SetRequestURI(task.path)
	app.call(b, e.status)
	last.id = task.id
	return last
}
