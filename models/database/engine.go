package database

import (
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"taskapi/config"
	"taskapi/models/database/native"
)

// engine is PostgreSQL or SQLite: GORM's dialector, and all else that differs between the two. No other package asks which
// engine it has.
type engine interface {
	gorm.Dialector
	migrations
	copies
	lists

	// native returns how statements run on a connection of the driver.
	native() native.Run
	// conns returns how many connections a server opens if the settings allow a number.
	conns(allowed int) int
	// distributed reports whether the database can keep rows on other servers, as Citus does.
	distributed(db *gorm.DB) (bool, error)
	// advice returns what an operator should change about a database that works, or "".
	advice(db *gorm.DB) string
}

// migrations are the methods for bringing tables up to date.
type migrations interface {
	// inspect returns an error if the database is damaged or belongs to another program.
	inspect(db *gorm.DB) error
	// missingRights returns the statements that would let the role read and write the rows of a table, if the table exists.
	missingRights(db *gorm.DB, table string) (grants []string, err error)
	// lock prevents other servers from migrating until the transaction ends.
	lock(tx *gorm.DB) error
	// finish does what cannot or should not be done in the transaction, to the tables of the models.
	finish(db *gorm.DB, models []any, externalUsers string) error
	// fits reports whether a column of a type can store the values of a field.
	fits(field schema.DataType, column string) bool
	// columns returns a table's columns, none if there is no such table.
	columns(db *gorm.DB, table string) ([]column, error)
	// exact reports whether a column tells any two texts apart: not if it is of another type, or its collation ignores case.
	exact(db *gorm.DB, table, column string) (bool, error)
	// ownerKeys returns the foreign keys of a table's user_id.
	ownerKeys(db *gorm.DB, table, users string) ([]ownerKey, error)
	// setOwnerKey gives a table's user_id its foreign key. It replaces the key of that name, or all of them. The keys are those
	// that ownerKeys returns.
	setOwnerKey(tx *gorm.DB, table, users string, keys []ownerKey, all bool) error
}

// copies are the methods for reading and writing a whole database.
type copies interface {
	// begin prepares a copy's transaction. The identity is the same for all URLs of one database, or "".
	begin(tx *gorm.DB) (identity string, err error)
	// lockTable prevents other sessions from writing to a table.
	lockTable(tx *gorm.DB, table string) error
	// lastID returns the last id that a table gave out or that a row has, or 0.
	lastID(tx *gorm.DB, table string) (int64, error)
	// setLastID makes a table give out only ids greater than id and than those that it has given out.
	setLastID(tx *gorm.DB, table string, id int64) error
	// publish gives a committed copy its final name. discard removes what a copy left under another name.
	publish() error
	discard()
}

// purpose is the use for which a database is opened.
type purpose int

const (
	serving purpose = iota
	copySource
	copyTarget
)

// newEngine prepares an engine for a database. It does not connect.
func newEngine(database config.Database, purpose purpose) (engine, error) {
	if database.Engine == config.SQLite {
		return newSQLite(database.Source, purpose)
	}
	return newPostgres(database)
}

// query returns the result of an SQL text: one value, or a slice of rows.
func query[T any](db *gorm.DB, text string, args ...any) (found T, err error) {
	err = db.Raw(text, args...).Scan(&found).Error
	return found, err
}

// engineOf returns the engine behind a GORM session.
func engineOf(db *gorm.DB) engine { return db.Dialector.(engine) }
