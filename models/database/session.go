package database

import (
	"context"
	"database/sql"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"taskapi/config"
	"taskapi/models"
)

// Session is a database in the one transaction of a copy, free of the guard. [Session.Commit] makes what was written the
// content of the database; [Session.Close] without it leaves the database as it was.
type Session struct {
	*gorm.DB
	engine   engine
	pool     *sql.DB
	tx       *sql.Tx
	identity string
}

// OpenSource begins to read a database as of one moment. It neither makes nor changes it.
func OpenSource(ctx context.Context, database config.Database) (*Session, error) {
	return begin(ctx, database, copySource, sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
}

// OpenTarget begins to write a database. An SQLite file must not exist yet, or the error is [fs.ErrExist].
func OpenTarget(ctx context.Context, database config.Database) (*Session, error) {
	return begin(ctx, database, copyTarget, sql.TxOptions{Isolation: sql.LevelReadCommitted})
}

func begin(ctx context.Context, database config.Database, purpose purpose, options sql.TxOptions) (*Session, error) {
	engine, err := newEngine(database, purpose)
	if err != nil {
		return nil, err
	}
	s := &Session{engine: engine}
	s.DB, s.pool, err = newSession(engine, logger.Discard)
	if err == nil {
		err = s.pool.PingContext(ctx)
	}
	if err == nil {
		s.tx, err = s.pool.BeginTx(context.WithoutCancel(ctx), &options) // the end of ctx ends statements, but never a commit
	}
	if err == nil {
		s.DB = models.AcrossOwners(s.WithContext(ctx))
		s.Statement.ConnPool = s.tx
		s.identity, err = engine.begin(s.DB)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Same reports whether two sessions are known to be on one database, whatever their URLs.
func (s *Session) Same(other *Session) bool { return s.identity != "" && s.identity == other.identity }

// Columns returns the names of a table's columns, none if there is no such table.
func (s *Session) Columns(table string) (names []string, err error) {
	columns, err := s.engine.columns(s.DB, table)
	for _, c := range columns {
		names = append(names, c.Name)
	}
	return names, err
}

// ByteOrder is the collation that orders text by its bytes.
func (s *Session) ByteOrder() string { return s.engine.byteOrder() }

// LastID is the last id that a table gave out, even if its row is gone.
func (s *Session) LastID(table string) (id int64, err error) {
	var last int64
	if err := s.Raw("SELECT coalesce(max(id), 0) FROM " + table).Row().Scan(&last); err != nil {
		return 0, err
	}
	id, err = s.engine.lastID(s.DB, table)
	return max(id, last), err
}

// SetLastID has a table give out ids beyond id, and beyond those that it has given out.
func (s *Session) SetLastID(table string, id int64) error {
	if id == 0 {
		return nil
	}
	return s.engine.setLastID(s.DB, table, id)
}

// Migrate makes the tables of the owned models and of their users.
func (s *Session) Migrate(owned []any) error { return migrateTables(s.DB, owned, "") }

// Lock keeps everyone else from writing to tables.
func (s *Session) Lock(tables []string) error { return s.engine.lockTables(s.DB, tables) }

// Commit makes what was written the content of the database, at once.
func (s *Session) Commit() error {
	if err := s.tx.Commit(); err != nil {
		return err
	}
	return s.engine.publish()
}

// Close ends the session. Without a [Session.Commit] the database stays as it was.
func (s *Session) Close() {
	if s.tx != nil {
		_ = s.tx.Rollback()
	}
	if s.pool != nil {
		_ = s.pool.Close()
	}
	s.engine.discard()
}
