// Package transfer copies a database of users and their rows into an empty one, of any engine. It goes by the models'
// schemas and knows no table by name.
package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"taskapi/config"
	"taskapi/models/database"
)

// Copy copies all users and the rows of the owned models, with their ids and times, into a database that has none. It sees
// the source as of one moment, changes nothing there and blocks nobody. At the end it reads both databases back and
// compares them, value by value. It returns the number of rows in words: "3 tasks, 5 notes of 2 users". An error, the end of
// ctx or of the process leaves the target as it was.
func Copy(ctx context.Context, from, to config.Database, owned []any, progress Progress) (copied string, err error) {
	copied, err = copyAll(ctx, from, to, owned, progress)
	switch {
	case err == nil:
		return copied, nil
	case ctx.Err() != nil:
		return "", errors.New("copy: interrupted, the target is as it was")
	}
	return "", fmt.Errorf("copy: %s", database.OneLine(err))
}

func copyAll(ctx context.Context, from, to config.Database, owned []any, progress Progress) (copied string, err error) {
	source, err := openSource(ctx, from)
	if err != nil {
		return "", err
	}
	defer source.Close()
	tables, err := source.tables(owned)
	if err != nil {
		return "", err
	}
	target, err := openTarget(ctx, to, owned)
	if err != nil {
		return "", err
	}
	defer target.Close()
	if err := target.prepare(source, owned, tables); err != nil {
		return "", err
	}
	for _, t := range tables {
		if err := copyTable(target, source, t, progress.counter("copying", t)); err != nil {
			return "", err
		}
	}
	var counts []string
	for _, t := range tables {
		rows, err := compareTable(target, source, t, progress.counter("verifying", t))
		if err != nil {
			return "", err
		}
		counts = append(counts, fmt.Sprintf("%d %s", rows, t.name))
	}
	return strings.Join(counts[1:], ", ") + " of " + counts[0], target.fault(target.Commit())
}

func copyTable(target, source *session, t *table, count func()) error {
	rows, err := source.read(t, count)
	if err != nil {
		return err
	}
	defer rows.Close()
	var batch []any
	for {
		values, err := rows.next()
		if err != nil {
			return err
		}
		batch = append(batch, values...)
		if values == nil || len(batch) == insertBatch*len(values) {
			if err := target.insert(t, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
		if values == nil {
			return target.fault(target.SetLastID(t.name, t.lastID))
		}
	}
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
	for ; ; rows++ {
		want, err := wanted.next()
		if err != nil {
			return 0, err
		}
		got, err := written.next()
		switch {
		case err != nil:
			return 0, err
		case !slices.Equal(got, want):
			return 0, target.fault(fmt.Errorf("did not keep the %s of the user %q", t.name, t.user(want, got)))
		case want == nil:
			return rows, nil
		}
	}
}
