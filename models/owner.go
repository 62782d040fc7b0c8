package models

import (
	"errors"
	"reflect"
	"slices"
	"sync/atomic"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// ownerColumn makes a model an owned one: each row belongs to the user whose id it holds.
const ownerColumn = "user_id"

var (
	// ErrNotConfined fails a statement that could reach the rows of more than one user.
	ErrNotConfined = errors.New("isolation: the statement is not confined by OwnedBy")
	// ErrNoOwner fails the creation of a row that would belong to nobody, and a scope for nobody.
	ErrNoOwner = errors.New("isolation: an owned row needs a user id")
	// ErrUpsert fails an insert that could turn into an update of another user's row.
	ErrUpsert = errors.New("isolation: an owned row cannot be upserted")
)

// OwnedBy is the scope that confines a statement to the rows of one user. Every statement on an owned model needs it.
func OwnedBy(userID string) func(*gorm.DB) *gorm.DB {
	return func(db *gorm.DB) *gorm.DB {
		if userID == "" {
			_ = db.AddError(ErrNoOwner)
			return db
		}
		return db.Where(owner{userID})
	}
}

// AcrossOwners frees a session from the guard, for the work that legitimately spans users, such as migrations.
func AcrossOwners(db *gorm.DB) *gorm.DB {
	return db.Set(acrossOwners, true).Session(&gorm.Session{})
}

const acrossOwners = "taskapi:across_owners"

// owner is the condition that OwnedBy sets. The guard looks for this very type, so what it finds is what confines.
type owner struct{ userID string }

// Build implements [clause.Expression].
func (o owner) Build(builder clause.Builder) {
	builder.WriteQuoted(clause.Column{Table: clause.CurrentTable, Name: ownerColumn})
	_, _ = builder.WriteString(" = ")
	builder.AddVar(builder, o.userID)
}

// enclosed puts conditions in parentheses, whatever they are.
type enclosed struct{ clause.Where }

// Build implements [clause.Expression].
func (e enclosed) Build(builder clause.Builder) {
	_ = builder.WriteByte('(')
	e.Where.Build(builder)
	_ = builder.WriteByte(')')
}

// guard is the GORM plugin that fails whatever could cross from one user to another: a read, update or delete of an owned
// model without OwnedBy, an ownerless create, an upsert, and SQL that it cannot judge.
type guard struct{ trips *atomic.Uint64 }

// stop fails a statement and counts it.
func (g guard) stop(db *gorm.DB, why error) {
	g.trips.Add(1)
	_ = db.AddError(why)
}

// Name implements [gorm.Plugin].
func (guard) Name() string { return "taskapi:isolation" }

// Initialize implements [gorm.Plugin].
func (g guard) Initialize(db *gorm.DB) error {
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
func (g guard) rows(db *gorm.DB) {
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
func (g guard) create(db *gorm.DB) {
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
