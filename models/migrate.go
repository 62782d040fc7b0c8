package models

import (
	"context"
	"fmt"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// migrationLock is the key of the advisory lock that migrations take, the same for every version of this program.
const migrationLock = 0x7461736b617069 // "taskapi"

// migrate adds what the tables lack: all of it or nothing, and one server at a time.
func migrate(ctx context.Context, db *gorm.DB, owned []any, elsewhere string) error {
	db = AcrossOwners(db.WithContext(ctx))
	if db.Name() == "sqlite" {
		if err := checkFile(db); err != nil {
			return err
		}
	}
	err := db.Transaction(func(tx *gorm.DB) error { return migrateTables(tx, owned, elsewhere) })
	if err == nil && db.Name() == "sqlite" {
		err = useWAL(db) // last, because it is kept in the file
	}
	return err
}

// migrateTables does so in the transaction that it is given. A table of tasks that was made elsewhere is taken over, with
// a user for each owner in it, unless their accounts are in a table elsewhere. What is another program's is refused and
// left as it is.
func migrateTables(tx *gorm.DB, owned []any, elsewhere string) error {
	if tx.Name() == "postgres" {
		// SQLite's transactions begin with its write lock; here several servers would create the same table.
		if err := tx.Exec("SELECT pg_advisory_xact_lock(?)", migrationLock).Error; err != nil {
			return err
		}
	}
	if elsewhere == "" {
		if err := checkOurUsers(tx); err != nil {
			return err
		}
		if err := refuseForeign(tx, &User{}); err != nil {
			return err
		}
		if err := tx.AutoMigrate(&User{}); err != nil {
			return err
		}
	}
	for _, model := range owned {
		if err := refuseForeign(tx, model); err != nil {
			return err
		}
		if err := tx.AutoMigrate(model); err != nil {
			return err
		}
		err := tieToUsers(tx, model, elsewhere)
		if err != nil && elsewhere != "" {
			err = fmt.Errorf("AUTH_USERS_TABLE: %w", err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkTables tells whether the tables are there with all their columns, as a server needs them that does not migrate.
func checkTables(ctx context.Context, db *gorm.DB, owned []any, elsewhere string) error {
	for _, model := range owned {
		err := AcrossOwners(db.WithContext(ctx)).Limit(0).Find(model).Error
		if err == nil {
			err = checkTied(db.WithContext(ctx), model, elsewhere)
		}
		if err != nil && !Unavailable(err) {
			return fmt.Errorf("the tables are not up to date, run the command migrate: %w", err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// The dialectors' migrators leave the columns that they find as they are. GORM's own would rewrite a table to make it
// like the model, which has cut texts short on PostgreSQL, and which on SQLite, where the types that the driver reports
// depend on the rows, happens at every start and forgets which ids were given out.

type postgresDialector struct{ *postgres.Dialector }

func (d postgresDialector) Migrator(db *gorm.DB) gorm.Migrator {
	return postgresMigrator{d.Dialector.Migrator(db).(postgres.Migrator)}
}

type postgresMigrator struct{ postgres.Migrator }

func (postgresMigrator) MigrateColumn(any, *schema.Field, gorm.ColumnType) error { return nil }

func (d sqliteDialector) Migrator(db *gorm.DB) gorm.Migrator {
	return sqliteMigrator{d.Dialector.Migrator(db).(sqlite.Migrator)}
}

type sqliteMigrator struct{ sqlite.Migrator }

func (sqliteMigrator) MigrateColumn(any, *schema.Field, gorm.ColumnType) error { return nil }
