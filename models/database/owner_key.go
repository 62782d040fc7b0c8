package database

import (
	"cmp"
	"fmt"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"taskapi/models"
)

// ownerMigrator is what both engines' migrators know of the users that owned rows belong to.
type ownerMigrator interface {
	// columns returns a table's columns, none if there is no such table.
	columns(table string) ([]column, error)
	// ownerKeys returns the foreign keys of a table's user_id.
	ownerKeys(table, users string) ([]ownerKey, error)
	// setOwnerKey gives a table's user_id the right foreign key in the place of the one with its name, or of all.
	setOwnerKey(table, users string, all bool) error
}

type column struct {
	Name, Type string
	// Text tells that the values are compared with a user id as text is.
	Text bool
	// Required tells that an insert must give the value.
	Required bool
}

type ownerKey struct {
	Name string
	// Right tells that the key references the users' id, and that a user that is deleted takes the rows along.
	Right bool
}

// ownerKeyName is the name that GORM would give the constraint.
func ownerKeyName(table string) string { return "fk_" + table + "_user" }

// tieToUsers makes user_id of an owned model's table reference the users' id. If they are ours, owners that they lack are
// added, and keys that someone else gave the table stay; if another program's, it is the only key, and all owners must
// be there.
func tieToUsers(tx *gorm.DB, model any, elsewhere string) error {
	stmt := &gorm.Statement{DB: tx}
	if err := stmt.Parse(model); err != nil {
		return err
	}
	migrator, table, users := tx.Migrator().(ownerMigrator), stmt.Schema.Table, cmp.Or(elsewhere, "users")
	keys, err := migrator.ownerKeys(table, users)
	if err != nil {
		return err
	}
	right := slices.ContainsFunc(keys, func(key ownerKey) bool { return key.Right })
	wrong := slices.ContainsFunc(keys, func(key ownerKey) bool { return !key.Right })
	switch {
	case right && (!wrong || elsewhere == ""):
		return nil
	case elsewhere == "":
		err = tx.Exec(`INSERT INTO users (id, created_at) SELECT user_id, min(created_at) FROM ?
			WHERE user_id NOT IN (SELECT id FROM users) GROUP BY user_id`, clause.Table{Name: table}).Error
	default:
		err = checkAccounts(tx, table, users)
	}
	if err != nil {
		return err
	}
	return migrator.setOwnerKey(table, users, elsewhere != "")
}

// checkTied tells whether an owned model's table references the right users.
func checkTied(db *gorm.DB, model any, elsewhere string) error {
	stmt := &gorm.Statement{DB: db}
	if err := stmt.Parse(model); err != nil {
		return err
	}
	table, users := stmt.Schema.Table, cmp.Or(elsewhere, "users")
	keys, err := models.AcrossOwners(db).Migrator().(ownerMigrator).ownerKeys(table, users)
	if err == nil && !slices.ContainsFunc(keys, func(key ownerKey) bool { return key.Right }) {
		err = fmt.Errorf("%s does not reference %s", table, users)
	}
	return err
}

// checkAccounts tells whether another program's table can hold the accounts of a table's owners, and does.
func checkAccounts(tx *gorm.DB, table, users string) error {
	columns, err := tx.Migrator().(ownerMigrator).columns(users)
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
		err = fmt.Errorf("%s has rows of users without an account in %s (rows: %d, users: %d): delete the rows or add the accounts first; nothing was changed",
			table, users, rows, owners)
	}
	return err
}

// checkOurUsers tells whether the table users, if there is one, can be ours: users must be added to it by their id alone.
func checkOurUsers(tx *gorm.DB) error {
	columns, err := tx.Migrator().(ownerMigrator).columns("users")
	for _, c := range columns {
		if c.Required && c.Name != "id" && c.Name != "created_at" {
			return fmt.Errorf("the table users, with its column %s, is another program's: if it holds the accounts, set AUTH_USERS_TABLE=users", c.Name)
		}
	}
	return err
}
