package models

import (
	"errors"
	"reflect"
	"slices"
	"sync/atomic"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// enclosed puts conditions in parentheses, whatever they are.
type enclosed struct{ clause.Where }

// Build implements [clause.Expression].
func (e enclosed) Build(builder clause.Builder) {
	_ = builder.WriteByte('(')
	e.Where.Build(builder)
	_ = builder.WriteByte(')')
}

// Guard is the GORM plugin that fails whatever could cross from one user to another: a read, update or delete of an owned
// model without OwnedBy, an ownerless create, an upsert, and SQL that it cannot judge.
type Guard struct{ trips *atomic.Uint64 }

// NewGuard makes a guard that has stopped nothing yet.
func NewGuard() Guard { return Guard{trips: &atomic.Uint64{}} }

// Trips counts the statements that the guard has stopped.
func (g Guard) Trips() uint64 { return g.trips.Load() }

// stop fails a statement and counts it.
func (g Guard) stop(db *gorm.DB, why error) {
	g.trips.Add(1)
	_ = db.AddError(why)
}

// Name implements [gorm.Plugin].
func (Guard) Name() string { return "taskapi:isolation" }

// Initialize implements [gorm.Plugin].
func (g Guard) Initialize(db *gorm.DB) error {
	callbacks := db.Callback()
	return errors.Join(
		callbacks.Create().Before("*").Register(g.Name(), g.create),
		callbacks.Query().Before("*").Register(g.Name(), g.rows),
		callbacks.Row().Before("*").Register(g.Name(), g.rows),
		callbacks.Update().Before("*").Register(g.Name(), g.rows),
		callbacks.Delete().Before("*").Register(g.Name(), g.rows),
		callbacks.Raw().Before("*").Register(g.Name(), g.rows),
	)
}

// exempt tells whether the guard has no say in a statement: it was freed by name, or touches only the table of a model
// that nobody owns.
func exempt(stmt *gorm.Statement) bool {
	free, _ := stmt.Settings.Load(acrossOwners)
	return free == true || plain(stmt) && stmt.Schema.LookUpField(ownerColumn) == nil
}

// plain tells whether a statement is on the table of its model alone: SQL text, a table without its model, and joins
// could reach others.
func plain(stmt *gorm.Statement) bool {
	_, from := stmt.Clauses["FROM"]
	return stmt.Schema != nil && stmt.Table == stmt.Schema.Table && stmt.TableExpr == nil && stmt.SQL.Len() == 0 &&
		len(stmt.Joins) == 0 && !from
}

// rows lets a statement pass if the owner is among its conditions, and sees to it that none of the others can
// loosen it: WHERE owner AND (the rest), also where the rest holds an OR.
func (g Guard) rows(db *gorm.DB) {
	if errors.Is(db.Error, ErrNoOwner) {
		g.trips.Add(1) // OwnedBy was given nobody
	}
	if db.Error != nil || exempt(db.Statement) {
		return
	}
	where, _ := db.Statement.Clauses["WHERE"].Expression.(clause.Where)
	for i, condition := range where.Exprs {
		if _, ok := condition.(owner); !ok || !plain(db.Statement) {
			continue
		}
		rest := slices.Delete(slices.Clone(where.Exprs), i, i+1)
		confined := []clause.Expression{condition}
		if len(rest) > 0 {
			confined = append(confined, enclosed{clause.Where{Exprs: rest}})
		}
		db.Statement.Clauses["WHERE"] = clause.Clause{Name: "WHERE", Expression: clause.Where{Exprs: confined}}
		return
	}
	g.stop(db, ErrNotConfined)
}

// create lets rows of an owned model pass if each names its owner and none can replace another.
func (g Guard) create(db *gorm.DB) {
	stmt := db.Statement
	if exempt(stmt) {
		return
	}
	if _, upsert := stmt.Clauses["ON CONFLICT"]; upsert {
		g.stop(db, ErrUpsert)
	}
	if !owned(stmt, stmt.ReflectValue) {
		g.stop(db, ErrNoOwner)
	}
}

// owned tells whether a value to be created, a struct, a map or a slice of them, holds a user id throughout.
func owned(stmt *gorm.Statement, value reflect.Value) bool {
	value = reflect.Indirect(value)
	switch value.Kind() {
	case reflect.Struct:
		if stmt.Schema == nil || value.Type() != stmt.Schema.ModelType || stmt.Schema.LookUpField(ownerColumn) == nil {
			return false
		}
		_, empty := stmt.Schema.LookUpField(ownerColumn).ValueOf(stmt.Context, value)
		return !empty
	case reflect.Map:
		row, _ := value.Interface().(map[string]any)
		id, _ := row[ownerColumn].(string)
		return id != ""
	case reflect.Slice, reflect.Array:
		for i := range value.Len() {
			if !owned(stmt, value.Index(i)) {
				return false
			}
		}
		return true
	}
	return false
}
