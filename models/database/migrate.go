package database

import (
	"fmt"

	"gorm.io/gorm"

	"taskapi/models"
)

// migrate adds what the tables lack: all of it or nothing, and one server at a time.
func migrate(db *gorm.DB, owned []any, externalUsers string) error {
	engine := engineOf(db)
	if err := engine.inspect(db); err != nil {
		return err
	}
	if err := db.Transaction(func(tx *gorm.DB) error { return migrateTables(tx, owned, externalUsers) }); err != nil {
		return err
	}
	return engine.finish(db)
}

// migrateTables does so in the transaction that it is given. A table that another program made in the form of a model is
// adopted, with a user for each owner in it, unless the users are external. A table that does not have the form is refused
// and left as it is.
func migrateTables(tx *gorm.DB, owned []any, externalUsers string) error {
	if err := engineOf(tx).lock(tx); err != nil {
		return err
	}
	if externalUsers == "" {
		if err := checkUsersTable(tx); err != nil {
			return err
		}
		if err := migrateTable(tx, &models.User{}); err != nil {
			return err
		}
	}
	for _, model := range owned {
		if err := migrateTable(tx, model); err != nil {
			return err
		}
		err := ensureOwnerKey(tx, model, externalUsers)
		if err != nil && externalUsers != "" {
			err = fmt.Errorf("AUTH_USERS_TABLE: %w", err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func migrateTable(tx *gorm.DB, model any) error {
	if err := checkExisting(tx, model); err != nil {
		return err
	}
	return tx.AutoMigrate(model)
}

// checkTables returns an error if a table or one of its columns is missing. A server that does not migrate needs them.
func checkTables(db *gorm.DB, owned []any, externalUsers string) (err error) {
	for _, model := range owned {
		if err == nil {
			err = db.Limit(0).Find(model).Error
		}
		if err == nil {
			err = checkOwnerKey(db, model, externalUsers)
		}
	}
	if err != nil && !Unavailable(err) {
		return fmt.Errorf("the tables are not up to date, run the command migrate: %w", err)
	}
	return err
}

// tableOf returns the name of a model's table.
func tableOf(db *gorm.DB, model any) (string, error) {
	stmt := &gorm.Statement{DB: db}
	if err := stmt.Parse(model); err != nil {
		return "", err
	}
	return stmt.Schema.Table, nil
}
