package database

import (
	"regexp"
	"strings"
	"unicode"

	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

func (postgresEngine) storedText(*schema.Field) bool { return false }

func (postgresEngine) byteOrder() string { return `"C"` }

// maxPatterns limits the regular expressions of a search. A connection of PostgreSQL keeps 32 of them compiled
// (MAX_CACHED_RES in its regexp.c), and would compile those of a longer search anew for each row.
const maxPatterns = 16

// matches implements [lists] by regular expressions, which look ahead for each word, on the texts with line breaks between
// them, which no word has. What is equal in upper and lower case is a class of its code points, because the database's
// collation may not know it.
func (postgresEngine) matches(columns []clause.Column, words []string) clause.Expression {
	patterns := make([]string, min(len(words), maxPatterns))
	for i, word := range words {
		patterns[i%maxPatterns] += "(?=.*" + pattern(word) + ")"
	}
	texts := strings.Repeat(", ?", len(columns))
	conditions := make([]clause.Expression, len(patterns))
	for i, pattern := range patterns {
		vars := make([]any, 0, len(columns)+1)
		for _, column := range columns {
			vars = append(vars, column)
		}
		conditions[i] = clause.Expr{SQL: `concat_ws(E'\n'` + texts + `) COLLATE "C" ~ ?`, Vars: append(vars, "^"+pattern)}
	}
	return clause.And(conditions...)
}

// pattern returns the regular expression of a word.
func pattern(word string) string {
	var p strings.Builder
	for _, r := range word {
		if unicode.SimpleFold(r) == r {
			p.WriteString(regexp.QuoteMeta(string(r)))
			continue
		}
		p.WriteByte('[')
		p.WriteRune(r)
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			p.WriteRune(next)
		}
		p.WriteByte(']')
	}
	return p.String()
}
