package models

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"taskapi/config"
)

// Copied counts the rows of a copy.
type Copied struct{ Tasks, Users int64 }

// Progress is told, now and then and at the end of a phase, how many of all tasks are done.
type Progress func(phase string, done, total int64)

// Copy copies all users and tasks, with their ids and times, into a database that has none. It sees the source as of one
// moment, changes nothing there and holds up nobody. At the end it reads both sides back and compares them, user by
// user. It refuses owned models that it cannot copy. An error, the end of ctx or that of the process leaves the target as it was.
func Copy(ctx context.Context, from, to config.Database, owned []any, progress Progress) (Copied, error) {
	copied, err := copyAll(ctx, from, to, owned, progress)
	switch {
	case err == nil:
		return copied, nil
	case ctx.Err() != nil:
		return Copied{}, errors.New("copy: interrupted, the target is as it was")
	}
	return Copied{}, fmt.Errorf("copy: %s", oneLine(err))
}

func copyAll(ctx context.Context, from, to config.Database, owned []any, progress Progress) (copied Copied, err error) {
	source, err := openSource(ctx, from)
	if err != nil {
		return copied, err
	}
	defer source.close()
	if err := refuseUncopied(source.DB, owned); err != nil {
		return copied, err
	}
	total, lastID, err := source.survey()
	if err != nil {
		return copied, err
	}
	target, err := openTarget(ctx, to)
	if err != nil {
		return copied, err
	}
	defer target.close()
	if err := target.prepare(source, owned); err != nil {
		return copied, err
	}
	if err := fill(target, source, userTable, nil); err != nil {
		return copied, err
	}
	if err := fill(target, source, taskTable, progress.counter("copying", total)); err != nil {
		return copied, err
	}
	if err := target.setLastID(lastID); err != nil {
		return copied, err
	}
	if copied.Users, err = compare(target, source, userTable, nil); err != nil {
		return copied, err
	}
	if copied.Tasks, err = compare(target, source, taskTable, progress.counter("verifying", total)); err != nil {
		return copied, err
	}
	return copied, target.publish()
}

// refuseUncopied returns an error if there is an owned model whose table the copy would leave out.
func refuseUncopied(db *gorm.DB, owned []any) error {
	for _, model := range owned {
		stmt := &gorm.Statement{DB: db}
		if err := stmt.Parse(model); err != nil {
			return err
		}
		if stmt.Schema.Table != taskTable.name {
			return fmt.Errorf("the table %s cannot be copied", stmt.Schema.Table)
		}
	}
	return nil
}

// counter counts tasks.
func (p Progress) counter(phase string, total int64) func() {
	var done int64
	p(phase, done, total)
	return func() {
		if done++; done%1000 == 0 || done == total {
			p(phase, done, total)
		}
	}
}

// fill copies a table.
func fill(target, source *side, t table, count func()) error {
	rows, err := source.read(t, count)
	if err != nil {
		return err
	}
	defer rows.Close()
	err = target.insert(rows)
	return cmp.Or(rows.Err(), err)
}

// compare demands that a table holds the same on both sides, and counts its rows.
func compare(target, source *side, t table, count func()) (rows int64, err error) {
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
		want, err := wanted.nextSum()
		if err != nil {
			return 0, err
		}
		got, err := written.nextSum()
		switch {
		case err != nil:
			return 0, err
		case got != want:
			return 0, fmt.Errorf("the %s did not keep the %s of the user %q", target.name, t.name, cmp.Or(want.user, got.user))
		case want.rows == 0:
			return rows, nil
		}
		rows += want.rows
	}
}
