package database

import (
	"fmt"
	"strings"
	"unicode"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"taskapi/models/database/native"
)

// lists are the methods for listing rows in an order, and for searching them.
type lists interface {
	// storedText reports whether a field is stored as text in several forms, so that values of equal meaning may differ.
	storedText(field *schema.Field) bool
	// byteOrder returns the collation that orders text by its bytes, which for UTF-8 is the order of the code points.
	byteOrder() string
	// matches returns the condition that each of the words occurs in one of the columns.
	matches(columns []clause.Column, words []string) clause.Expression
}

// Visit is a destination for GORM's Find that gets the rows one by one.
type Visit = native.Visit

// MaxSortText is how many characters of a text an order looks at: a cursor has to hold them.
const MaxSortText = 500

// SortKey is what a list is ordered by.
type SortKey struct {
	// Expression is that of the ORDER BY. Its values are those of the field, of texts the first [MaxSortText] characters.
	Expression string
	// Text is the expression for the stored text, or "". If there is one, cursors hold its values in place of the field's.
	Text string
}

// SortKeyOf returns the key to order rows by a field.
func SortKeyOf(db *gorm.DB, field *schema.Field) SortKey {
	column := db.Statement.Quote(field.DBName)
	switch {
	case engineOf(db).storedText(field):
		return SortKey{Expression: column, Text: "CAST(" + column + " AS TEXT)"}
	case field.DataType != schema.String:
		return SortKey{Expression: column}
	case field.Size > MaxSortText:
		column = fmt.Sprintf("substr(%s, 1, %d)", column, MaxSortText)
	}
	return SortKey{Expression: column + " COLLATE " + engineOf(db).byteOrder()}
}

// Matches returns the condition that each word of a text occurs in one of the fields. The words are what is between white
// space. Upper and lower case are equal, as are all code points that [unicode.SimpleFold] joins. All else is literal. Without
// fields, no row matches.
func Matches(db *gorm.DB, fields []*schema.Field, text string) clause.Expression {
	if len(fields) == 0 {
		return clause.Expr{SQL: "1 = 0"}
	}
	words := strings.Fields(text)
	columns := make([]clause.Column, len(fields))
	for i, field := range fields {
		columns[i] = clause.Column{Name: field.DBName}
	}
	return engineOf(db).matches(columns, words)
}

// fold returns the least of the code points that SimpleFold joins with r.
func fold(r rune) rune {
	if r <= unicode.MaxASCII { // of an ASCII letter, that is the capital one
		return unicode.ToUpper(r)
	}
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	return least
}
