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

// migrate adds missing tables, columns, indexes and constraints, one server at a time. All is done or none, but for what engines
// do to tables with rows in finish.
func migrate(db *gorm.DB, owned []any, externalUsers string) error {
	engine := engineOf(db)
	if err := engine.inspect(db); err != nil {
		return err
	}
	if err := db.Transaction(func(tx *gorm.DB) error { return migrateTables(tx, owned, externalUsers) }); err != nil {
		return err
	}
	return engine.finish(db, kept(owned, externalUsers), externalUsers)
}

// withIdempotencyKeys returns the models whose rows belong to users: the owned ones, and the idempotency keys.
func withIdempotencyKeys(owned []any) []any {
	return append(slices.Clip(owned), &models.IdempotencyKey{})
}

// kept returns the models whose tables the program keeps: those of [withIdempotencyKeys] and, unless the users are external, theirs.
func kept(owned []any, externalUsers string) []any {
	if externalUsers != "" {
		return withIdempotencyKeys(owned)
	}
	return append([]any{&models.User{}}, withIdempotencyKeys(owned)...)
}

// migrateTables migrates the tables of models in the transaction tx. A table that another program made in the form of a model is
// adopted: its owners are added to the users, unless the users are external. A table in another form, or with a row that breaks
// a rule, is refused and not changed. Rows are read before the first change of an owned model's table, because other sessions
// wait from then on.
func migrateTables(tx *gorm.DB, owned []any, externalUsers string) error {
	engine := engineOf(tx)
	if err := engine.lock(tx); err != nil {
		return err
	}
	if err := checkRights(tx, owned, externalUsers); err != nil {
		return err
	}
	for _, model := range kept(owned, externalUsers) {
		schema, columns, err := checkExisting(tx, model)
		if err == nil && schema.Table == "users" {
			err = tx.AutoMigrate(model)
		} else if err == nil {
			err = prepareOwners(tx, schema.Table, externalUsers, len(columns) > 0)
		}
		if err != nil {
			return err
		}
	}
	for _, model := range withIdempotencyKeys(owned) {
		if err := tx.AutoMigrate(model); err != nil {
			return err
		}
		if err := ensureOwnerKey(tx, model, externalUsers); err != nil {
			return err
		}
	}
	return nil
}

// checkRights returns an error if the role may not read and write the rows of the tables that exist. It names what to grant.
func checkRights(db *gorm.DB, owned []any, externalUsers string) error {
	var missing []string
	for _, model := range kept(owned, externalUsers) {
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
	for _, model := range withIdempotencyKeys(owned) {
		found := db.Limit(0).Find(model)
		err := found.Error
		if err == nil {
			if err := checkOwners(db, found.Statement.Table); err != nil {
				return err
			}
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
