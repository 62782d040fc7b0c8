// Package native runs the statements that GORM builds on the connections of the drivers themselves.
package native

import (
	"database/sql/driver"
	"errors"
	"reflect"
	"strings"
	"sync"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"
)

// Plugin is the GORM plugin that reads rows of models from the driver's own connection. GORM builds the statement in a dry
// run, with its scopes, its hooks and the guard. The connection is one of the pool's, so that the pool's limits, pings and
// metrics hold. All else GORM runs: transactions, joins, upserts, other destinations, and statements that return no rows.
type Plugin struct {
	Run        Run      // runs statements on the engine's connections
	columns    sync.Map // [columnList] by *schema.Schema
	insertions sync.Map // the text of the INSERT of one row, by *schema.Schema
}

// Name implements [gorm.Plugin].
func (*Plugin) Name() string { return "taskapi:native" }

// Initialize implements [gorm.Plugin].
func (p *Plugin) Initialize(db *gorm.DB) error {
	query, create, update := db.Callback().Query(), db.Callback().Create(), db.Callback().Update()
	const before, after = "gorm:save_before_associations", "gorm:save_after_associations"
	return errors.Join(
		create.Replace(before, ifAssociated(create.Get(before))),
		create.Replace(after, ifAssociated(create.Get(after))),
		update.Replace(before, ifAssociated(update.Get(before))),
		update.Replace(after, ifAssociated(update.Get(after))),
		query.Replace("gorm:query", p.insteadOf(query.Get("gorm:query"), "SELECT")),
		create.Replace("gorm:create", p.insteadOf(create.Get("gorm:create"), "RETURNING")),
		update.Replace("gorm:update", p.insteadOf(update.Get("gorm:update"), "RETURNING")),
	)
}

// ifAssociated returns a callback of GORM's for models that have associations. It does nothing for others, but takes its time.
func ifAssociated(own func(*gorm.DB)) func(*gorm.DB) {
	return func(db *gorm.DB) {
		if model := db.Statement.Schema; model == nil || len(model.Relationships.Relations) > 0 {
			own(db)
		}
	}
}

// insteadOf returns the callback that replaces one of GORM's own. A statement that has the clause rowsClause returns rows.
func (p *Plugin) insteadOf(own func(*gorm.DB), rowsClause string) func(*gorm.DB) {
	return func(db *gorm.DB) {
		stmt := db.Statement
		pool, _ := stmt.ConnPool.(connPool)
		if pool == nil || db.DryRun || db.Error != nil || !forModel(stmt) || p.columnsOf(stmt) == "" {
			own(db)
			return
		}
		if rowsClause == "SELECT" && len(stmt.Selects)+len(stmt.Omits) == 0 {
			stmt.AddClauseIfNotExists(clause.Select{Expression: p.columnsOf(stmt)})
		}
		if inserts := isPlainInsert(stmt); !inserts || !p.useKnown(stmt) {
			build(db, own)
			if db.Error != nil || stmt.SQL.Len() == 0 {
				return
			}
			if _, returnsRows := stmt.Clauses[rowsClause]; !returnsRows {
				own(db) // does not build again
				return
			}
			if inserts {
				p.keep(stmt)
			}
		}
		if db.Error != nil {
			return
		}
		run := statementOf(db, rowsClause)
		if run.visit != nil && stmt.Schema.AfterFind && !stmt.SkipHooks {
			run.visit = callAfterFind(db, run.visit)
		}
		err := p.execute(stmt.Context, pool, run)
		if errors.Is(err, driver.ErrBadConn) && run.visit == nil {
			own(db) // takes a new connection in the end
			return
		}
		db.RowsAffected = run.rows
		if err == nil && run.rows == 0 {
			if stmt.RaiseErrorOnNotFound {
				err = gorm.ErrRecordNotFound
			}
			if stmt.ReflectValue.Kind() == reflect.Slice && stmt.ReflectValue.IsNil() {
				stmt.ReflectValue.Set(reflect.MakeSlice(stmt.ReflectValue.Type(), 0, 0))
			}
		}
		_ = db.AddError(err)
	}
}

// callAfterFind returns a visit that calls the hook AfterFind of each row. GORM knows the rows of structs and slices only.
func callAfterFind(db *gorm.DB, visit Visit) Visit {
	return func(read func(row any, other *string) error) (more bool, err error) {
		return visit(func(row any, other *string) error {
			if err := read(row, other); err != nil {
				return err
			}
			return row.(callbacks.AfterFindInterface).AfterFind(db.Session(&gorm.Session{NewDB: true}))
		})
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

// columnsOf returns the columns of a statement's model, or "" if a field has a serializer: GORM runs the statements of such models.
func (p *Plugin) columnsOf(stmt *gorm.Statement) columnList {
	if known, ok := p.columns.Load(stmt.Schema); ok {
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
	p.columns.Store(stmt.Schema, list)
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
