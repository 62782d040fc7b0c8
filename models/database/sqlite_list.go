package database

import (
	"database/sql/driver"
	"strings"
	"sync"

	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
	"modernc.org/sqlite"
)

// storedText implements [lists]. SQLite has no times: other programs store theirs in forms of their own.
func (sqliteEngine) storedText(field *schema.Field) bool { return field.DataType == schema.Time }

func (sqliteEngine) byteOrder() string { return "BINARY" }

// matches implements [lists] by a function of this program.
func (sqliteEngine) matches(columns []clause.Column, words []string) clause.Expression {
	vars := []any{foldText(strings.Join(words, "\n"))}
	for _, column := range columns {
		vars = append(vars, column)
	}
	return clause.Expr{SQL: "taskapi_matches(?" + strings.Repeat(", ?", len(columns)) + ")", Vars: vars}
}

// registerMatches makes the function known to SQLite, for the whole process.
var registerMatches = sync.OnceValue(func() error {
	return sqlite.RegisterDeterministicScalarFunction("taskapi_matches", -1,
		func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			var text strings.Builder
			for _, value := range args[1:] {
				if value, ok := value.(string); ok {
					text.WriteString(foldText(value))
					text.WriteByte('\n') // which no word has
				}
			}
			for word := range strings.SplitSeq(args[0].(string), "\n") {
				if !strings.Contains(text.String(), word) {
					return false, nil
				}
			}
			return true, nil
		})
})

func foldText(text string) string { return strings.Map(fold, text) }
