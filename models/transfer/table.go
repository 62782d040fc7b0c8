package transfer

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

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
	id, createdAt := reflect.TypeFor[string](), reflect.TypeFor[time.Time]()
	users := &table{name: "users", columns: []string{"id", "created_at"}, types: []reflect.Type{id, createdAt}}
	all := []*table{users}
	for _, model := range owned {
		name, fields, err := source.Fields(model)
		if err != nil {
			return nil, err
		}
		t := &table{name: name}
		for _, field := range fields {
			t.columns, t.types = append(t.columns, field.DBName), append(t.types, field.FieldType)
		}
		t.owner = slices.Index(t.columns, "user_id")
		if err := source.Raw("SELECT count(*) FROM " + t.name).Row().Scan(&t.rows); err != nil {
			return nil, err
		}
		if t.lastID, err = source.LastID(t.name); err != nil {
			return nil, err
		}
		all, users.owners = append(all, t), append(users.owners, "SELECT user_id AS id, created_at FROM "+t.name)
	}
	return all, nil
}

// query selects all rows in the order of their ids, which is the same on both engines. The users are those listed and the
// owners of rows: a database with external users lists none.
func (t *table) query(s *database.Session) string {
	if t.owners == nil {
		return "SELECT " + quoted(s, t.columns) + " FROM " + t.name + " ORDER BY id"
	}
	listed := t.name
	if _, _, err := s.Fields(&models.User{}); err != nil {
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

// quoted lists columns in SQL.
func quoted(s *database.Session, columns []string) string {
	list := make([]string, len(columns))
	for i, name := range columns {
		list[i] = s.Statement.Quote(name)
	}
	return strings.Join(list, ", ")
}
