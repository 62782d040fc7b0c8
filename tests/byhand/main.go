//go:build bench

// Command byhand is the server that the program is measured by: the same answers to the requests of the benchmark, written on
// fasthttp, golang-jwt and pgx alone. It has no log, no deadlines and no limits, and looks only for what it expects.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/valyala/fasthttp"
)

const exposed = "ETag,Link,Location,X-Total-Count,Idempotency-Replayed,RateLimit,RateLimit-Policy,Retry-After,X-Request-ID"

type server struct {
	pool   *pgxpool.Pool
	secret []byte
}

func main() {
	cfg, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	cfg.MaxConns, cfg.MinIdleConns = 16, 16 // as the program's by default
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		log.Fatal(err)
	}
	s := server{pool, []byte(os.Getenv("BETTER_AUTH_SECRET"))}
	listener := &fasthttp.Server{Handler: s.handle, NoDefaultServerHeader: true}
	log.Fatal(listener.ListenAndServe("127.0.0.1:" + os.Getenv("PORT")))
}

func (s server) handle(c *fasthttp.RequestCtx) {
	h := &c.Response.Header
	h.Set("X-Request-ID", rand.Text())
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Vary", "Origin")
	if origin := c.Request.Header.Peek("Origin"); string(origin) == "https://app.example.com" {
		h.SetBytesV("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Access-Control-Max-Age", "7200")
		h.Set("Access-Control-Expose-Headers", exposed)
	}
	if string(c.Path()) == "/health" {
		return
	}
	user, ok := s.user(c)
	if !ok {
		h.Set("WWW-Authenticate", "Bearer")
		fail(c, 401, "Invalid authentication credentials")
		return
	}
	path := string(c.Path())
	id, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimPrefix(path, "/api/tasks/"), "/complete"), 10, 64)
	var err error
	switch method := string(c.Method()); {
	case path == "/api/tasks" && method == "GET":
		err = s.list(c, user)
	case path == "/api/tasks" && method == "POST":
		err = s.create(c, user)
	case method == "GET":
		h.Set("Cache-Control", "private, no-cache")
		h.Set("Vary", "Origin, Authorization")
		err = s.answer(c, "SELECT "+columns+" FROM tasks WHERE user_id = $1 AND id = $2", user, id)
	case method == "PUT":
		err = s.replace(c, user, id)
	default:
		err = s.answer(c, "UPDATE tasks SET completed = NOT completed, updated_at = $3, version = version + 1"+
			" WHERE user_id = $1 AND id = $2 RETURNING "+columns, user, id, time.Now())
	}
	switch {
	case errors.Is(err, pgx.ErrNoRows) && len(c.Request.Header.Peek("If-Match")) > 0:
		fail(c, 412, "Precondition Failed")
	case errors.Is(err, pgx.ErrNoRows):
		fail(c, 404, "Task not found")
	case err != nil:
		fail(c, 500, err.Error())
	}
}

// user parses and verifies the request's token.
func (s server) user(c *fasthttp.RequestCtx) (user string, ok bool) {
	var claims struct {
		jwt.RegisteredClaims
		UserID string `json:"user_id"`
	}
	bearer := bytes.TrimPrefix(c.Request.Header.Peek("Authorization"), []byte("Bearer "))
	_, err := jwt.ParseWithClaims(string(bearer), &claims, func(*jwt.Token) (any, error) { return s.secret, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(time.Minute))
	return claims.UserID, err == nil && claims.UserID != ""
}

const columns = "id, user_id, title, description, completed, created_at, updated_at, version"

type task struct {
	ID          int64   `json:"id"`
	UserID      string  `json:"user_id"`
	Title       string  `json:"title"`
	Description *string `json:"description"`
	Completed   bool    `json:"completed"`
	CreatedAt   moment  `json:"created_at"`
	UpdatedAt   moment  `json:"updated_at"`
	Version     int64   `json:"-"`
}

func scan(row pgx.CollectableRow) (t task, err error) {
	return t, row.Scan(&t.ID, &t.UserID, &t.Title, &t.Description, &t.Completed, &t.CreatedAt.Time, &t.UpdatedAt.Time, &t.Version)
}

type moment struct{ time.Time }

func (m moment) MarshalJSON() ([]byte, error) {
	return m.UTC().AppendFormat(make([]byte, 0, 32), `"2006-01-02T15:04:05.000000Z"`), nil
}

// list answers with all tasks of a user, or with a page and the link to the next one.
func (s server) list(c *fasthttp.RequestCtx, user string) error {
	limit, cursor := c.QueryArgs().GetUintOrZero("limit"), string(c.QueryArgs().Peek("cursor"))
	statement, args := "SELECT "+columns+" FROM tasks WHERE user_id = $1", []any{user}
	if cursor != "" {
		text, err := base64.RawURLEncoding.DecodeString(cursor)
		at, id, _ := strings.Cut(string(text), " ")
		created, timeErr := time.Parse(time.RFC3339Nano, at)
		number, numberErr := strconv.ParseInt(id, 10, 64)
		if err := errors.Join(err, timeErr, numberErr); err != nil {
			return err
		}
		statement, args = statement+" AND (created_at, id) < ($2, $3)", append(args, created, number)
	}
	statement += " ORDER BY created_at DESC, id DESC"
	if limit > 0 {
		args = append(args, limit+1)
		statement += fmt.Sprint(" LIMIT $", len(args))
	}
	rows, err := s.pool.Query(context.Background(), statement, args...)
	if err != nil {
		return err
	}
	tasks, err := pgx.AppendRows([]task{}, rows, scan)
	if err != nil {
		return err
	}
	h := &c.Response.Header
	link := ""
	if limit > 0 && len(tasks) > limit {
		tasks = tasks[:limit]
		last := tasks[limit-1]
		next := base64.RawURLEncoding.EncodeToString([]byte(last.CreatedAt.Format(time.RFC3339Nano) + " " + strconv.FormatInt(last.ID, 10)))
		link = fmt.Sprintf(`<?limit=%d&cursor=%s>; rel="next"`, limit, next)
		h.Set("Link", link)
	}
	body, err := json.Marshal(tasks)
	digest := sha256.New()
	_, _ = digest.Write(body)
	_, _ = digest.Write([]byte("\x00" + link + "\x00"))
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Vary", "Origin, Authorization")
	return send(c, 200, `"`+base64.RawURLEncoding.EncodeToString(digest.Sum(nil))+`"`, body, err)
}
