package database

import (
	"fmt"
	"strings"

	"gorm.io/gorm"
)

func (postgresEngine) begin(tx *gorm.DB) (identity string, err error) {
	err = tx.Exec("SET LOCAL TimeZone = 'UTC'; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0").Error
	if err != nil {
		return "", err
	}
	err = tx.Raw(`SELECT format('%s %s %s', oid, extract(epoch FROM pg_postmaster_start_time()), current_schema())
		FROM pg_database WHERE datname = current_database()`).Row().Scan(&identity)
	return identity, err
}

func (postgresEngine) byteOrder() string { return `"C"` }

func (postgresEngine) lockTables(tx *gorm.DB, tables []string) error {
	return tx.Exec("LOCK TABLE " + strings.Join(tables, ", ") + " IN EXCLUSIVE MODE").Error
}

func (postgresEngine) lastID(tx *gorm.DB, table string) (id int64, err error) {
	err = tx.Raw("SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence(?, 'id')::regclass), 0)", table).Row().Scan(&id)
	return id, err
}

// setLastID implements [copies]. Unlike setval, RESTART is undone with its transaction.
func (postgresEngine) setLastID(tx *gorm.DB, table string, id int64) error {
	return tx.Exec(fmt.Sprintf(`DO $$ DECLARE ids regclass := pg_get_serial_sequence('%s', 'id'); BEGIN
		EXECUTE format('ALTER SEQUENCE %%s RESTART WITH %%s', ids, greatest(pg_sequence_last_value(ids), %d));
		PERFORM nextval(ids);
	END $$`, table, id)).Error
}

func (postgresEngine) publish() error { return nil }

func (postgresEngine) discard() {}
