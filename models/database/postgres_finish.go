package database

import (
	"database/sql"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
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
		statements, _, err := unfinished(db, model)
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
	statements, table, err := unfinished(conn, model)
	if err != nil || statements == nil {
		return err
	}
	if table != "users" { // rows may have been added until the transaction ended
		if err := ensureOwners(conn, table, externalUsers); err != nil {
			return naming(externalUsers, err)
		}
	}
	for _, statement := range statements {
		if err := conn.Exec("?", statement).Error; err != nil {
			return err
		}
	}
	return nil
}

// unfinished returns the statements that build the indexes and validate the constraints that a model's table lacks. What an
// interrupted CREATE INDEX CONCURRENTLY leaves is not valid and must be dropped.
func unfinished(db *gorm.DB, model any) (statements []clause.Expr, table string, err error) {
	stmt := &gorm.Statement{DB: db}
	if err := stmt.Parse(model); err != nil {
		return nil, "", err
	}
	target := clause.Table{Name: stmt.Table}
	found, err := query[[]struct {
		Name  string
		Valid bool
	}](db, `SELECT relname AS name, indisvalid AS valid FROM pg_index JOIN pg_class ON oid = indexrelid
		WHERE indrelid = to_regclass(?)`, stmt.Quote(stmt.Table))
	if err != nil {
		return nil, "", err
	}
	indexes := map[string]bool{} // whether it is valid
	for _, index := range found {
		indexes[index.Name] = index.Valid
	}
	for _, index := range stmt.Schema.ParseIndexes() {
		name, valid := clause.Column{Name: index.Name}, indexes[index.Name]
		if valid {
			continue
		}
		if _, exists := indexes[index.Name]; exists {
			statements = append(statements, gorm.Expr("DROP INDEX CONCURRENTLY IF EXISTS ?", name))
		}
		text := "CREATE " + index.Class + " INDEX CONCURRENTLY IF NOT EXISTS ? ON ?"
		if index.Type != "" {
			text += " USING " + index.Type
		}
		text += " ? " + index.Option
		if index.Where != "" {
			text += " WHERE " + index.Where
		}
		fields := db.Migrator().(postgresMigrator).BuildIndexOptions(index.Fields, stmt)
		statements = append(statements, gorm.Expr(text, name, target, fields))
	}
	rules := slices.Collect(maps.Keys(stmt.Schema.ParseCheckConstraints()))
	constraints, err := query[[]string](db, `SELECT conname FROM pg_constraint
		WHERE conrelid = to_regclass(?) AND NOT convalidated AND conname IN ?`,
		stmt.Quote(stmt.Table), append(rules, ownerKeyName(stmt.Table)))
	for _, name := range constraints {
		statements = append(statements, gorm.Expr("ALTER TABLE ? VALIDATE CONSTRAINT ?", target, clause.Column{Name: name}))
	}
	return statements, stmt.Table, err
}
