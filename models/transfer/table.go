package transfer

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"taskapi/models"
	"taskapi/models/database"
)

// table is what is copied of a model's table: the columns that the source has. In the target, the others get their defaults.
type table struct {
	name    string
	columns []string
	types   []reflect.Type // of the columns' values
	owner   int            // the index of the column with the user's id
	owners  []string       // of users: queries for the owners of each owned table
	rows    int            // of the source; 0 of users
	lastID  int64          // the last id that the source gave out; 0 of users
}

// findTables returns the tables of the source: the users, then those of the owned models.
func findTables(source *database.Session, owned []any) ([]*table, error) {
	users, _ := findTable(source, &models.User{})
	all := []*table{users}
	for _, model := range owned {
		t, err := findTable(source, model)
		if err != nil {
			return nil, err
		}
		t.owner = slices.Index(t.columns, "user_id")
		var maxID int64
		if err := source.Raw("SELECT count(*), coalesce(max(id), 0) FROM "+t.name).Row().Scan(&t.rows, &maxID); err != nil {
			return nil, err
		}
		if t.lastID, err = source.LastID(t.name); err != nil {
			return nil, err
		}
		t.lastID = max(t.lastID, maxID)
		all, users.owners = append(all, t), append(users.owners, "SELECT user_id AS id, created_at FROM "+t.name)
	}
	return all, nil
}

// findTable returns the table of a model, and an error if it or a column without a default is missing.
func findTable(s *database.Session, model any) (*table, error) {
	schema, err := s.Schema(model)
	if err != nil {
		return nil, err
	}
	t := &table{name: schema.Table}
	existing, err := s.Columns(t.name)
	if err == nil && len(existing) == 0 {
		err = fmt.Errorf("has no table of %s", t.name)
	}
	for _, name := range schema.DBNames {
		field := schema.LookUpField(name)
		if len(existing) > 0 && !slices.Contains(existing, name) {
			if !field.NotNull || field.HasDefaultValue {
				continue
			}
			err = cmp.Or(err, fmt.Errorf("its table %s has no column %s", t.name, name))
		}
		t.columns, t.types = append(t.columns, name), append(t.types, field.FieldType)
	}
	return t, err
}

// query selects all rows in the order of their ids, which is the same on both engines. The users are those listed and the
// owners of rows: a database with external users lists none.
func (t *table) query(s *database.Session) string {
	if t.owners == nil {
		return "SELECT " + strings.Join(t.columns, ", ") + " FROM " + t.name + " ORDER BY id"
	}
	listed := t.name
	if _, err := findTable(s, &models.User{}); err != nil {
		listed = "(" + t.owners[0] + " WHERE 1 = 0)"
	}
	return fmt.Sprintf(`SELECT id COLLATE %[2]s AS id, created_at FROM %[1]s AS listed
		UNION ALL SELECT id COLLATE %[2]s, min(created_at) FROM (%[3]s) AS owners GROUP BY id
			HAVING NOT EXISTS (SELECT 1 FROM %[1]s AS listed WHERE listed.id = owners.id) ORDER BY id`,
		listed, s.ByteOrder(), strings.Join(t.owners, " UNION ALL "))
}

// checkEmpty returns an error if one of the tables exists and has rows.
func checkEmpty(s *database.Session, tables []*table) error {
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
