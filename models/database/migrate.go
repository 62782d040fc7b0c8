package database

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"taskapi/models"
)

// migrate adds missing tables, columns, indexes and constraints, all or none of them, one server at a time.
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

// migrateTables does it in the transaction tx. A table that another program made in the form of a model is adopted: its owners
// are added to the users, unless the users are external. A table in another form is refused and not changed.
func migrateTables(tx *gorm.DB, owned []any, externalUsers string) error {
	if err := engineOf(tx).lock(tx); err != nil {
		return err
	}
	if err := checkRights(tx, owned, externalUsers); err != nil {
		return err
	}
	if externalUsers == "" {
		if _, err := migrateTable(tx, &models.User{}); err != nil {
			return err
		}
	}
	for _, model := range withKeys(owned) {
		table, err := migrateTable(tx, model)
		if err != nil {
			return err
		}
		err = ensureOwnerKey(tx, table, externalUsers)
		if err != nil && externalUsers != "" {
			err = fmt.Errorf("AUTH_USERS_TABLE: %w", err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// migrateTable returns the name of the table.
func migrateTable(tx *gorm.DB, model any) (string, error) {
	schema, err := schemaOf(tx, model)
	if err == nil {
		err = checkExisting(tx, schema)
	}
	if err != nil {
		return "", err
	}
	return schema.Table, tx.AutoMigrate(model)
}

// withKeys returns the models whose rows belong to users: the owned models, and the idempotency keys.
func withKeys(owned []any) []any { return append(slices.Clip(owned), &models.IdempotencyKey{}) }

// checkRights returns an error if the role may not read and write the rows of the tables that exist. It names what to grant.
func checkRights(db *gorm.DB, owned []any, externalUsers string) error {
	tables := withKeys(owned)
	if externalUsers == "" {
		tables = append(tables, &models.User{})
	}
	var missing []string
	for _, model := range tables {
		schema, err := schemaOf(db, model)
		if err != nil {
			return err
		}
		grants, err := engineOf(db).missingRights(db, schema.Table)
		if err != nil {
			return err
		}
		missing = append(missing, grants...)
	}
	if missing != nil {
		return errors.New("the role lacks rights: " + strings.Join(missing, "; "))
	}
	return nil
}

// checkTables returns an error if a table or one of its columns is missing. A server that does not migrate needs them.
func checkTables(db *gorm.DB, owned []any, externalUsers string) error {
	if err := checkRights(db, owned, externalUsers); err != nil {
		return err
	}
	for _, model := range withKeys(owned) {
		found := db.Limit(0).Find(model)
		err := found.Error
		if err == nil {
			err = checkOwnerKey(db, found.Statement.Table, externalUsers)
		}
		if err != nil && !Unavailable(err) {
			err = fmt.Errorf("the tables are not up to date, run the command migrate: %w", err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// schemaOf returns the schema of a model.
func schemaOf(db *gorm.DB, model any) (*schema.Schema, error) {
	stmt := &gorm.Statement{DB: db}
	err := stmt.Parse(model)
	return stmt.Schema, err
}
