package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"taskapi/config"
	"taskapi/models/database"
)

// session is the source or the target of a copy.
type session struct {
	*database.Session
	name string // for people
}

func openSource(ctx context.Context, from config.Database) (s *session, err error) {
	s = &session{name: fmt.Sprintf("source (%s)", from)}
	s.Session, err = database.OpenSource(ctx, from)
	return s, s.fault(err)
}

func openTarget(ctx context.Context, to config.Database, owned []any) (s *session, err error) {
	s = &session{name: fmt.Sprintf("target (%s)", to)}
	s.Session, err = database.OpenTarget(ctx, to)
	if errors.Is(err, fs.ErrExist) {
		if existing, open := openSource(ctx, to); open == nil {
			defer existing.Close()
			if tables, unreadable := existing.tables(owned); unreadable == nil {
				err = cmp.Or(existing.checkEmpty(tables), err)
			}
		}
	}
	return s, s.fault(err)
}

// fault says in which database an error happened.
func (s *session) fault(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the %s: %w", s.name, err)
}

// prepare makes the tables and keeps others from them. A target that holds anything is refused: first before the
// migration, which would block those who use it, then once nobody can add to it.
func (s *session) prepare(source *session, owned []any, tables []*table) error {
	if s.Same(source.Session) {
		return s.fault(errors.New("is the source itself"))
	}
	var names []string
	for _, t := range tables {
		names = append(names, t.name)
	}
	err := s.checkEmpty(tables)
	if err == nil {
		err = s.Migrate(owned)
	}
	if err == nil {
		err = s.Lock(names)
	}
	if err == nil {
		err = s.checkEmpty(tables)
	}
	return s.fault(err)
}

// checkEmpty returns an error if one of the tables exists and has rows.
func (s *session) checkEmpty(tables []*table) error {
	var sum int64
	var found []string
	for _, t := range tables {
		var rows int64
		if s.Migrator().HasTable(t.name) {
			if err := s.Raw("SELECT count(*) FROM " + t.name).Row().Scan(&rows); err != nil {
				return err
			}
		}
		sum += rows
		found = append(found, fmt.Sprintf("%d %s", rows, t.name))
	}
	if sum > 0 {
		return fmt.Errorf("is not empty, but has %s", strings.Join(found, " and "))
	}
	return nil
}
