package database

import (
	"fmt"
	"regexp"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// columnTypes are the types that a column may have, by the engine and the type of the model's field.
var columnTypes = map[string]map[schema.DataType]*regexp.Regexp{
	"postgres": {
		schema.Int:    regexp.MustCompile(`^(integer|bigint)$`),
		schema.String: regexp.MustCompile(`^(character varying|text)`),
		schema.Bool:   regexp.MustCompile(`^boolean$`),
		schema.Time:   regexp.MustCompile(`^timestamp`),
	},
	"sqlite": { // where what counts are words in the name (https://www.sqlite.org/datatype3.html, section 3.1)
		schema.Int:    regexp.MustCompile(`(?i)int`),
		schema.String: regexp.MustCompile(`(?i)char|clob|text`),
		schema.Bool:   regexp.MustCompile(`(?i)bool|numeric|int`),
		schema.Time:   regexp.MustCompile(`(?i)datetime|timestamp`),
	},
}

// refuseForeign fails if a model's table exists, but is another program's: rows of the model could not be read from it or
// inserted into it.
func refuseForeign(tx *gorm.DB, model any) error {
	stmt := &gorm.Statement{DB: tx}
	if err := stmt.Parse(model); err != nil {
		return err
	}
	columns, err := tx.Migrator().(ownerMigrator).columns(stmt.Schema.Table)
	if err != nil || len(columns) == 0 {
		return err
	}
	return foreign(stmt.Schema, columns, columnTypes[tx.Name()])
}

// foreign tells in what a table's columns and a model do not agree. What a migration can add may be missing.
func foreign(model *schema.Schema, columns []column, types map[schema.DataType]*regexp.Regexp) error {
	fault := func(format string, args ...any) error {
		return fmt.Errorf("the table %s is another program's: "+format, append([]any{model.Table}, args...)...)
	}
	for _, name := range model.DBNames {
		field := model.LookUpField(name)
		i := slices.IndexFunc(columns, func(c column) bool { return c.Name == name })
		switch {
		case i < 0 && (field.PrimaryKey || field.NotNull && !field.HasDefaultValue):
			return fault("it has no column %s", name)
		case i >= 0 && !types[field.DataType].MatchString(columns[i].Type):
			return fault("its column %s is of type %s", name, columns[i].Type)
		}
	}
	for _, c := range columns {
		if field := model.LookUpField(c.Name); c.Required && (field == nil || field.AutoIncrement) {
			return fault("its column %s demands a value", c.Name)
		}
	}
	return nil
}
