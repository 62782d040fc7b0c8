package transfer

import (
	"database/sql"
	"database/sql/driver"
	"reflect"
	"strings"
	"time"
)

// insertBatch is how many rows one INSERT has.
const insertBatch = 100

// rows reads a table row by row.
type rows struct {
	*sql.Rows
	session *session
	count   func()
	scanned []any // pointers to a value of each column
}

// read begins to read a table. It calls count for each row, unless that is nil.
func (s *session) read(t *table, count func()) (*rows, error) {
	found, err := s.Raw(s.query(t)).Rows()
	if err != nil {
		return nil, s.fault(err)
	}
	r := &rows{Rows: found, session: s, count: count}
	for _, kind := range t.types {
		r.scanned = append(r.scanned, reflect.New(kind).Interface())
	}
	return r, nil
}

// next returns the values of the next row, nil after the last. They are as both engines keep them: NULL, a string, an int64,
// a float64, a bool, or a time in UTC to the microsecond.
func (r *rows) next() (values []any, err error) {
	if !r.Next() {
		return nil, r.session.fault(r.Err())
	}
	if r.count != nil {
		r.count()
	}
	if err := r.Scan(r.scanned...); err != nil {
		return nil, r.session.fault(err)
	}
	for _, pointer := range r.scanned {
		value, err := driver.DefaultParameterConverter.ConvertValue(pointer)
		if err != nil {
			return nil, r.session.fault(err)
		}
		if at, ok := value.(time.Time); ok {
			value = at.UTC().Truncate(time.Microsecond)
		}
		values = append(values, value)
	}
	return values, nil
}

// insert writes rows, whose values follow one another, into a table.
func (s *session) insert(t *table, values []any) error {
	if len(values) == 0 {
		return nil
	}
	row := "(?" + strings.Repeat(", ?", len(t.columns)-1) + ")"
	return s.fault(s.Exec("INSERT INTO "+t.name+" ("+strings.Join(t.columns, ", ")+") VALUES "+
		row+strings.Repeat(", "+row, len(values)/len(t.columns)-1), values...).Error)
}
