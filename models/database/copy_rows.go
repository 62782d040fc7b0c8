package database

import (
	"crypto/sha256"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"taskapi/models"
)

// table is how a copy reads a table. The values that scan returns are the same on both engines.
type table struct {
	name    string
	columns []string
	scan    func(*sql.Rows) (user string, values []any, err error)
}

var userTable = table{"users", []string{"id", "created_at"}, func(rows *sql.Rows) (string, []any, error) {
	var u models.User
	err := rows.Scan(&u.ID, &u.CreatedAt)
	return u.ID, []any{u.ID, exact(u.CreatedAt)}, err
}}

var taskTable = table{"tasks", []string{"id", "user_id", "title", "description", "completed", "created_at", "updated_at"}, func(rows *sql.Rows) (string, []any, error) {
	var t models.Task
	var description any
	err := rows.Scan(&t.ID, &t.UserID, &t.Title, &t.Description, &t.Completed, &t.CreatedAt, &t.UpdatedAt)
	if t.Description != nil {
		description = *t.Description
	}
	return t.UserID, []any{t.ID, t.UserID, t.Title, description, t.Completed, exact(t.CreatedAt), exact(t.UpdatedAt)}, err
}}

// exact is a time as both engines keep it.
func exact(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// query selects all rows, user by user, in the order of the ids' bytes, which is the same on both engines. The users are
// those listed, and whoever else has a task: in a database that lists them elsewhere, all of them.
func (s *side) query(t table) string {
	collate := map[string]string{"postgres": `COLLATE "C"`, "sqlite": "COLLATE BINARY"}[s.Name()]
	if t.name == taskTable.name {
		return "SELECT " + strings.Join(t.columns, ", ") + " FROM tasks ORDER BY user_id " + collate + ", id"
	}
	listed := "users"
	if !s.Migrator().HasColumn(&models.User{}, "id") || !s.Migrator().HasColumn(&models.User{}, "created_at") {
		listed = "(SELECT user_id AS id, created_at FROM tasks WHERE 1 = 0)"
	}
	return fmt.Sprintf(`SELECT id %[2]s AS id, created_at FROM %[1]s AS listed
		UNION ALL SELECT user_id %[2]s, min(created_at) FROM tasks GROUP BY user_id
			HAVING NOT EXISTS (SELECT 1 FROM %[1]s AS listed WHERE listed.id = user_id) ORDER BY id`, listed, collate)
}

// stream reads a table row by row: a [pgx.CopyFromSource].
type stream struct {
	*sql.Rows
	table
	side   *side
	count  func()
	user   string // of the values
	values []any  // of the row read last, unless nextSum has used them
	err    error
}

func (s *side) read(t table, count func()) (*stream, error) {
	rows, err := s.Raw(s.query(t)).Rows()
	return &stream{Rows: rows, table: t, side: s, count: count}, s.fault(err)
}

// Values implements [pgx.CopyFromSource].
func (s *stream) Values() (values []any, err error) {
	if s.count != nil {
		s.count()
	}
	s.user, s.values, err = s.scan(s.Rows)
	s.err = s.side.fault(err)
	return s.values, s.err
}

// Err implements [pgx.CopyFromSource].
func (s *stream) Err() error {
	if s.err == nil {
		s.err = s.side.fault(s.Rows.Err())
	}
	return s.err
}

// sum is the checksum of a user's rows.
type sum struct {
	user   string
	rows   int64
	digest [sha256.Size]byte
}

// nextSum adds up the rows of the next user. After the last there are none.
func (s *stream) nextSum() (next sum, err error) {
	digest := sha256.New()
	for s.values != nil || s.Next() {
		if s.values == nil {
			if _, err := s.Values(); err != nil {
				return sum{}, err
			}
		}
		if next.rows > 0 && s.user != next.user {
			break
		}
		next.user = s.user
		next.rows++
		fmt.Fprintf(digest, "%#v", s.values)
		s.values = nil
	}
	digest.Sum(next.digest[:0])
	return next, s.Err()
}

// insert writes all rows of a stream.
func (s *side) insert(rows *stream) error {
	ctx := s.Statement.Context
	if s.Name() == "postgres" {
		return s.fault(s.conn.Raw(func(conn any) error {
			_, err := conn.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{rows.name}, rows.columns, rows)
			return err
		}))
	}
	const batch = 100 // costs half of what rows one by one do
	into := "INSERT INTO " + rows.name + " (" + strings.Join(rows.columns, ", ") + ") VALUES "
	row := "(?" + strings.Repeat(", ?", len(rows.columns)-1) + ")"
	var values []any
	for more := rows.Next(); more; {
		next, err := rows.Values()
		if err != nil {
			return err
		}
		values = append(values, next...)
		n := len(values) / len(next)
		if more = rows.Next(); more && n < batch {
			continue
		}
		if _, err := s.tx.ExecContext(ctx, into+row+strings.Repeat(", "+row, n-1), values...); err != nil {
			return s.fault(err)
		}
		values = values[:0]
	}
	return nil
}
