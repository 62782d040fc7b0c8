package database

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// inspect implements [migrations]. It reads all of the file.
func (sqliteEngine) inspect(db *gorm.DB) error {
	var (
		application int32
		verdict     string
	)
	err := db.Raw("SELECT application_id, quick_check FROM pragma_application_id, pragma_quick_check LIMIT 1").
		Row().Scan(&application, &verdict)
	switch {
	case err != nil:
		return err
	case application != 0:
		return fmt.Errorf("the file is another program's: its application_id is %#x", uint32(application))
	case verdict != "ok":
		return fmt.Errorf("the file is damaged: %s", strings.Join(strings.Fields(verdict), " "))
	}
	return nil
}

// missingRights implements [migrations]: SQLite has no rights but the file's.
func (sqliteEngine) missingRights(*gorm.DB, string) (grants []string, err error) { return nil, nil }

// lock implements [migrations]: SQLite's transactions begin with the write lock.
func (sqliteEngine) lock(*gorm.DB) error { return nil }

// finish implements [migrations]: it sets the WAL mode, which is stored in the file. It waits for other programs that use the
// file, because SQLite ignores busy_timeout when it changes the mode: two programs that change it would wait for each other.
func (sqliteEngine) finish(db *gorm.DB, _ []any, _ string) error {
	for deadline := time.Now().Add(sqliteBusy); ; time.Sleep(10 * time.Millisecond) {
		err := db.Exec("PRAGMA journal_mode = WAL").Error
		var fault *driver.Error
		if !errors.As(err, &fault) || fault.Code()&0xff != sqlite3.SQLITE_BUSY || time.Now().After(deadline) {
			return err
		}
	}
}

// Migrator implements [gorm.Dialector].
func (e sqliteEngine) Migrator(db *gorm.DB) gorm.Migrator {
	return sqliteMigrator{e.Dialector.Migrator(db).(sqlite.Migrator)}
}

// sqliteMigrator leaves the columns that it finds as they are. GORM's own would rewrite the table at every start, because
// the types that the driver reports depend on the rows, and would lose the last id that was given out.
type sqliteMigrator struct{ sqlite.Migrator }

func (sqliteMigrator) MigrateColumn(any, *schema.Field, gorm.ColumnType) error { return nil }

// sqliteTypes are words in the name of a type (https://www.sqlite.org/datatype3.html, section 3.1).
var sqliteTypes = map[schema.DataType]*regexp.Regexp{
	schema.Int:    regexp.MustCompile(`(?i)int`),
	schema.Float:  regexp.MustCompile(`(?i)real|floa|doub|numeric`),
	schema.String: regexp.MustCompile(`(?i)char|clob|text`),
	schema.Bool:   regexp.MustCompile(`(?i)bool|numeric|int`),
	schema.Time:   regexp.MustCompile(`(?i)datetime|timestamp`),
}

func (sqliteEngine) fits(field schema.DataType, column string) bool {
	return sqliteTypes[field] != nil && sqliteTypes[field].MatchString(column)
}

// sqliteText is the condition that a column has the affinity of text (section 3.1).
const sqliteText = "(type LIKE '%char%' OR type LIKE '%clob%' OR type LIKE '%text%')"

func (sqliteEngine) columns(db *gorm.DB, table string) ([]column, error) {
	// An INTEGER that is the whole key is given by SQLite.
	return query[[]column](db, `SELECT name, type, `+sqliteText+` AS text,
		"notnull" AND dflt_value IS NULL AND NOT (pk = 1 AND type = 'INTEGER' COLLATE NOCASE) AS required
		FROM pragma_table_info(?)`, table)
}

func (sqliteEngine) exact(db *gorm.DB, table, column string) (bool, error) {
	// The rows of a UNION are compared by the collation of its first SELECT.
	return query[bool](db, `SELECT EXISTS (SELECT 1 FROM pragma_table_info(?) WHERE name = ? AND `+sqliteText+`)
		AND (SELECT count(*) = 3 FROM (SELECT ? FROM ? WHERE false UNION SELECT 'a' UNION SELECT 'A' UNION SELECT 'a '))`,
		table, column, clause.Column{Name: column}, clause.Table{Name: table})
}

func (sqliteEngine) ownerKeys(db *gorm.DB, table, users string) ([]ownerKey, error) {
	return query[[]ownerKey](db, `SELECT "table" = ? COLLATE NOCASE AND "to" = 'id' AND on_delete = 'CASCADE' AS right
		FROM pragma_foreign_key_list(?) WHERE "from" = 'user_id'`, users, table)
}

func (e sqliteEngine) setOwnerKey(tx *gorm.DB, table, users string, _ []ownerKey, all bool) error {
	name := `CONSTRAINT\s+\W?` + ownerKeyName(table) + `\W?\s+`
	if all {
		name = `(CONSTRAINT\s+\S+\s+)?`
	}
	old := regexp.MustCompile(`(?i),\s*` + name + `FOREIGN\s+KEY\s*\(\W*user_id\W*\)\s*REFERENCES[^,()]+(\([^()]*\)[^,()]*)?`)
	key := fmt.Sprintf("CONSTRAINT `%s` FOREIGN KEY (`user_id`) REFERENCES `%s`(`id`) ON DELETE CASCADE", ownerKeyName(table), users)
	err := redefine(tx, table, func(definition string) string {
		return withConstraint(old.ReplaceAllLiteralString(definition, ""), key)
	})
	if err != nil {
		return err
	}
	keys, err := e.ownerKeys(tx, table, users)
	if err == nil && all && slices.ContainsFunc(keys, func(key ownerKey) bool { return !key.Right }) {
		err = fmt.Errorf("the definition of %s has a foreign key of user_id that cannot be replaced: make the table anew without it", table)
	}
	if err != nil {
		return err
	}
	return tx.Exec("PRAGMA foreign_key_check(?)", clause.Table{Name: table}).Error // fails if the id is not unique
}

// CreateConstraint implements [gorm.Migrator] for checks. GORM's own would copy the table, and lose columns and indexes that
// another program made, and the last id that was given out.
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
		found, err := query[string](m.DB, "SELECT quick_check FROM pragma_quick_check(?)", table)
		if err == nil && found != "ok" {
			err = fmt.Errorf("%s: %s", name, found)
		}
		return err
	})
}

// withConstraint returns a table's definition with one more constraint.
func withConstraint(definition, constraint string) string {
	end := strings.LastIndexByte(definition, ')')
	return definition[:end] + "," + constraint + definition[end:]
}

// redefine edits a table's definition in place. It changes no row, index, trigger or last id. It is the simpler of the
// procedures in https://www.sqlite.org/lang_altertable.html#otheralter. It does not check rows against the
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
