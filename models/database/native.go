package database

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"reflect"
	"strings"
	"sync"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// natives are the methods for running a statement on a connection of the engine's driver.
type natives interface {
	// run starts a statement that returns rows. The error is [driver.ErrBadConn] if nothing was sent.
	run(ctx context.Context, conn any, text string, args []any) (nativeRows, error)
}

// nativeRows are the rows of a statement.
type nativeRows interface {
	// next reports whether there is one more row.
	next() bool
	// columns returns the names of the columns, once there is a row.
	columns() []string
	// scan sets fields of a row to the values of the columns, of null to zero. It leaves out a column whose field is nil, but
	// puts its text into other, unless that is nil.
	scan(ctx context.Context, row reflect.Value, fields []*schema.Field, other *string) error
	// close ends the statement. It returns the error that ended it before, as run does.
	close() error
}

// Visit is a destination for GORM's Find: it is called for each row of the model, and reports whether it wants the next one.
// The function read reads the row into the model's struct that row points to. The text of a column that the model does not have
// is put into other, which may be nil. A transaction has no such destination.
type Visit func(read func(row any, other *string) error) (more bool, err error)

// native is the GORM plugin that reads rows of models from the driver's own connection. GORM builds the statement in a dry
// run, with its scopes, its hooks and the guard. The connection is one of the pool's, so that the pool's limits, pings and
// metrics hold. All else GORM runs: transactions, joins, upserts, other destinations, and statements that return no rows.
type native struct{ columns sync.Map } // [columnList] by *schema.Schema

// Name implements [gorm.Plugin].
func (*native) Name() string { return "taskapi:native" }

// Initialize implements [gorm.Plugin].
func (n *native) Initialize(db *gorm.DB) error {
	query, create, update := db.Callback().Query(), db.Callback().Create(), db.Callback().Update()
	return errors.Join(
		query.Replace("gorm:query", n.insteadOf(query.Get("gorm:query"), "SELECT")),
		create.Replace("gorm:create", n.insteadOf(create.Get("gorm:create"), "RETURNING")),
		update.Replace("gorm:update", n.insteadOf(update.Get("gorm:update"), "RETURNING")),
	)
}

// connPool is the pool of a statement that is not in a transaction.
type connPool interface {
	Conn(ctx context.Context) (*sql.Conn, error)
}

// badConnTries is how often database/sql, too, tries a statement that could not be sent.
const badConnTries = 3

// insteadOf returns what takes the place of a callback of GORM's own, whose statements return rows if they have a clause.
func (n *native) insteadOf(own func(*gorm.DB), rowsClause string) func(*gorm.DB) {
	return func(db *gorm.DB) {
		stmt := db.Statement
		pool, _ := stmt.ConnPool.(connPool)
		if pool == nil || db.DryRun || db.Error != nil || !forModel(stmt) || n.columnsOf(stmt) == "" {
			own(db)
			return
		}
		if rowsClause == "SELECT" && len(stmt.Selects)+len(stmt.Omits) == 0 {
			stmt.AddClauseIfNotExists(clause.Select{Expression: n.columnsOf(stmt)})
		}
		build(db, own)
		if db.Error != nil || stmt.SQL.Len() == 0 {
			return
		}
		if _, returnsRows := stmt.Clauses[rowsClause]; !returnsRows {
			own(db) // does not build again
			return
		}
		err := driver.ErrBadConn
		for try := 0; try < badConnTries && errors.Is(err, driver.ErrBadConn); try++ {
			err = read(db, pool)
		}
		if err == nil && db.RowsAffected == 0 && stmt.RaiseErrorOnNotFound {
			err = gorm.ErrRecordNotFound
		}
		_ = db.AddError(err)
	}
}

// forModel reports whether a statement uses the table of its model only, and its rows go to a [Visit], the model's struct or an
// empty slice of it.
func forModel(stmt *gorm.Statement) bool {
	_, upsert := stmt.Clauses["ON CONFLICT"]
	_, from := stmt.Clauses["FROM"]
	if upsert || from || stmt.Schema == nil || stmt.Table != stmt.Schema.Table || stmt.TableExpr != nil || stmt.SQL.Len() > 0 ||
		stmt.Distinct || len(stmt.Joins)+len(stmt.ColumnMapping) > 0 || stmt.Result != nil {
		return false
	}
	target := stmt.ReflectValue
	switch target.Kind() {
	case reflect.Func:
		_, visit := stmt.Dest.(Visit)
		return visit
	case reflect.Slice:
		return target.CanSet() && target.Len() == 0 && target.Type().Elem() == stmt.Schema.ModelType
	}
	return target.CanSet() && target.Type() == stmt.Schema.ModelType
}

// columnList is the text of a model's columns in a SELECT.
type columnList string

// Build implements [clause.Expression].
func (l columnList) Build(builder clause.Builder) { _, _ = builder.WriteString(string(l)) }

// columnsOf returns the columns of a statement's model, or "" if a field has a form of its own in the database.
func (n *native) columnsOf(stmt *gorm.Statement) columnList {
	if known, ok := n.columns.Load(stmt.Schema); ok {
		return known.(columnList)
	}
	quoted := make([]string, len(stmt.Schema.DBNames))
	for i, name := range stmt.Schema.DBNames {
		quoted[i] = stmt.Quote(clause.Column{Table: stmt.Table, Name: name})
	}
	list := columnList(strings.Join(quoted, ","))
	for _, field := range stmt.Schema.Fields {
		if field.Serializer != nil {
			list = ""
		}
	}
	n.columns.Store(stmt.Schema, list)
	return list
}

// build lets GORM build a statement, but not run it.
func build(db *gorm.DB, own func(*gorm.DB)) {
	before, dry := db.Config, *db.Config
	dry.DryRun, dry.QueryFields = true, false
	db.Config = &dry
	own(db)
	db.Config = before
}

// read runs a statement on a connection of the pool.
func read(db *gorm.DB, pool connPool) error {
	stmt := db.Statement
	conn, err := pool.Conn(stmt.Context)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(conn any) (err error) {
		rows, err := engineOf(db).run(stmt.Context, conn, stmt.SQL.String(), stmt.Vars)
		if err != nil {
			return err
		}
		defer func() { err = cmp.Or(err, rows.close()) }()
		return fill(db, rows)
	})
}

// fill reads the rows of a statement into its destination, and counts them.
func fill(db *gorm.DB, rows nativeRows) (err error) {
	stmt := db.Statement
	target := stmt.ReflectValue
	db.RowsAffected = 0
	if target.Kind() == reflect.Slice && target.IsNil() {
		target.Set(reflect.MakeSlice(target.Type(), 0, 20))
	}
	var fields []*schema.Field
	for more := true; more && err == nil && rows.next(); {
		if fields == nil {
			for _, name := range rows.columns() {
				field := stmt.Schema.LookUpField(name)
				if field != nil && !field.Readable {
					field = nil
				}
				fields = append(fields, field)
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
