package database

import "gorm.io/gorm/clause"

func (m postgresMigrator) columns(table string) (found []column, err error) {
	err = m.DB.Raw(`SELECT attname AS name, format_type(atttypid, atttypmod) AS type,
		atttypid IN ('text'::regtype, 'varchar'::regtype) AS text,
		attnotnull AND NOT atthasdef AND attidentity = '' AS required
		FROM pg_attribute WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped`,
		m.DB.Statement.Quote(table)).Scan(&found).Error
	return found, err
}

func (m postgresMigrator) ownerKeys(table, users string) (keys []ownerKey, err error) {
	err = m.DB.Raw(`SELECT conname AS name,
		coalesce(confrelid = to_regclass(?), false) AND target.attname = 'id' AND confdeltype = 'c' AS right
		FROM pg_constraint
		JOIN pg_attribute own ON own.attrelid = conrelid AND conkey = ARRAY[own.attnum]
		JOIN pg_attribute target ON target.attrelid = confrelid AND confkey = ARRAY[target.attnum]
		WHERE contype = 'f' AND conrelid = to_regclass(?) AND own.attname = 'user_id'`,
		m.DB.Statement.Quote(users), m.DB.Statement.Quote(table)).Scan(&keys).Error
	return keys, err
}

// setOwnerKey gives up after five seconds rather than hold up everyone who waits behind it for the users.
func (m postgresMigrator) setOwnerKey(table, users string, all bool) error {
	keys, err := m.ownerKeys(table, users)
	if err != nil {
		return err
	}
	statement, names := "ALTER TABLE ? ", []any{clause.Table{Name: table}}
	for _, key := range keys {
		if all || key.Name == ownerKeyName(table) {
			statement += "DROP CONSTRAINT ?, "
			names = append(names, clause.Column{Name: key.Name})
		}
	}
	statement += "ADD CONSTRAINT ? FOREIGN KEY (user_id) REFERENCES ? (id) ON DELETE CASCADE"
	names = append(names, clause.Column{Name: ownerKeyName(table)}, clause.Table{Name: users})
	if err := m.DB.Exec("SET LOCAL lock_timeout = '5s'").Error; err != nil {
		return err
	}
	return m.DB.Exec(statement, names...).Error
}
