package database

import (
	"cmp"
	"fmt"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// ownerKey is a foreign key of a table's user_id.
type ownerKey struct {
	Name string
	// Right reports whether the key references the users' id and deletes the rows of a user who is deleted.
	Right bool
}

// ownerKeyName returns the name that GORM would give the constraint.
func ownerKeyName(table string) string { return "fk_" + table + "_user" }

// hasOwnerKey reports whether a table that has these keys needs no other. Foreign keys that another program made stay where the
// users are the program's own.
func hasOwnerKey(keys []ownerKey, externalUsers string) bool {
	return slices.ContainsFunc(keys, func(key ownerKey) bool { return key.Right }) &&
		(externalUsers == "" || !slices.ContainsFunc(keys, func(key ownerKey) bool { return !key.Right }))
}

// prepareOwners prepares the users for the foreign key of an owned model's table, if the table does not have it.
func prepareOwners(tx *gorm.DB, table, externalUsers string, exists bool) error {
	keys, err := engineOf(tx).ownerKeys(tx, table, cmp.Or(externalUsers, "users"))
	if err != nil || hasOwnerKey(keys, externalUsers) {
		return err
	}
	if externalUsers != "" {
		err = checkExternalUsers(tx, externalUsers)
	}
	if err == nil && exists {
		err = ensureOwners(tx, table, externalUsers)
	}
	return naming(externalUsers, err)
}

// ensureOwners adds the missing owners of a table's rows to the program's own users. It returns an error if external users lack
// some.
func ensureOwners(tx *gorm.DB, table, externalUsers string) error {
	if externalUsers == "" {
		return tx.Exec(`INSERT INTO users (id, created_at) SELECT user_id, min(created_at) FROM ?
			WHERE user_id NOT IN (SELECT id FROM users) GROUP BY user_id ON CONFLICT DO NOTHING`, clause.Table{Name: table}).Error
	}
	var rows, owners int
	err := tx.Raw(`SELECT count(*), count(DISTINCT owned.user_id) FROM ? AS owned
		WHERE NOT EXISTS (SELECT 1 FROM ? AS account WHERE account.id = owned.user_id)`,
		clause.Table{Name: table}, clause.Table{Name: externalUsers}).Row().Scan(&rows, &owners)
	if err == nil && rows > 0 {
		err = fmt.Errorf("%s has rows of users without an account in %s (rows: %d, users: %d): "+
			"delete the rows or add the accounts first; nothing was changed", table, externalUsers, rows, owners)
	}
	return err
}

// ensureOwnerKey makes user_id of an owned model's table reference the users' id. With external users it removes all other
// foreign keys of user_id.
func ensureOwnerKey(tx *gorm.DB, model any, externalUsers string) error {
	schema, err := schemaOf(tx, model)
	if err != nil {
		return err
	}
	engine, users := engineOf(tx), cmp.Or(externalUsers, "users")
	keys, err := engine.ownerKeys(tx, schema.Table, users)
	if err != nil || hasOwnerKey(keys, externalUsers) {
		return err
	}
	return naming(externalUsers, engine.setOwnerKey(tx, schema.Table, users, keys, externalUsers != ""))
}

// naming adds to an error that has to do with external users, unless it is nil, the setting that names them.
func naming(externalUsers string, err error) error {
	if err != nil && externalUsers != "" {
		err = fmt.Errorf("AUTH_USERS_TABLE: %w", err)
	}
	return err
}

// checkOwnerKey returns an error if an owned model's table does not reference the right users.
func checkOwnerKey(db *gorm.DB, table, externalUsers string) error {
	users := cmp.Or(externalUsers, "users")
	keys, err := engineOf(db).ownerKeys(db, table, users)
	if err == nil && !slices.ContainsFunc(keys, func(key ownerKey) bool { return key.Right }) {
		err = fmt.Errorf("%s does not reference %s", table, users)
	}
	return err
}

// checkExternalUsers returns an error if another program's table cannot hold the owners of rows.
func checkExternalUsers(tx *gorm.DB, users string) error {
	columns, err := engineOf(tx).columns(tx, users)
	if err != nil {
		return err
	}
	id := slices.IndexFunc(columns, func(c column) bool { return c.Name == "id" })
	switch {
	case len(columns) == 0:
		return fmt.Errorf("there is no table %s in the database: the migrations of the program whose table it is come first", users)
	case id < 0:
		return fmt.Errorf("the table %s has no column id", users)
	case !columns[id].Text:
		return fmt.Errorf("the id of %s is of type %s, and user ids are text: it must be text or varchar", users, columns[id].Type)
	}
	return nil
}
