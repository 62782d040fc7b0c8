//go:build bench

package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/valyala/fasthttp"
)

type input struct {
	Title       string  `json:"title"`
	Description *string `json:"description"`
}

// read decodes a body, or answers 422.
func read(c *fasthttp.RequestCtx) (in input, ok bool) {
	err := json.Unmarshal(c.PostBody(), &in)
	if err != nil || strings.TrimSpace(in.Title) == "" || len([]rune(in.Title)) > 200 ||
		in.Description != nil && len([]rune(*in.Description)) > 1000 {
		fail(c, 422, "invalid")
		return in, false
	}
	return in, true
}

const insert = "INSERT INTO tasks (user_id, title, description, created_at, updated_at) VALUES ($1, $2, $3, $4, $4) RETURNING " + columns

func (s server) create(c *fasthttp.RequestCtx, user string) error {
	in, ok := read(c)
	if !ok {
		return nil
	}
	if key := strings.Trim(string(c.Request.Header.Peek("Idempotency-Key")), `"`); key != "" {
		return s.createOnce(c, user, key, in)
	}
	created, err := s.one(insert, user, in.Title, in.Description, time.Now())
	return sendCreated(c, created, err)
}

// createOnce adds the task and the key in one transaction, unless there is an answer for the key.
func (s server) createOnce(c *fasthttp.RequestCtx, user, key string, in input) error {
	ctx, digest := context.Background(), sha256.Sum256(c.PostBody())
	var known, location, etag, body string
	err := s.pool.QueryRow(ctx, "SELECT digest, location, e_tag, body FROM idempotency_keys"+
		" WHERE user_id = $1 AND path = '/api/tasks' AND key = $2 AND created_at > now() - interval '1 day'", user, key).
		Scan(&known, &location, &etag, &body)
	if err == nil {
		c.Response.Header.Set("Location", location)
		return send(c, 201, etag, []byte(body), nil)
	} else if !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	var created task
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		now := time.Now()
		rows, err := tx.Query(ctx, insert, user, in.Title, in.Description, now)
		if err != nil {
			return err
		}
		if created, err = pgx.CollectExactlyOneRow(rows, scan); err != nil {
			return err
		}
		text, err := json.Marshal(created)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO idempotency_keys (user_id, path, key, digest, location, e_tag, body, created_at)"+
			" VALUES ($1, '/api/tasks', $2, $3, $4, $5, $6, $7)", user, key, base64.StdEncoding.EncodeToString(digest[:]),
			"/api/tasks/"+strconv.FormatInt(created.ID, 10), versionTag(created), string(text), now)
		return err
	})
	return sendCreated(c, created, err)
}

func (s server) replace(c *fasthttp.RequestCtx, user string, id int64) error {
	in, ok := read(c)
	if !ok {
		return nil
	}
	statement := "UPDATE tasks SET title = $3, description = $4, updated_at = $5, version = version + 1 WHERE user_id = $1 AND id = $2"
	args := []any{user, id, in.Title, in.Description, time.Now()}
	if tag := string(c.Request.Header.Peek("If-Match")); tag != "" && tag != "*" {
		version, err := strconv.ParseInt(strings.Trim(tag, `"`), 10, 64)
		if err != nil {
			return err
		}
		statement, args = statement+" AND version = $6", append(args, version)
	}
	return s.answer(c, statement+" RETURNING "+columns, args...)
}

// one runs a statement that returns one row, or pgx.ErrNoRows.
func (s server) one(statement string, args ...any) (task, error) {
	rows, err := s.pool.Query(context.Background(), statement, args...)
	if err != nil {
		return task{}, err
	}
	return pgx.CollectExactlyOneRow(rows, scan)
}

// answer answers with the row of a statement.
func (s server) answer(c *fasthttp.RequestCtx, statement string, args ...any) error {
	row, err := s.one(statement, args...)
	if err != nil {
		return err
	}
	body, err := json.Marshal(row)
	return send(c, 200, versionTag(row), body, err)
}

func versionTag(t task) string { return `"` + strconv.FormatInt(t.Version, 10) + `"` }

func sendCreated(c *fasthttp.RequestCtx, created task, err error) error {
	if err != nil {
		return err
	}
	c.Response.Header.Set("Location", "/api/tasks/"+strconv.FormatInt(created.ID, 10))
	body, err := json.Marshal(created)
	return send(c, 201, versionTag(created), body, err)
}

func send(c *fasthttp.RequestCtx, status int, etag string, body []byte, err error) error {
	if err != nil {
		return err
	}
	c.SetStatusCode(status)
	c.SetContentType("application/json")
	c.Response.Header.Set("ETag", etag)
	c.SetBody(body)
	return nil
}

func fail(c *fasthttp.RequestCtx, status int, detail string) {
	body, _ := json.Marshal(map[string]string{"detail": detail})
	c.SetStatusCode(status)
	c.SetContentType("application/json")
	c.SetBody(body)
}
