package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"taskapi/config"
)

// side is one of the two databases of a copy, in a transaction that [side.publish] commits. Otherwise, [side.close] takes
// it back.
type side struct {
	*gorm.DB
	name     string // for people
	identity string // of a PostgreSQL database, whatever its URL
	conn     *sql.Conn
	tx       *sql.Tx
	file     *os.File // of an SQLite target, which gets its own name, path, when it is published
	path     string
	undo     []func() error
}

// openSource begins to read a database, which it neither makes nor migrates, as of one moment.
func openSource(ctx context.Context, database config.Database) (*side, error) {
	s := &side{name: fmt.Sprintf("source (%s)", database)}
	if database.Engine == config.SQLite {
		if _, err := os.Stat(database.Source); err != nil {
			return nil, s.fault(err)
		}
	}
	err := s.begin(ctx, database, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}, url.Values{
		"mode": {"ro"}, "_pragma": {lockWait},
	})
	return s, s.fault(err)
}

// openTarget begins to write a database. An SQLite file is a new one.
func openTarget(ctx context.Context, database config.Database) (*side, error) {
	s := &side{name: fmt.Sprintf("target (%s)", database), path: database.Source}
	if database.Engine == config.SQLite {
		err := refuseFile(ctx, database)
		if err == nil {
			s.file, err = os.CreateTemp(filepath.Dir(s.path), filepath.Base(s.path)+".copy-*") // its owner's alone
		}
		if err != nil {
			return nil, s.fault(err)
		}
		database.Source = s.file.Name()
		s.undo = append(s.undo, func() error { return os.Remove(database.Source) }, s.file.Close)
	}
	err := s.begin(ctx, database, &sql.TxOptions{Isolation: sql.LevelReadCommitted}, url.Values{
		// A file that counts for nothing before it is whole needs no journal, and one flush.
		"_pragma":      {"journal_mode(OFF)", "synchronous(OFF)"},
		"_time_format": sqliteOptions["_time_format"],
	})
	return s, s.fault(err)
}

func (s *side) begin(ctx context.Context, database config.Database, options *sql.TxOptions, sqlite url.Values) (err error) {
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	var pool *sql.DB
	var dialector gorm.Dialector
	if database.Engine == config.SQLite {
		pool, dialector, err = sqlitePool(database.Source, sqlite)
	} else {
		pool, dialector, err = openPool(database)
	}
	if err != nil {
		return err
	}
	s.undo = append(s.undo, pool.Close)
	db, err := session(dialector, logger.Discard)
	if err != nil {
		return err
	}
	if s.conn, err = pool.Conn(ctx); err != nil {
		return err
	}
	s.undo = append(s.undo, s.conn.Close)
	// The end of ctx ends statements, but never a commit under way.
	if s.tx, err = s.conn.BeginTx(context.WithoutCancel(ctx), options); err != nil {
		return err
	}
	s.undo = append(s.undo, s.tx.Rollback)
	s.DB = AcrossOwners(db.WithContext(ctx))
	s.Statement.ConnPool = s.tx
	if s.Name() != "postgres" {
		return nil
	}
	err = s.Exec("SET LOCAL TimeZone = 'UTC'; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0").Error
	if err != nil {
		return err
	}
	return s.Raw(`SELECT format('%s %s %s', oid, extract(epoch FROM pg_postmaster_start_time()), current_schema())
		FROM pg_database WHERE datname = current_database()`).Row().Scan(&s.identity)
}

func (s *side) close() {
	for _, undo := range slices.Backward(s.undo) {
		_ = undo()
	}
}

// fault says on which side an error happened.
func (s *side) fault(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the %s: %w", s.name, err)
}

// survey counts the tasks and finds the last id that was given out, even if its task is gone.
func (s *side) survey() (tasks, lastID int64, err error) {
	var last int64
	if !s.Migrator().HasTable(taskTable.name) {
		return 0, 0, s.fault(errors.New("has no table of tasks"))
	}
	given := "0"
	if s.Name() == "postgres" {
		given = "pg_sequence_last_value(pg_get_serial_sequence('tasks', 'id')::regclass)"
	} else if s.Migrator().HasTable("sqlite_sequence") {
		given = "(SELECT max(seq) FROM sqlite_sequence WHERE name = 'tasks')"
	}
	err = s.Raw("SELECT count(*), coalesce(max(id), 0), coalesce("+given+", 0) FROM tasks").Row().Scan(&tasks, &lastID, &last)
	return tasks, max(lastID, last), s.fault(err)
}

// setLastID sees to it that the next task has an id beyond that one, and beyond those that the target has given out.
// Unlike setval, RESTART is undone with its transaction.
func (s *side) setLastID(id int64) error {
	switch {
	case id == 0:
		return nil
	case s.Name() == "postgres":
		return s.fault(s.Exec(fmt.Sprintf(`DO $$ DECLARE ids regclass := pg_get_serial_sequence('tasks', 'id'); BEGIN
			EXECUTE format('ALTER SEQUENCE %%s RESTART WITH %%s', ids, greatest(pg_sequence_last_value(ids), %d));
			PERFORM nextval(ids);
		END $$`, id)).Error)
	}
	return s.fault(s.Exec("DELETE FROM sqlite_sequence WHERE name = 'tasks'; INSERT INTO sqlite_sequence (name, seq) VALUES ('tasks', ?)", id).Error)
}

// prepare makes the tables and keeps others from them. A target that holds anything is refused: first before the
// migration, which would hold up those who use it, then once nobody can add to it.
func (s *side) prepare(source *side, owned []any) error {
	if s.identity != "" && s.identity == source.identity {
		return s.fault(errors.New("is the source itself"))
	}
	err := s.refuseFull()
	if err == nil {
		err = migrateTables(s.DB, owned, "")
	}
	if err == nil && s.Name() == "postgres" {
		err = s.Exec("LOCK TABLE users, tasks IN EXCLUSIVE MODE").Error
	}
	if err == nil {
		err = s.refuseFull()
	}
	return s.fault(err)
}

func (s *side) refuseFull() error {
	var rows [2]int64
	for i, table := range []table{taskTable, userTable} {
		if !s.Migrator().HasTable(table.name) {
			continue
		}
		if err := s.Raw("SELECT count(*) FROM " + table.name).Row().Scan(&rows[i]); err != nil {
			return err
		}
	}
	if rows != [2]int64{} {
		return fmt.Errorf("is not empty, but has %d tasks and %d users", rows[0], rows[1])
	}
	return nil
}

// publish makes what was written the target's content, at once.
func (s *side) publish() error {
	err := s.tx.Commit()
	if err != nil || s.file == nil {
		return s.fault(err)
	}
	return s.fault(publishFile(s.file, s.path))
}
