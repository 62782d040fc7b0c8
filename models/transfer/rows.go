package transfer

import (
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"math"
	"reflect"
	"time"
)

// rows reads a table row by row: a [pgx.CopyFromSource].
type rows struct {
	*sql.Rows
	session *session
	table   *table
	count   func()
	scanned []any  // pointers to a value of each field
	values  []any  // of the row read last, unless nextDigest has used them
	user    string // whose row that is
	err     error
}

// read begins to read a table. It calls count for each row, unless that is nil.
func (s *session) read(t *table, count func()) (*rows, error) {
	found, err := s.Raw(s.query(t)).Rows()
	if err != nil {
		return nil, s.fault(err)
	}
	r := &rows{Rows: found, session: s, table: t, count: count}
	for _, kind := range t.types {
		r.scanned = append(r.scanned, reflect.New(kind).Interface())
	}
	return r, nil
}

// Values implements [pgx.CopyFromSource]. The values are as both engines keep them: NULL, a string, an int64, a float64, a
// bool, or a time in UTC to the microsecond.
func (r *rows) Values() ([]any, error) {
	if r.count != nil {
		r.count()
	}
	err := r.Scan(r.scanned...)
	r.values = make([]any, len(r.scanned))
	for i, pointer := range r.scanned {
		if err == nil {
			r.values[i], err = driver.DefaultParameterConverter.ConvertValue(pointer)
		}
		if at, ok := r.values[i].(time.Time); ok {
			r.values[i] = at.UTC().Truncate(time.Microsecond)
		}
		if r.table.columns[i] == r.table.owner {
			r.user, _ = r.values[i].(string)
		}
	}
	r.err = r.session.fault(err)
	return r.values, r.err
}

// Err implements [pgx.CopyFromSource].
func (r *rows) Err() error {
	if r.err == nil {
		r.err = r.session.fault(r.Rows.Err())
	}
	return r.err
}

// digest is the checksum of a user's rows.
type digest struct {
	user string
	rows int64
	sum  [sha256.Size]byte
}

// nextDigest sums up the rows of the next user. After the last user there are no rows.
func (r *rows) nextDigest() (next digest, err error) {
	sum, text := sha256.New(), []byte(nil)
	for r.values != nil || r.Next() {
		if r.values == nil {
			if _, err := r.Values(); err != nil {
				return digest{}, err
			}
		}
		if next.rows > 0 && r.user != next.user {
			break
		}
		next.user = r.user
		next.rows++
		text = text[:0]
		for _, value := range r.values {
			text = appendValue(text, value)
		}
		sum.Write(text)
		r.values = nil
	}
	sum.Sum(next.sum[:0])
	return next, r.Err()
}

// appendValue encodes a value so that no two sequences of values are encoded alike: a letter for its type, then
// a string's length and bytes, an integer or a time's microseconds since 1970 as a varint, a float's eight bytes.
func appendValue(text []byte, value any) []byte {
	switch value := value.(type) {
	case string:
		return append(binary.AppendUvarint(append(text, 's'), uint64(len(value))), value...)
	case int64:
		return binary.AppendVarint(append(text, 'i'), value)
	case float64:
		return binary.BigEndian.AppendUint64(append(text, 'f'), math.Float64bits(value))
	case time.Time:
		return binary.AppendVarint(append(text, 't'), value.UnixMicro())
	case bool:
		if value {
			return append(text, 'y')
		}
		return append(text, 'n')
	}
	return append(text, '0') // NULL
}
