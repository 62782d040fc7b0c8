package database

import (
	"context"
	"database/sql"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"

	"taskapi/config"
	"taskapi/models"
)

// Session is one transaction on the source or the target of a copy, which the guard does not check. [Session.Commit] makes
// what was written the content of the database. After [Session.Close] without it the database is as it was.
type Session struct {
	*gorm.DB
	name     string
	engine   engine
	pool     *sql.DB
	tx       *sql.Tx
	identity string
}

// OpenSource begins to read a database as of one moment. It neither creates nor changes the database.
func OpenSource(ctx context.Context, database config.Database) (*Session, error) {
	return begin(ctx, "source", database, copySource, sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
}

// OpenTarget begins to write a database. If it is an SQLite file that exists, the error wraps [fs.ErrExist].
func OpenTarget(ctx context.Context, database config.Database) (*Session, error) {
	return begin(ctx, "target", database, copyTarget, sql.TxOptions{Isolation: sql.LevelReadCommitted})
}

func begin(ctx context.Context, role string, database config.Database, purpose purpose, options sql.TxOptions) (*Session, error) {
	s := &Session{name: fmt.Sprintf("%s (%s)", role, database)}
	engine, err := newEngine(database, purpose)
	if err != nil {
		return nil, s.Fault(err)
	}
	s.engine = engine
	s.DB, s.pool, err = openGORM(engine, logger.Discard)
	if err == nil {
		err = s.pool.PingContext(ctx)
	}
	if err == nil {
		s.tx, err = s.pool.BeginTx(context.WithoutCancel(ctx), &options) // the end of ctx ends statements, but not a commit
	}
	if err == nil {
		s.DB = models.AcrossOwners(s.WithContext(ctx))
		s.Statement.ConnPool = s.tx
		s.identity, err = engine.begin(s.DB)
	}
	if err != nil {
		s.Close()
		return nil, s.Fault(err)
	}
	return s, nil
}

// Fault adds to an error, unless it is nil, which database it is of.
func (s *Session) Fault(err error) error {
	if err != nil {
		err = fmt.Errorf("the %s: %w", s.name, err)
	}
	return err
}

// Same reports whether two sessions are known to be on one database, whatever their URLs.
func (s *Session) Same(other *Session) bool { return s.identity != "" && s.identity == other.identity }

// Fields returns the name of a model's table and the fields that it has columns for. It returns an error if the table does not
// exist, or has no column for a field that needs a value.
func (s *Session) Fields(model any) (table string, fields []*schema.Field, err error) {
	schema, err := schemaOf(s.DB, model)
	if err != nil {
		return "", nil, err
	}
	columns, err := s.engine.columns(s.DB, schema.Table)
	if err == nil && len(columns) == 0 {
		return "", nil, fmt.Errorf("has no table of %s", schema.Table)
	}
	if err == nil {
		fields, _, err = divide(schema, columns)
	}
	if err != nil {
		err = fmt.Errorf("the table %s: %w", schema.Table, err)
	}
	return schema.Table, fields, err
}

// ByteOrder returns the collation that orders text by its bytes.
func (s *Session) ByteOrder() string { return s.engine.byteOrder() }

// LastID returns the last id that a table gave out, or a greater one that a row has; 0 if there is none. The row of the last
// id may be deleted.
func (s *Session) LastID(table string) (int64, error) { return s.engine.lastID(s.DB, table) }

// SetLastID makes a table give out only ids greater than id and than those that it has given out.
func (s *Session) SetLastID(table string, id int64) error {
	if id == 0 {
		return nil
	}
	return s.engine.setLastID(s.DB, table, id)
}

// Migrate creates the tables of the owned models and of their users.
func (s *Session) Migrate(owned []any) error { return migrateTables(s.DB, owned, "") }

// Lock prevents other sessions from writing to a table.
func (s *Session) Lock(table string) error { return s.engine.lockTable(s.DB, table) }

// Commit makes what was written the content of the database, in one step.
func (s *Session) Commit() error {
	if err := s.tx.Commit(); err != nil {
		return err
	}
	return s.engine.publish()
}

// Close ends the session. Without [Session.Commit] the database is as it was.
func (s *Session) Close() {
	if s.tx != nil {
		_ = s.tx.Rollback()
	}
	_ = s.pool.Close()
	s.engine.discard()
}
