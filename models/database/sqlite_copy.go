package database

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gorm.io/gorm"
)

// createTemporary makes a file beside path to write a copy into. It returns [fs.ErrExist] if there is a file at path, and
// an error if there is one beside it that SQLite would take for the new file's journal.
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

func (sqliteEngine) byteOrder() string { return "BINARY" }

// lockTables implements [copies]: the target is a file that nobody else has.
func (sqliteEngine) lockTables(*gorm.DB, []string) error { return nil }

func (sqliteEngine) lastID(tx *gorm.DB, table string) (id int64, err error) {
	if tx.Migrator().HasTable("sqlite_sequence") {
		err = tx.Raw("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?", table).Row().Scan(&id)
	}
	return id, err
}

func (sqliteEngine) setLastID(tx *gorm.DB, table string, id int64) error {
	if err := tx.Exec("DELETE FROM sqlite_sequence WHERE name = ?", table).Error; err != nil {
		return err
	}
	return tx.Exec("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", table, id).Error
}

// publish implements [copies]. It replaces no file that has come meanwhile.
func (e sqliteEngine) publish() error {
	if e.temporary == nil {
		return nil
	}
	err := e.temporary.Sync()
	if err == nil {
		// Unlike a rename, a link never replaces a file. Some file systems have none.
		if err = os.Link(e.temporary.Name(), e.path); err != nil && !errors.Is(err, fs.ErrExist) {
			err = os.Rename(e.temporary.Name(), e.path)
		}
	}
	if dir, open := os.Open(filepath.Dir(e.path)); err == nil && open == nil {
		_ = dir.Sync() // not every system can
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
