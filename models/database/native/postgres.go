package native

import (
	"context"
	"database/sql/driver"
	"reflect"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm/schema"
)

// pgxRows are rows of PostgreSQL.
type pgxRows struct {
	pgx.Rows
	into []any
}

// Postgres is the [Run] of connections of pgx, in the exec mode of their settings.
func Postgres(ctx context.Context, conn any, text string, args []any) (Rows, error) {
	rows, err := conn.(*stdlib.Conn).Conn().Query(ctx, text, args...)
	if err != nil {
		return nil, unsent(err)
	}
	return &pgxRows{Rows: rows}, nil
}

// unsent returns [driver.ErrBadConn] for the error of a statement that did not reach the server, and others as they are.
func unsent(err error) error {
	if err != nil && pgconn.SafeToRetry(err) {
		return driver.ErrBadConn
	}
	return err
}

func (r *pgxRows) next() bool { return r.Next() }

func (r *pgxRows) columns() []string {
	names := make([]string, len(r.FieldDescriptions()))
	for i, column := range r.FieldDescriptions() {
		names[i] = column.Name
	}
	r.into = make([]any, len(names))
	return names
}

func (r *pgxRows) scan(ctx context.Context, row reflect.Value, fields []*schema.Field, _ *string) error {
	for i, raw := range r.RawValues() {
		r.into[i] = nil // not read
		if fields[i] == nil {
			continue
		}
		if raw != nil {
			r.into[i] = fields[i].ReflectValueOf(ctx, row).Addr().Interface()
		} else if err := setNull(ctx, row, fields[i]); err != nil {
			return err
		}
	}
	return r.Scan(r.into...)
}

func (r *pgxRows) close() error {
	r.Close()
	return unsent(r.Err())
}
