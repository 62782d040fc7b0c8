package native

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"reflect"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"gorm.io/gorm/schema"
)

// keptStatements is how many compiled statements a connection keeps: those that were used last.
const keptStatements = 64

// KeepStatements returns a connector whose connections keep compiled statements.
func KeepStatements(connector driver.Connector) driver.Connector { return sqliteConnector{connector} }

type sqliteConnector struct{ driver.Connector }

// Connect implements [driver.Connector].
func (c sqliteConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	kept, err := simplelru.NewLRU(keptStatements, func(_ string, statement sqliteStmt) {
		_ = statement.Close() // returns the error of its last run
	})
	return &sqliteConn{conn.(driverConn), kept}, err
}

// driverConn is what database/sql asks of a connection of the driver.
type driverConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// sqliteStmt is a statement of the driver.
type sqliteStmt interface {
	driver.Stmt
	driver.StmtQueryContext
}

// sqliteConn is a connection that keeps the statements which [SQLite] runs. SQLite compiles them again by itself after a
// change of the tables.
type sqliteConn struct {
	driverConn
	kept *simplelru.LRU[string, sqliteStmt]
}

// Unwrap returns the driver's connection, for the driver's own functions.
func (c *sqliteConn) Unwrap() driver.Conn { return c.driverConn }

// Close implements [driver.Conn].
func (c *sqliteConn) Close() error {
	c.kept.Purge()
	return c.driverConn.Close()
}

// statement returns a compiled statement, and keeps it.
func (c *sqliteConn) statement(ctx context.Context, text string) (sqliteStmt, error) {
	if kept, ok := c.kept.Get(text); ok {
		return kept, nil
	}
	compiled, err := c.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	c.kept.Add(text, compiled.(sqliteStmt))
	return compiled.(sqliteStmt), nil
}

// sqliteRows are rows of SQLite.
type sqliteRows struct {
	driver.Rows
	ctx    context.Context
	values []driver.Value
	begun  bool
	err    error
}

// SQLite is the [Run] of connections that [KeepStatements] opens.
func SQLite(ctx context.Context, conn any, text string, args []any) (Rows, error) {
	statement, err := conn.(*sqliteConn).statement(ctx, text)
	if err != nil {
		return nil, err
	}
	named := make([]driver.NamedValue, len(args))
	for i, arg := range args {
		named[i].Ordinal = i + 1
		if named[i].Value, err = driver.DefaultParameterConverter.ConvertValue(arg); err != nil {
			return nil, err
		}
	}
	rows, err := statement.QueryContext(ctx, named)
	if err != nil {
		return nil, err
	}
	return &sqliteRows{Rows: rows, ctx: ctx, values: make([]driver.Value, len(rows.Columns()))}, nil
}

func (r *sqliteRows) next() bool {
	if r.begun { // a first row is there already, and with it what the statement wrote
		r.err = r.ctx.Err()
	}
	if r.begun = true; r.err == nil {
		r.err = r.Next(r.values)
	}
	return r.err == nil
}

func (r *sqliteRows) columns() []string { return r.Columns() }

func (r *sqliteRows) scan(ctx context.Context, row reflect.Value, fields []*schema.Field, other *string) (err error) {
	for i, value := range r.values {
		if fields[i] != nil && value == nil {
			err = errors.Join(err, setNull(ctx, row, fields[i]))
		} else if fields[i] != nil {
			err = errors.Join(err, fields[i].Set(ctx, row, value))
		} else if text, ok := value.(string); ok && other != nil {
			*other = text
		}
	}
	return err
}

func (r *sqliteRows) close() error {
	err := r.Close()
	if r.err != nil && !errors.Is(r.err, io.EOF) {
		err = r.err
	}
	return err
}
