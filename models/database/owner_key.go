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

// ensureOwnerKey makes user_id of an owned model's table reference the users' id. It adds missing owners to the program's own
// users, and keeps foreign keys that another program made. With external users it returns an error if an owner is missing,
// and removes all other foreign keys of user_id.
func ensureOwnerKey(tx *gorm.DB, table, externalUsers string) error {
	engine, users := engineOf(tx), cmp.Or(externalUsers, "users")
	keys, err := engine.ownerKeys(tx, table, users)
	if err != nil {
		return err
	}
	right := slices.ContainsFunc(keys, func(key ownerKey) bool { return key.Right })
	wrong := slices.ContainsFunc(keys, func(key ownerKey) bool { return !key.Right })
	switch {
	case right && (!wrong || externalUsers == ""):
		return nil
	case externalUsers == "":
		err = tx.Exec(`INSERT INTO users (id, created_at) SELECT user_id, min(created_at) FROM ?
			WHERE user_id NOT IN (SELECT id FROM users) GROUP BY user_id`, clause.Table{Name: table}).Error
	default:
		err = checkExternalUsers(tx, table, users)
	}
	if err != nil {
		return err
	}
	return engine.setOwnerKey(tx, table, users, keys, externalUsers != "")
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

// checkExternalUsers returns an error if another program's table cannot hold the owners of a table, or lacks some of them.
func checkExternalUsers(tx *gorm.DB, table, users string) error {
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
	var rows, owners int
	err = tx.Raw(`SELECT count(*), count(DISTINCT owned.user_id) FROM ? AS owned
		WHERE NOT EXISTS (SELECT 1 FROM ? AS account WHERE account.id = owned.user_id)`,
		clause.Table{Name: table}, clause.Table{Name: users}).Row().Scan(&rows, &owners)
	if err == nil && rows > 0 {
		err = fmt.Errorf("%s has rows of users without an account in %s (rows: %d, users: %d): "+
			"delete the rows or add the accounts first; nothing was changed", table, users, rows, owners)
	}
	return err
}
