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

// Guard is the GORM plugin that stops statements which could reach the rows of another user: a read, update or delete of an
// owned model without [OwnedBy], a create without an owner, an upsert, and SQL text.
type Guard struct{ trips atomic.Uint64 }

// Trips counts the statements that the guard has stopped.
func (g *Guard) Trips() uint64 { return g.trips.Load() }

// stop makes a statement fail, and counts it.
func (g *Guard) stop(db *gorm.DB, why error) {
	g.trips.Add(1)
	_ = db.AddError(why)
}

// Name implements [gorm.Plugin].
func (*Guard) Name() string { return "taskapi:isolation" }

// Initialize implements [gorm.Plugin].
func (g *Guard) Initialize(db *gorm.DB) error {
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

// exempt reports whether the guard does not check a statement: its session is one of [AcrossOwners], or it uses only the table
// of a model that is not owned.
func exempt(stmt *gorm.Statement) bool {
	free, _ := stmt.Settings.Load(acrossOwners)
	return free == true || plain(stmt) && stmt.Schema.LookUpField(ownerColumn) == nil
}

// plain reports whether a statement uses only the table of its model. SQL text, a table without its model, and joins could
// use others.
func plain(stmt *gorm.Statement) bool {
	_, from := stmt.Clauses["FROM"]
	_, set := stmt.Clauses["SET"] // could change the owner
	return stmt.Schema != nil && stmt.Table == stmt.Schema.Table && stmt.TableExpr == nil && stmt.SQL.Len() == 0 &&
		len(stmt.Joins) == 0 && !from && !set
}

// rows stops a statement unless the owner is one of its conditions. It rewrites the conditions as WHERE owner AND (the rest),
// so that an OR in the rest cannot select the rows of others.
func (g *Guard) rows(db *gorm.DB) {
	if errors.Is(db.Error, ErrNoOwner) {
		g.trips.Add(1) // OwnedBy got an empty id
	}
	if db.Error != nil {
		return
	}
	stmt := db.Statement
	where, _ := stmt.Clauses["WHERE"].Expression.(clause.Where)
	owner := slices.IndexFunc(where.Exprs, func(condition clause.Expression) bool { _, ok := condition.(ownerIs); return ok })
	if owner < 0 || !plain(stmt) {
		if !exempt(stmt) {
			g.stop(db, ErrNotConfined)
		}
		return
	}
	confined := []clause.Expression{where.Exprs[owner]}
	if rest := slices.Delete(slices.Clone(where.Exprs), owner, owner+1); len(rest) > 0 {
		confined = append(confined, enclosed{clause.Where{Exprs: rest}})
	}
	stmt.Clauses["WHERE"] = clause.Clause{Name: "WHERE", Expression: clause.Where{Exprs: confined}}
}

// create stops an insert of owned rows if a row has no owner, can replace another, or is not a struct of the model.
func (g *Guard) create(db *gorm.DB) {
	stmt := db.Statement
	if exempt(stmt) {
		return
	}
	insert, _ := stmt.Clauses["INSERT"].Expression.(clause.Insert) // OR REPLACE, say
	_, upsert := stmt.Clauses["ON CONFLICT"]
	switch {
	case upsert || insert.Modifier != "":
		g.stop(db, ErrUpsert)
	case !owned(stmt, stmt.ReflectValue):
		g.stop(db, ErrNoOwner)
	}
}

// owned reports whether a value to be created is the model's struct with a user id, or a slice of them.
func owned(stmt *gorm.Statement, value reflect.Value) bool {
	value = reflect.Indirect(value)
	if value.Kind() == reflect.Slice {
		for i := range value.Len() {
			if !owned(stmt, value.Index(i)) {
				return false
			}
		}
		return true
	}
	if stmt.Schema == nil || !value.IsValid() || value.Type() != stmt.Schema.ModelType {
		return false
	}
	owner := stmt.Schema.LookUpField(ownerColumn)
	if owner == nil {
		return false
	}
	_, empty := owner.ValueOf(stmt.Context, value)
	return !empty
}
