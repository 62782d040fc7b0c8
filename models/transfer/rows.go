package transfer

import (
	"database/sql"
	"database/sql/driver"
	"reflect"
	"strings"
	"time"

	"taskapi/models/database"
)

// insertBatch is the number of rows of one INSERT.
const insertBatch = 100

// rows are the rows of a table that is being read.
type rows struct {
	*sql.Rows
	session *database.Session
	row     []any // pointers to a value of each column
}

// read starts to read a table.
func read(s *database.Session, t *table) (*rows, error) {
	found, err := s.Raw(t.query(s)).Rows()
	if err != nil {
		return nil, s.Fault(err)
	}
	r := &rows{Rows: found, session: s}
	for _, kind := range t.types {
		r.row = append(r.row, reflect.New(kind).Interface())
	}
	return r, nil
}

// next returns the values of at most limit rows, one row after the other, and none at the end. A value is one that both
// engines keep alike: NULL, a string, an int64, a float64, a bool, or a time in UTC to the microsecond.
func (r *rows) next(limit int) (values []any, err error) {
	for range limit {
		if !r.Next() {
			return values, r.session.Fault(r.Err())
		}
		if err := r.Scan(r.row...); err != nil {
			return nil, r.session.Fault(err)
		}
		for _, pointer := range r.row {
			value, err := driver.DefaultParameterConverter.ConvertValue(pointer)
			if err != nil {
				return nil, r.session.Fault(err)
			}
			if at, ok := value.(time.Time); ok {
				value = at.UTC().Truncate(time.Microsecond)
			}
			values = append(values, value)
		}
	}
	return values, nil
}

// insert writes rows into a table.
func insert(s *database.Session, t *table, values []any) error {
	row := "(?" + strings.Repeat(", ?", len(t.columns)-1) + ")"
	return s.Fault(s.Exec("INSERT INTO "+t.name+" ("+quoted(s, t.columns)+") VALUES "+
		row+strings.Repeat(", "+row, len(values)/len(t.columns)-1), values...).Error)
}
