package database

import (
	"database/sql"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// finishLock is the key of the advisory lock of finish. It is another than migrationLock, because a session that waits in
// pg_advisory_xact_lock has a snapshot, and the building of an index waits for the end of all earlier snapshots.
const finishLock = migrationLock + 1

// isFilled reports whether a table has rows, so that its indexes and constraints are made in finish. A partitioned table cannot
// have them made so.
func isFilled(db *gorm.DB, table string) (bool, error) {
	return query[bool](db, "SELECT relkind = 'r' AND EXISTS (SELECT FROM ?) FROM pg_class WHERE oid = to_regclass(?)",
		clause.Table{Name: table}, db.Statement.Quote(table))
}

// finish implements [migrations]. It builds indexes and validates constraints while other sessions read and write the tables,
// one server at a time. It goes on where a process ended that did not come to the end of it.
func (e postgresEngine) finish(db *gorm.DB, models []any, externalUsers string) error {
	var left []clause.Expr
	for _, model := range models {
		statements, err := unfinished(db, model)
		if err != nil {
			return err
		}
		left = append(left, statements...)
	}
	pool, err := db.DB()
	if err != nil || left == nil {
		return err
	}
	pool.SetMaxOpenConns(2) // whatever the setting is: one keeps the lock
	for ; ; time.Sleep(100 * time.Millisecond) {
		done, err := e.tryFinish(db, models, externalUsers)
		if err != nil || done {
			return err
		}
	}
}

// tryFinish returns false if another server is at it. A transaction keeps the lock, because a pooler may give each statement
// another session. A server that waits tries in one transaction after the other, because the building of an index waits for the
// end of each transaction that has a snapshot.
func (e postgresEngine) tryFinish(db *gorm.DB, models []any, externalUsers string) (done bool, err error) {
	err = db.Transaction(func(tx *gorm.DB) error {
		if done, err = query[bool](tx, "SELECT pg_try_advisory_xact_lock(?)", finishLock); err != nil || !done {
			return err
		}
		// The result of the last statement has a snapshot until the next one.
		if err := tx.Exec("SET LOCAL idle_in_transaction_session_timeout = 0").Error; err != nil {
			return err
		}
		return db.Connection(func(conn *gorm.DB) error {
			if !e.pooled {
				if err := conn.Exec("SET statement_timeout = 0").Error; err != nil {
					return err
				}
			}
			for _, model := range models {
				if err := finishTable(conn, model, externalUsers); err != nil {
					return err
				}
			}
			return nil
		})
	}, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	return done, err
}

func finishTable(conn *gorm.DB, model any, externalUsers string) error {
	statements, err := unfinished(conn, model)
	if err != nil || statements == nil {
		return err
	}
	schema, err := schemaOf(conn, model)
	if err == nil && schema.Table != "users" { // others may have added rows until the transaction ended
		err = naming(externalUsers, ensureOwners(conn, schema.Table, externalUsers))
	}
	for _, statement := range statements {
		if err == nil {
			err = conn.Exec("?", statement).Error
		}
	}
	return err
}

// unfinished returns the statements that build the indexes and validate the constraints of a model which its table lacks.
func unfinished(db *gorm.DB, model any) (statements []clause.Expr, err error) {
	schema, err := schemaOf(db, model)
	if err != nil {
		return nil, err
	}
	table, id := clause.Table{Name: schema.Table}, db.Statement.Quote(schema.Table)
	indexes, err := query[[]struct {
		Name  string
		Valid bool
	}](db, `SELECT relname AS name, indisvalid AS valid FROM pg_index JOIN pg_class ON oid = indexrelid
		WHERE indrelid = to_regclass(?)`, id)
	if err != nil {
		return nil, err
	}
	valid := map[string]bool{}
	for _, index := range indexes {
		valid[index.Name] = index.Valid
		if wanted := schema.LookIndex(index.Name); wanted != nil && !index.Valid { // its building was interrupted
			statements = append(statements, gorm.Expr("DROP INDEX CONCURRENTLY IF EXISTS ?", clause.Column{Name: index.Name}))
		}
	}
	for _, index := range schema.ParseIndexes() {
		if !valid[index.Name] {
			statements = append(statements, buildIndex(db, table, index))
		}
	}
	rules := slices.Collect(maps.Keys(schema.ParseCheckConstraints()))
	constraints, err := query[[]string](db, `SELECT conname FROM pg_constraint
		WHERE conrelid = to_regclass(?) AND NOT convalidated AND conname IN ?`, id, append(rules, ownerKeyName(schema.Table)))
	for _, name := range constraints {
		statements = append(statements, gorm.Expr("ALTER TABLE ? VALIDATE CONSTRAINT ?", table, clause.Column{Name: name}))
	}
	return statements, err
}

func buildIndex(db *gorm.DB, table clause.Table, index *schema.Index) clause.Expr {
	text := "CREATE " + index.Class + " INDEX CONCURRENTLY IF NOT EXISTS ? ON ?"
	if index.Type != "" {
		text += " USING " + index.Type
	}
	text += " ? " + index.Option
	if index.Where != "" {
		text += " WHERE " + index.Where
	}
	fields := db.Migrator().(postgresMigrator).BuildIndexOptions(index.Fields, db.Statement)
	return gorm.Expr(text, clause.Column{Name: index.Name}, table, fields)
}
