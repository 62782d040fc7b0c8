package database

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	// sqliteConns bounds the connections to a file: one for the statement that writes, the others for those that read.
	sqliteConns = 4
	// sqliteBusy is how long a statement waits for another program's lock on the file.
	sqliteBusy = 5 * time.Second
)

// sqliteOptions are those of a connection by its purpose.
var sqliteOptions = map[purpose]url.Values{
	// As PostgreSQL does where the two differ: foreign keys are enforced, a commit is on the disk before it is acknowledged
	// (synchronous FULL), and a writer waits for another's lock. Readers never wait, because the file is in WAL mode.
	serving:    {"_pragma": {lockWait, "foreign_keys(1)", "synchronous(FULL)"}, "_txlock": {"immediate"}, "_time_format": timeFormat},
	copySource: {"_pragma": {lockWait}, "mode": {"ro"}},
	// A file that counts for nothing before it is whole needs no journal, and one flush.
	copyTarget: {"_pragma": {"journal_mode(OFF)", "synchronous(OFF)"}, "_time_format": timeFormat},
}

var (
	lockWait = fmt.Sprintf("busy_timeout(%d)", sqliteBusy.Milliseconds())
	// timeFormat keeps times as text whose order is theirs.
	timeFormat = []string{"sqlite"}
)

type sqliteEngine struct {
	*sqlite.Dialector
	temporary *os.File // of a copy's target, which gets its own name, path, when it is published
	path      string
}

func newSQLite(path string, purpose purpose) (_ engine, err error) {
	e := sqliteEngine{path: path}
	switch purpose {
	case serving:
		// Made here, a new file is its owner's; SQLite gives -wal and -shm the same mode.
		if file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); err == nil {
			_ = file.Close()
		}
	case copySource:
		_, err = os.Stat(path)
	case copyTarget:
		e.temporary, err = createTemporary(path)
	}
	if err != nil {
		return nil, err
	}
	if e.temporary != nil {
		path = e.temporary.Name()
	}
	pool, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+sqliteOptions[purpose].Encode())
	if err != nil {
		return nil, err
	}
	e.Dialector = &sqlite.Dialector{Conn: pool}
	return e, nil
}

// Initialize implements [gorm.Dialector].
func (e sqliteEngine) Initialize(db *gorm.DB) error {
	return errors.Join(e.Dialector.Initialize(db), db.Use(newQueues()))
}

func (sqliteEngine) conns(int) int { return sqliteConns }

func (sqliteEngine) advice(*gorm.DB) string { return "" }

// Translate implements [gorm.ErrorTranslator] for the constraints that PostgreSQL's dialector translates. GORM's own
// dialector does not know the error type of this driver.
func (sqliteEngine) Translate(err error) error {
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

// sqliteUnavailable goes by the primary result code (https://www.sqlite.org/rescode.html).
func sqliteUnavailable(err error) bool {
	var fault *driver.Error
	return errors.As(err, &fault) && slices.Contains([]int{
		sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_FULL,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN,
	}, fault.Code()&0xff)
}
