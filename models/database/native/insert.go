package native

import (
	"reflect"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// insertion is the INSERT of one row of a model, as GORM has built it for an earlier row.
type insertion struct {
	text   string
	fields []*schema.Field // whose values are the variables, in this order
}

// isPlainInsert reports whether a statement that is not built yet inserts one row, of which the database gives each value that it can.
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
	known, ok := p.insertions.Load(stmt.Schema)
	if ok {
		_, _ = stmt.SQL.WriteString(known.(*insertion).text)
		stmt.Vars = insertedValues(stmt, known.(*insertion).fields)
	}
	return ok
}

// keep keeps the text of a plain INSERT that GORM has built, if its variables are nothing but the values of fields.
func (p *Plugin) keep(stmt *gorm.Statement) {
	values, _ := stmt.Clauses["VALUES"].Expression.(clause.Values)
	fields := make([]*schema.Field, len(values.Columns))
	for i, column := range values.Columns {
		fields[i] = stmt.Schema.FieldsByDBName[column.Name]
	}
	if reflect.DeepEqual(stmt.Vars, insertedValues(stmt, fields)) {
		p.insertions.Store(stmt.Schema, &insertion{strings.Clone(stmt.SQL.String()), fields})
	}
}

// insertedValues returns the values of a row's fields for its INSERT, once it has its defaults and times, as GORM sets them.
func insertedValues(stmt *gorm.Statement, fields []*schema.Field) []any {
	values := make([]any, len(fields))
	now := stmt.NowFunc()
	for i, field := range fields {
		value, zero := field.ValueOf(stmt.Context, stmt.ReflectValue)
		if zero && field.DefaultValueInterface != nil {
			value = field.DefaultValueInterface
			_ = stmt.AddError(field.Set(stmt.Context, stmt.ReflectValue, value))
		} else if zero && field.AutoCreateTime+field.AutoUpdateTime > 0 {
			_ = stmt.AddError(field.Set(stmt.Context, stmt.ReflectValue, now))
			value, _ = field.ValueOf(stmt.Context, stmt.ReflectValue)
		}
		values[i] = value
	}
	return values
}
