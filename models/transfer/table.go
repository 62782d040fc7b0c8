package transfer

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm"

	"taskapi/models"
)

// table is what a copy takes of a model's table: the columns that the source has. The target gives the others their defaults.
type table struct {
	name    string
	columns []string
	types   []reflect.Type // of the columns' values
	owner   string         // the column of the user's id
	owners  []string       // of users: selects of each owned table's owners
	rows    int64          // of the source; 0 of users
	lastID  int64          // that the source has given out; 0 of users
}

// tables finds the tables of a source: the users, then those of the owned models.
func (s *session) tables(owned []any) ([]*table, error) {
	users, _ := s.table(&models.User{})
	users.owner = "id"
	all := []*table{users}
	for _, model := range owned {
		t, err := s.table(model)
		if err == nil {
			err = s.Raw("SELECT count(*) FROM " + t.name).Row().Scan(&t.rows)
		}
		if err == nil {
			t.lastID, err = s.LastID(t.name)
		}
		if err != nil {
			return nil, s.fault(err)
		}
		t.owner = "user_id"
		all, users.owners = append(all, t), append(users.owners, "SELECT user_id AS id, created_at FROM "+t.name)
	}
	return all, nil
}

// user returns the id of the user in the first of some rows that has one.
func (t *table) user(rows ...[]any) any {
	for _, row := range rows {
		if row != nil {
			return row[slices.Index(t.columns, t.owner)]
		}
	}
	return nil
}

// query selects all rows, user by user, in the order of the ids' bytes, which is the same on both engines. The users are
// those listed and the owners of rows: a database with external users lists none.
func (s *session) query(t *table) string {
	order := " COLLATE " + s.ByteOrder()
	if len(t.owners) == 0 {
		return fmt.Sprintf("SELECT %s FROM %s ORDER BY user_id%s, id", strings.Join(t.columns, ", "), t.name, order)
	}
	listed := t.name
	if _, err := s.table(&models.User{}); err != nil {
		listed = "(" + t.owners[0] + " WHERE 1 = 0)"
	}
	return fmt.Sprintf(`SELECT id%[2]s AS id, created_at FROM %[1]s AS listed
		UNION ALL SELECT id%[2]s, min(created_at) FROM (%[3]s) AS owners GROUP BY id
			HAVING NOT EXISTS (SELECT 1 FROM %[1]s AS listed WHERE listed.id = owners.id) ORDER BY id`,
		listed, order, strings.Join(t.owners, " UNION ALL "))
}

// table returns the table of a model, and an error if it or a column without a default is missing.
func (s *session) table(model any) (*table, error) {
	stmt := &gorm.Statement{DB: s.DB}
	if err := stmt.Parse(model); err != nil {
		return nil, err
	}
	t := &table{name: stmt.Schema.Table}
	existing, err := s.Columns(t.name)
	if err == nil && len(existing) == 0 {
		err = fmt.Errorf("has no table of %s", t.name)
	}
	for _, name := range stmt.Schema.DBNames {
		field := stmt.Schema.LookUpField(name)
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
