// Package transfer copies a database of users and their rows into an empty one, of any engine. It goes by the models'
// schemas and knows no table by name.
package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"taskapi/config"
	"taskapi/models/database"
)

// Copied counts the rows that were copied of each table, the users first.
type Copied []Count

// Count is how many rows a table has.
type Count struct {
	Table string
	Rows  int64
}

// String counts the rows in words: "3 tasks, 5 notes of 2 users".
func (c Copied) String() string {
	var tables []string
	for _, t := range c[1:] {
		tables = append(tables, fmt.Sprintf("%d %s", t.Rows, t.Table))
	}
	return fmt.Sprintf("%s of %d %s", strings.Join(tables, ", "), c[0].Rows, c[0].Table)
}

// Copy copies all users and the rows of the owned models, with their ids and times, into a database that has none. It sees
// the source as of one moment, changes nothing there and blocks nobody. At the end it reads both databases back and
// compares them, user by user. An error, the end of ctx or of the process leaves the target as it was.
func Copy(ctx context.Context, from, to config.Database, owned []any, progress Progress) (Copied, error) {
	copied, err := copyAll(ctx, from, to, owned, progress)
	switch {
	case err == nil:
		return copied, nil
	case ctx.Err() != nil:
		return nil, errors.New("copy: interrupted, the target is as it was")
	}
	return nil, fmt.Errorf("copy: %s", database.OneLine(err))
}

func copyAll(ctx context.Context, from, to config.Database, owned []any, progress Progress) (copied Copied, err error) {
	source, err := openSource(ctx, from)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	tables, err := source.tables(owned)
	if err != nil {
		return nil, err
	}
	target, err := openTarget(ctx, to, owned)
	if err != nil {
		return nil, err
	}
	defer target.Close()
	if err := target.prepare(source, owned, tables); err != nil {
		return nil, err
	}
	for _, t := range tables {
		if err := copyTable(target, source, t, progress.counter("copying", t)); err != nil {
			return nil, err
		}
	}
	for _, t := range tables {
		rows, err := compareTable(target, source, t, progress.counter("verifying", t))
		if err != nil {
			return nil, err
		}
		copied = append(copied, Count{t.name, rows})
	}
	return copied, target.fault(target.Commit())
}

func copyTable(target, source *session, t *table, count func()) error {
	rows, err := source.read(t, count)
	if err != nil {
		return err
	}
	defer rows.Close()
	err = target.Insert(t.name, t.columns, rows)
	if err == nil && t.lastID > 0 {
		err = target.SetLastID(t.name, t.lastID)
	}
	return cmp.Or(rows.Err(), target.fault(err))
}

// compareTable returns an error unless a table holds the same in both databases, and counts its rows.
func compareTable(target, source *session, t *table, count func()) (rows int64, err error) {
	wanted, err := source.read(t, count)
	if err != nil {
		return 0, err
	}
	defer wanted.Close()
	written, err := target.read(t, nil)
	if err != nil {
		return 0, err
	}
	defer written.Close()
	for {
		want, err := wanted.nextDigest()
		if err != nil {
			return 0, err
		}
		got, err := written.nextDigest()
		switch {
		case err != nil:
			return 0, err
		case got != want:
			return 0, target.fault(fmt.Errorf("did not keep the %s of the user %q", t.name, cmp.Or(want.user, got.user)))
		case want.rows == 0:
			return rows, nil
		}
		rows += want.rows
	}
}
