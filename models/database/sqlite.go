package database

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteBusy is how long a statement waits for another program's lock on the file.
const sqliteBusy = 5 * time.Second

var lockWait = fmt.Sprintf("busy_timeout(%d)", sqliteBusy.Milliseconds())

// sqliteOptions make SQLite behave as PostgreSQL does where the two differ: foreign keys are enforced, a commit is on the
// disk before it is acknowledged (synchronous FULL), and a writer waits for another's lock. Readers never wait, because
// migrate turns the file's WAL mode on. Times are stored in a form whose text order is their order.
var sqliteOptions = url.Values{
	"_pragma":      {lockWait, "foreign_keys(1)", "synchronous(FULL)"},
	"_txlock":      {"immediate"},
	"_time_format": {"sqlite"},
}

// sqliteConns bounds the connections to a file: one for the statement that writes, the others for those that read.
const sqliteConns = 4

func openSQLite(path string) (*sql.DB, gorm.Dialector, error) {
	// Made here, a new file is its owner's alone; SQLite gives -wal and -shm the same mode.
	if file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); err == nil {
		_ = file.Close()
	}
	return sqlitePool(path, sqliteOptions)
}

func sqlitePool(path string, options url.Values) (*sql.DB, gorm.Dialector, error) {
	pool, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+options.Encode())
	if err != nil {
		return nil, nil, err
	}
	pool.SetMaxOpenConns(sqliteConns)
	pool.SetMaxIdleConns(sqliteConns)
	return pool, sqliteDialector{&sqlite.Dialector{Conn: pool}}, nil
}

// checkFile fails if a file is damaged or marked as another program's. It reads all of it.
func checkFile(db *gorm.DB) error {
	var application int32
	if err := db.Raw("PRAGMA application_id").Row().Scan(&application); err != nil {
		return err
	}
	if application != 0 {
		return fmt.Errorf("the file is another program's: its application_id is %#x", uint32(application))
	}
	var verdict string
	if err := db.Raw("PRAGMA quick_check(1)").Row().Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("the file is damaged: %s", strings.Join(strings.Fields(verdict), " "))
	}
	return nil
}

// useWAL turns a file's WAL mode on. It waits for other programs that are at the file, as busy_timeout would have it: SQLite
// itself does not when it changes the mode, since of two that change it neither could go on.
func useWAL(db *gorm.DB) error {
	for deadline := time.Now().Add(sqliteBusy); ; time.Sleep(10 * time.Millisecond) {
		err := db.Exec("PRAGMA journal_mode = WAL").Error
		var fault *driver.Error
		if !errors.As(err, &fault) || fault.Code()&0xff != sqlite3.SQLITE_BUSY || time.Now().After(deadline) {
			return err
		}
	}
}

// sqliteDialector is GORM's own dialector, taught the error type of the pure Go driver.
type sqliteDialector struct{ *sqlite.Dialector }

// Translate implements [gorm.ErrorTranslator] for the constraints that PostgreSQL's dialector translates, too.
func (sqliteDialector) Translate(err error) error {
	var fault *driver.Error
	if !errors.As(err, &fault) {
		return err
	}
	switch fault.Code() {
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return errors.Join(gorm.ErrForeignKeyViolated, err)
	case sqlite3.SQLITE_CONSTRAINT_CHECK:
		return errors.Join(gorm.ErrCheckConstraintViolated, err)
	case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE:
		return errors.Join(gorm.ErrDuplicatedKey, err)
	}
	return err
}
