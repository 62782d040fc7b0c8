package native

import (
	"reflect"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"
)

// isPlainInsert reports whether a statement that is not built yet inserts one row, of which the database gives each value that it can.
// GORM builds the same text for all such rows of a model.
func isPlainInsert(stmt *gorm.Statement) bool {
	if stmt.ReflectValue.Kind() != reflect.Struct || stmt.BuildClauses[0] != "INSERT" ||
		len(stmt.Clauses)+len(stmt.Selects)+len(stmt.Omits)+len(stmt.Schema.CreateClauses) > 0 {
		return false
	}
	for _, field := range stmt.Schema.FieldsWithDefaultDBValue {
		if _, zero := field.ValueOf(stmt.Context, stmt.ReflectValue); !zero {
			return false
		}
	}
	return true
}

// useKnown gives a plain INSERT the text of an earlier one of the same model, and the values of its row. It reports whether there was
// an earlier one.
func (p *Plugin) useKnown(stmt *gorm.Statement) bool {
	text, known := p.insertions.Load(stmt.Schema)
	if known {
		_, _ = stmt.SQL.WriteString(text.(string))
		stmt.Vars = callbacks.ConvertToCreateValues(stmt).Values[0]
	}
	return known
}

// keep keeps the text of a plain INSERT that GORM has built, if its variables are nothing but the values of the row.
func (p *Plugin) keep(stmt *gorm.Statement) {
	row, _ := stmt.Clauses["VALUES"].Expression.(clause.Values)
	if len(row.Values) == 1 && reflect.DeepEqual(stmt.Vars, row.Values[0]) {
		p.insertions.Store(stmt.Schema, strings.Clone(stmt.SQL.String()))
	}
}
