package database

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"taskapi/config"
)

// refuseFile demands that there is no such file, nor one beside it that SQLite would take for the new one's journal.
func refuseFile(ctx context.Context, database config.Database) error {
	if _, err := os.Lstat(database.Source); err == nil {
		if there, err := openSource(ctx, database); err == nil {
			defer there.close()
			if err := there.refuseFull(); err != nil {
				return err
			}
		}
		return errors.New("exists already")
	}
	for _, suffix := range []string{"-wal", "-journal"} {
		if left, err := os.Lstat(database.Source + suffix); err == nil && left.Size() > 0 {
			return fmt.Errorf("%s%s is left from another database", database.Source, suffix)
		}
	}
	return nil
}

// publishFile gives a file that was written the name that it is for, if there is none by that name.
func publishFile(file *os.File, path string) error {
	err := file.Sync()
	if err == nil {
		// Unlike a rename, a link never replaces a file that has come meanwhile. Some file systems have none.
		if err = os.Link(file.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
			err = os.Rename(file.Name(), path)
		}
	}
	if dir, open := os.Open(filepath.Dir(path)); err == nil && open == nil {
		_ = dir.Sync() // not every system can
		_ = dir.Close()
	}
	return err
}
