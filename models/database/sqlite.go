package database

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"taskapi/models/database/native"
)

const (
	// sqliteConns limits the connections to a file: one is for the statement that writes, the others for those that read.
	sqliteConns = 4
	// sqliteBusy is how long a statement waits for another program's lock on the file; lockWait sets it.
	sqliteBusy = 5 * time.Second
	lockWait   = "busy_timeout(5000)"
)

// sqliteOptions are the options of a connection by its purpose.
var sqliteOptions = map[purpose]url.Values{
	// As on PostgreSQL, foreign keys are enforced, a commit is on the disk before it is acknowledged (synchronous FULL), and a
	// writer waits for the lock of another. Readers do not wait, because the file is in WAL mode.
	serving:    {"_pragma": {lockWait, "foreign_keys(1)", "synchronous(FULL)"}, "_txlock": {"immediate"}, "_time_format": timeFormat},
	copySource: {"_pragma": {lockWait}, "mode": {"ro"}},
	// An incomplete file is never used, so it needs no journal, and a flush only at the end.
	copyTarget: {"_pragma": {"journal_mode(OFF)", "synchronous(OFF)"}, "_time_format": timeFormat},
}

// timeFormat stores times as text that sorts as they do.
var timeFormat = []string{"sqlite"}

type sqliteEngine struct {
	*sqlite.Dialector
	temporary *os.File // the file of a copy's target, until it is published as path
	path      string
}

func newSQLite(path string, purpose purpose) (_ engine, err error) {
	e := sqliteEngine{path: path}
	// Docker makes a directory in the place of a file that it cannot mount.
	if info, err := os.Stat(path); purpose != copyTarget && err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a directory", path)
	}
	switch purpose {
	case serving:
		// Created here, a new file is readable by its owner only. SQLite gives -wal and -shm the same mode.
		file, made := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		if made == nil {
			_ = file.Close()
		} else if !errors.Is(made, fs.ErrExist) {
			err = made
		}
	case copySource:
		_, err = os.Stat(path)
	case copyTarget:
		e.temporary, err = createTemporary(path)
	}
	switch dir, _ := filepath.Abs(filepath.Dir(path)); {
	case errors.Is(err, fs.ErrNotExist) && purpose != copySource:
		return nil, fmt.Errorf("there is no directory %s", dir)
	case errors.Is(err, fs.ErrPermission) && purpose != copySource:
		return nil, fmt.Errorf("the user %d may not make files in the directory %s", os.Getuid(), dir)
	case err != nil:
		return nil, err
	}
	if e.temporary != nil {
		path = e.temporary.Name()
	}
	connector, err := driver.NewConnector("file:" + (&url.URL{Path: path}).EscapedPath() + "?" + sqliteOptions[purpose].Encode())
	if err != nil {
		return nil, err
	}
	e.Dialector = &sqlite.Dialector{Conn: sql.OpenDB(native.KeepStatements(connector))}
	return e, nil
}

// Initialize implements [gorm.Dialector].
func (e sqliteEngine) Initialize(db *gorm.DB) error {
	queues := newQueues()
	// As the SQLite of every Linux distribution: a commit does not wait for the time of the file. Not on macOS and Windows.
	_, _ = driver.Fdatasync(true)
	err := errors.Join(registerMatches(), e.Dialector.Initialize(db), queues.register(db))
	if pool, ok := db.ConnPool.(*sql.DB); ok {
		db.ConnPool = queuedPool{pool, queues, &waitingWrites{}}
	}
	return err
}

func (sqliteEngine) native() native.Run { return native.SQLite }

func (sqliteEngine) conns(int) int { return sqliteConns }

func (sqliteEngine) distributed(*gorm.DB) (bool, error) { return false, nil }

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

// createTemporary makes a file beside path to write a copy into. It returns [fs.ErrExist] if there is a file at path, and
// an error if there is one beside it that SQLite would read as the journal of the new file.
func createTemporary(path string) (*os.File, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fs.ErrExist
	}
	for _, suffix := range []string{"-wal", "-journal"} {
		if left, err := os.Lstat(path + suffix); err == nil && left.Size() > 0 {
			return nil, fmt.Errorf("%s%s is left from another database", path, suffix)
		}
	}
	return os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".copy-*") // readable by its owner only
}

func (sqliteEngine) begin(*gorm.DB) (identity string, err error) { return "", nil }

// lockTable implements [copies]: the target is a file that no other session has open.
func (sqliteEngine) lockTable(*gorm.DB, string) error { return nil }

func (sqliteEngine) lastID(tx *gorm.DB, table string) (int64, error) {
	last, err := query[int64](tx, "SELECT coalesce(max(id), 0) FROM ?", clause.Table{Name: table})
	if err != nil || !tx.Migrator().HasTable("sqlite_sequence") {
		return last, err
	}
	return query[int64](tx, "SELECT max(coalesce(max(seq), 0), ?) FROM sqlite_sequence WHERE name = ?", last, table)
}

func (sqliteEngine) setLastID(tx *gorm.DB, table string, id int64) error {
	if err := tx.Exec("DELETE FROM sqlite_sequence WHERE name = ?", table).Error; err != nil {
		return err
	}
	return tx.Exec("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", table, id).Error
}

// publish implements [copies]. It does not replace a file that was created in the meantime.
func (e sqliteEngine) publish() error {
	if e.temporary == nil {
		return nil
	}
	err := e.temporary.Sync()
	if err == nil {
		// Unlike a rename, a link does not replace a file. Some file systems have no links.
		if err = os.Link(e.temporary.Name(), e.path); err != nil && !errors.Is(err, fs.ErrExist) {
			err = os.Rename(e.temporary.Name(), e.path)
		}
	}
	if dir, open := os.Open(filepath.Dir(e.path)); err == nil && open == nil {
		_ = dir.Sync() // not possible on every system
		_ = dir.Close()
	}
	return err
}

func (e sqliteEngine) discard() {
	if e.temporary != nil {
		_ = e.temporary.Close()
		_ = os.Remove(e.temporary.Name())
	}
}
