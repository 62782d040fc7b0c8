package database

import (
	"fmt"
	"regexp"
	"slices"

	"gorm.io/gorm/clause"
)

func (m sqliteMigrator) columns(table string) (found []column, err error) {
	// The types that have the affinity of text (https://www.sqlite.org/datatype3.html, section 3.1). An INTEGER that is the
	// whole key is given by SQLite.
	err = m.DB.Raw(`SELECT name, type, type LIKE '%char%' OR type LIKE '%clob%' OR type LIKE '%text%' AS text,
		"notnull" AND dflt_value IS NULL AND NOT (pk = 1 AND type = 'INTEGER' COLLATE NOCASE) AS required
		FROM pragma_table_info(?)`, table).Scan(&found).Error
	return found, err
}

func (m sqliteMigrator) ownerKeys(table, users string) (keys []ownerKey, err error) {
	err = m.DB.Raw(`SELECT "table" = ? COLLATE NOCASE AND "to" = 'id' AND on_delete = 'CASCADE' AS right
		FROM pragma_foreign_key_list(?) WHERE "from" = 'user_id'`, users, table).Scan(&keys).Error
	return keys, err
}

func (m sqliteMigrator) setOwnerKey(table, users string, all bool) error {
	name := `CONSTRAINT\s+\W?` + ownerKeyName(table) + `\W?\s+`
	if all {
		name = `(CONSTRAINT\s+\S+\s+)?`
	}
	old := regexp.MustCompile(`(?i),\s*` + name + `FOREIGN\s+KEY\s*\(\W*user_id\W*\)\s*REFERENCES[^,()]+(\([^()]*\)[^,()]*)?`)
	key := fmt.Sprintf("CONSTRAINT `%s` FOREIGN KEY (`user_id`) REFERENCES `%s`(`id`) ON DELETE CASCADE", ownerKeyName(table), users)
	err := m.redefine(table, func(definition string) string {
		return withConstraint(old.ReplaceAllLiteralString(definition, ""), key)
	})
	if err != nil {
		return err
	}
	keys, err := m.ownerKeys(table, users)
	if err == nil && all && slices.ContainsFunc(keys, func(key ownerKey) bool { return !key.Right }) {
		err = fmt.Errorf("the definition of %s has a foreign key of user_id that cannot be replaced: make the table anew without it", table)
	}
	if err != nil {
		return err
	}
	return m.DB.Exec("PRAGMA foreign_key_check(?)", clause.Table{Name: table}).Error // fails if the id is not unique
}
