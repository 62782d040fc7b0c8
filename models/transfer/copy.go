// Package transfer copies a database of users and their rows into an empty one, of any engine. It reads the tables of owned
// models from their schemas, and knows none of them by name.
package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"taskapi/config"
	"taskapi/models/database"
)

// Copy copies all users and the rows of the owned models, with their ids and times, into a database that has none. It reads
// the source as of one moment, does not change it, and blocks no other client. At the end it reads both databases again and
// compares them, value by value. It shows its progress on w. It returns the number of rows in words: "3 tasks, 5 notes of 2
// users". After an error, or the end of ctx or of the process, the target is as it was.
func Copy(ctx context.Context, from, to config.Database, owned []any, w io.Writer) (copied string, err error) {
	source, err := database.OpenSource(ctx, from)
	if err != nil {
		return "", err
	}
	defer source.Close()
	tables, err := findTables(source, owned)
	if err != nil {
		return "", source.Fault(err)
	}
	target, err := database.OpenTarget(ctx, to)
	if errors.Is(err, fs.ErrExist) {
		return "", describeExisting(ctx, to, tables, err)
	}
	if err != nil {
		return "", err
	}
	defer target.Close()
	if err := prepare(target, source, owned, tables); err != nil {
		return "", target.Fault(err)
	}
	for _, t := range tables {
		if err := copyTable(target, source, t, newProgress(w, "copying", t)); err != nil {
			return "", err
		}
	}
	var counts []string
	for _, t := range tables {
		rows, err := compareTable(target, source, t, newProgress(w, "verifying", t))
		if err != nil {
			return "", err
		}
		counts = append(counts, fmt.Sprintf("%d %s", rows, t.name))
	}
	return strings.Join(counts[1:], ", ") + " of " + counts[0], target.Fault(target.Commit())
}

// describeExisting adds the number of rows to the error of a target that exists, if it can be read and has any.
func describeExisting(ctx context.Context, to config.Database, tables []*table, exists error) error {
	existing, err := database.OpenSource(ctx, to)
	if err != nil {
		return exists
	}
	defer existing.Close()
	if err := checkEmpty(existing, tables); err != nil {
		return fmt.Errorf("the target (%s): %w", to, err)
	}
	return exists
}

// prepare makes the target's tables and locks them. It returns an error if one of them has rows. It checks that before the
// migration, which would block the clients of a database in use, and after it, when nobody can add rows.
func prepare(target, source *database.Session, owned []any, tables []*table) error {
	if target.Same(source) {
		return errors.New("is the source itself")
	}
	if err := checkEmpty(target, tables); err != nil {
		return err
	}
	if err := target.Migrate(owned); err != nil {
		return err
	}
	for _, t := range tables {
		if err := target.Lock(t.name); err != nil {
			return err
		}
	}
	return checkEmpty(target, tables)
}

func copyTable(target, source *database.Session, t *table, progress *progress) error {
	defer progress.end()
	rows, err := read(source, t)
	if err != nil {
		return err
	}
	defer rows.Close()
	for {
		values, err := rows.next(insertBatch)
		if err != nil {
			return err
		}
		if len(values) == 0 {
			return target.Fault(target.SetLastID(t.name, t.lastID))
		}
		if err := insert(target, t, values); err != nil {
			return err
		}
		progress.add(len(values) / len(t.columns))
	}
}

// compareTable returns the number of rows, and an error if a value or a row of the table differs.
func compareTable(target, source *database.Session, t *table, progress *progress) (count int64, err error) {
	defer progress.end()
	wanted, err := read(source, t)
	if err != nil {
		return 0, err
	}
	defer wanted.Close()
	written, err := read(target, t)
	if err != nil {
		return 0, err
	}
	defer written.Close()
	for ; ; count++ {
		want, err := wanted.next(1)
		if err != nil {
			return 0, err
		}
		got, err := written.next(1)
		switch {
		case err != nil:
			return 0, err
		case !slices.Equal(got, want):
			user := append(want, got...)[t.owner] // of either row, if the other is missing
			return 0, target.Fault(fmt.Errorf("did not keep the %s of the user %q", t.name, user))
		case len(want) == 0:
			return count, nil
		}
		progress.add(1)
	}
}
