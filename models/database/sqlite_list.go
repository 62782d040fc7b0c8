package database

import (
	"context"
	"database/sql/driver"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
	"modernc.org/sqlite"
)

// storedText implements [lists]. SQLite has no times: other programs store theirs in forms of their own.
func (sqliteEngine) storedText(field *schema.Field) bool { return field.DataType == schema.Time }

func (sqliteEngine) byteOrder() string { return "BINARY" }

// matches implements [lists] by a function of this program.
func (sqliteEngine) matches(columns []clause.Column, words []string) clause.Expression {
	return search{columns, foldText(strings.Join(words, "\n"))}
}

// searchGrace is how long a search goes on after the deadline, so that the driver knows of it, too, and returns its error.
const searchGrace = 100 * time.Millisecond

// search is the condition that each of the words, one a line, occurs in one of the columns. It fails a moment after the statement's
// deadline, because the driver interrupts a statement only until its first row.
type search struct {
	columns []clause.Column
	words   string
}

// Build implements [clause.Expression].
func (s search) Build(builder clause.Builder) {
	end := never
	if stmt, ok := builder.(*gorm.Statement); ok {
		end = deadline(stmt.Context)
	}
	vars := []any{end.Add(searchGrace).UnixMilli(), s.words}
	for _, column := range s.columns {
		vars = append(vars, column)
	}
	clause.Expr{SQL: "taskapi_matches(?, ?" + strings.Repeat(", ?", len(s.columns)) + ")", Vars: vars}.Build(builder)
}

// registerMatches makes the function known to SQLite, for the whole process.
var registerMatches = sync.OnceValue(func() error {
	return sqlite.RegisterDeterministicScalarFunction("taskapi_matches", -1,
		func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			if time.Now().UnixMilli() > args[0].(int64) {
				return nil, context.DeadlineExceeded
			}
			var text strings.Builder
			for _, value := range args[2:] {
				if value, ok := value.(string); ok {
					text.WriteString(foldText(value))
					text.WriteByte('\n') // which no word has
				}
			}
			for word := range strings.SplitSeq(args[1].(string), "\n") {
				if !strings.Contains(text.String(), word) {
					return false, nil
				}
			}
			return true, nil
		})
})

func foldText(text string) string { return strings.Map(fold, text) }
