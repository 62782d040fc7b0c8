package native

import (
	"cmp"
	"context"
	"database/sql"
	"reflect"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// Visit is a destination for GORM's Find: it is called for each row of the model, and reports whether it wants the next one.
// The function read reads the row into the model's struct that row points to. On SQLite the text of a column that the model
// does not have is put into other, which may be nil. Statements in a transaction cannot use it.
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

// execute runs a statement that returns rows on a connection of the pool. One that writes has been committed when it returns nil.
func (p *Plugin) execute(db *gorm.DB, pool connPool, writes bool) error {
	stmt := db.Statement
	run := func(ctx context.Context, conn any) (err error) {
		rows, err := p.Run(ctx, conn, stmt.SQL.String(), stmt.Vars)
		if err != nil {
			return err
		}
		defer func() { err = cmp.Or(err, rows.close()) }()
		return fill(db, rows)
	}
	queue, queued := pool.(Queue)
	if queued && writes {
		before := reflect.New(stmt.ReflectValue.Type()).Elem()
		before.Set(stmt.ReflectValue)
		err := queue.Write(stmt.Context, func(ctx context.Context, conn any) error {
			stmt.ReflectValue.Set(before)
			return run(ctx, conn)
		})
		if err != nil {
			stmt.ReflectValue.Set(before) // without what a run that was rolled back has set, such as the id
		}
		return err
	}
	if queued {
		return queue.Read(stmt.Context, run)
	}
	conn, err := pool.Conn(stmt.Context)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(conn any) error { return run(stmt.Context, conn) })
}

// fill reads the rows of a statement into its destination, and counts them.
func fill(db *gorm.DB, rows Rows) (err error) {
	stmt := db.Statement
	target := stmt.ReflectValue
	db.RowsAffected = 0
	var fields []*schema.Field
	for more := true; more && err == nil && rows.next(); {
		if fields == nil {
			names := rows.columns()
			fields = make([]*schema.Field, len(names))
			for i, name := range names {
				if field := stmt.Schema.LookUpField(name); field != nil && field.Readable {
					fields[i] = field
				}
			}
		}
		db.RowsAffected++
		switch visit, _ := stmt.Dest.(Visit); {
		case visit != nil:
			more, err = visit(func(row any, other *string) error {
				return rows.scan(stmt.Context, reflect.ValueOf(row).Elem(), fields, other)
			})
		case target.Kind() == reflect.Slice:
			last := target.Len()
			target.Grow(1)
			target.SetLen(last + 1)
			target.Index(last).SetZero()
			err = rows.scan(stmt.Context, target.Index(last), fields, nil)
		default:
			more = false // as GORM has it
			err = rows.scan(stmt.Context, target, fields, nil)
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
