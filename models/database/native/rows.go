package native

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"reflect"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// Visit is a destination for GORM's Find: it is called for each row of the model, and reports whether it wants the next one.
// The function read reads the row into the model's struct that row points to, and calls its hook AfterFind. On SQLite the text of
// a column that the model does not have is put into other, which may be nil. Statements in a transaction cannot use it.
type Visit func(read func(row any, other *string) error) (more bool, err error)

// Run starts a statement that returns rows, on a connection of a driver. The error is [driver.ErrBadConn] if nothing was sent.
type Run func(ctx context.Context, conn any, text string, args []any) (Rows, error)

// Rows are the rows of a statement, as a driver gives them.
type Rows interface {
	// next reports whether there is one more row.
	next() bool
	// columns returns the names of the columns, once there is a row.
	columns() []string
	// scan sets the fields of a row to the values of the columns. It skips a column whose field is nil;
	// SQLite puts the text of such a column into other, unless that is nil.
	scan(ctx context.Context, row reflect.Value, fields []*schema.Field, other *string) error
	// close ends the statement. It returns the error that ended the rows early, if any: [driver.ErrBadConn] if nothing was sent.
	close() error
}

// connPool is the pool of a statement that is not in a transaction.
type connPool interface {
	Conn(ctx context.Context) (*sql.Conn, error)
}

// Queue is a pool in which statements wait for their turn. It runs a function on a connection of the driver, in the context
// or one that ends earlier. It may run it again, if what it wrote was rolled back. Its error is the function's, that of the
// commit, or that of the wait for the turn or the connection.
type Queue interface {
	Read(ctx context.Context, run OnConn) error
	Write(ctx context.Context, run OnConn) error
}

// OnConn is a function that runs a statement on a connection of the driver.
type OnConn func(ctx context.Context, conn any) error

// statement is a statement that returns rows of a model.
type statement struct {
	text   string
	vars   []any
	writes bool
	model  *schema.Schema
	target reflect.Value // the model's struct or a slice of it
	visit  Visit         // in place of the target, or nil
	rows   int64         // how many it returned
}

// statementOf returns a statement that GORM has built.
func statementOf(db *gorm.DB, rowsClause string) *statement {
	stmt := db.Statement
	visit, _ := stmt.Dest.(Visit)
	return &statement{
		text: stmt.SQL.String(), vars: stmt.Vars, writes: rowsClause == "RETURNING",
		model: stmt.Schema, target: stmt.ReflectValue, visit: visit,
	}
}

// badConnTries is how many times a statement that could not be sent is tried, as in database/sql.
const badConnTries = 3

// execute runs a statement. Its error is [driver.ErrBadConn] if it could not be sent. What one that writes has written has been
// committed when it returns nil.
func (p *Plugin) execute(ctx context.Context, pool connPool, s *statement) error {
	err := driver.ErrBadConn
	for try := 0; try < badConnTries && errors.Is(err, driver.ErrBadConn); try++ {
		err = p.try(ctx, pool, s)
	}
	return err
}

// try runs a statement on a connection of the pool.
func (p *Plugin) try(ctx context.Context, pool connPool, s *statement) error {
	run := func(ctx context.Context, conn any) (err error) {
		rows, err := p.Run(ctx, conn, s.text, s.vars)
		if err != nil {
			return err
		}
		defer func() { err = cmp.Or(err, rows.close()) }()
		return s.read(ctx, rows)
	}
	queue, queued := pool.(Queue)
	if queued && s.writes {
		before := reflect.New(s.target.Type()).Elem()
		before.Set(s.target)
		err := queue.Write(ctx, func(ctx context.Context, conn any) error {
			s.target.Set(before)
			return run(ctx, conn)
		})
		if err != nil {
			s.target.Set(before) // without what a run that was rolled back has set, such as the id
		}
		return err
	}
	if queued {
		return queue.Read(ctx, run)
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(conn any) error { return run(ctx, conn) })
}

// read reads the rows of a statement into its target, and counts them.
func (s *statement) read(ctx context.Context, rows Rows) (err error) {
	var fields []*schema.Field
	readRow := func(row any, other *string) error {
		return rows.scan(ctx, reflect.ValueOf(row).Elem(), fields, other)
	}
	s.rows = 0
	for more := true; more && err == nil && rows.next(); {
		if fields == nil {
			names := rows.columns()
			fields = make([]*schema.Field, len(names))
			for i, name := range names {
				if field := s.model.LookUpField(name); field != nil && field.Readable {
					fields[i] = field
				}
			}
		}
		s.rows++
		switch {
		case s.visit != nil:
			more, err = s.visit(readRow)
		case s.target.Kind() == reflect.Slice:
			last := s.target.Len()
			s.target.Grow(1)
			s.target.SetLen(last + 1)
			s.target.Index(last).SetZero()
			err = rows.scan(ctx, s.target.Index(last), fields, nil)
		default:
			more = false // as GORM has it
			err = rows.scan(ctx, s.target, fields, nil)
		}
	}
	return err
}

// setNull sets a field to the null of a column as GORM does, which leaves some kinds of fields as they are.
func setNull(ctx context.Context, row reflect.Value, field *schema.Field) error {
	if field.ReflectValueOf(ctx, row).IsZero() {
		return nil
	}
	return field.Set(ctx, row, reflect.New(reflect.PointerTo(field.IndirectFieldType)).Interface())
}
