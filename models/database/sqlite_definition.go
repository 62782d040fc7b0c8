package database

import (
	"fmt"
	"strings"

	"gorm.io/gorm"
)

// CreateConstraint implements [gorm.Migrator] for checks. GORM's own would copy the table, and lose columns of tables
// that another program made, their indexes, and which ids were given out.
func (m sqliteMigrator) CreateConstraint(model any, name string) error {
	return m.RunWithValue(model, func(stmt *gorm.Statement) error {
		constraint, table := m.GuessConstraintInterfaceAndTable(stmt, name)
		sql, vars := constraint.Build()
		dry := m.DB.Session(&gorm.Session{DryRun: true}).Exec(sql, vars...)
		err := redefine(m.DB, table, func(definition string) string {
			return withConstraint(definition, dry.Statement.SQL.String())
		})
		if err != nil {
			return err
		}
		var found string
		err = m.DB.Raw("SELECT quick_check FROM pragma_quick_check(?)", table).Row().Scan(&found)
		if err == nil && found != "ok" {
			err = fmt.Errorf("%s: %s", name, found)
		}
		return err
	})
}

// withConstraint puts a constraint at the end of a table's definition.
func withConstraint(definition, constraint string) string {
	end := strings.LastIndexByte(definition, ')')
	return definition[:end] + "," + constraint + definition[end:]
}

// redefine edits a table's definition where it stands, which touches no row, index or trigger, nor the ids given out: the
// simpler of the procedures in https://www.sqlite.org/lang_altertable.html#otheralter. It does not check rows against the
// new definition. A definition that cannot be read fails the next statement, and with it the transaction.
func redefine(tx *gorm.DB, table string, edit func(definition string) string) error {
	var (
		definition string
		version    int
	)
	err := tx.Raw("SELECT sql, schema_version FROM sqlite_schema, pragma_schema_version WHERE type = 'table' AND name = ?", table).
		Row().Scan(&definition, &version)
	if err != nil {
		return err
	}
	if err := tx.Exec("PRAGMA writable_schema = ON").Error; err != nil {
		return err
	}
	err = tx.Exec("UPDATE sqlite_schema SET sql = ? WHERE type = 'table' AND name = ?", edit(definition), table).Error
	if err != nil {
		return err
	}
	return tx.Exec(fmt.Sprintf("PRAGMA writable_schema = OFF; PRAGMA schema_version = %d", version+1)).Error
}
