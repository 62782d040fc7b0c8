package database

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Unavailable tells whether an error means that the database cannot be reached, is too slow or cannot take the
// statement for now, so that the same request may succeed later.
func Unavailable(err error) bool {
	var (
		postgres *pgconn.PgError
		embedded *sqlite.Error
		network  net.Error
	)
	switch {
	case errors.As(err, new(*pgconn.ConnectError)): // whatever the reason
		return true
	case errors.As(err, &postgres):
		return unavailablePostgres(postgres.Code)
	case errors.As(err, &embedded):
		return unavailableSQLite(embedded.Code() & 0xff)
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network) || pgconn.SafeToRetry(err)
}

// unreached tells whether an error means that PostgreSQL could not be connected to and may be later: it is not there yet,
// or is starting. A password, a name or a certificate that it refuses will not change by waiting.
func unreached(err error) bool {
	var refusal *pgconn.PgError
	switch {
	case !errors.As(err, new(*pgconn.ConnectError)):
		return false
	case errors.As(err, &refusal):
		return unavailablePostgres(refusal.Code)
	}
	return !errors.As(err, new(*tls.CertificateVerificationError))
}

// unavailablePostgres judges an SQLSTATE, mostly by its class (PostgreSQL's documentation, appendix A).
func unavailablePostgres(code string) bool {
	switch code[:min(2, len(code))] {
	case "08", // connection exception
		"40", // transaction rollback: a deadlock, say
		"53", // insufficient resources
		"57", // operator intervention: shutting down, starting up, a statement cancelled
		"58": // system error
		return true
	}
	// A lock not available; a replica, or a primary being switched; a statement prepared before a migration.
	return code == "55P03" || code == "25006" || code == "0A000"
}

// unavailableSQLite judges a primary result code (https://www.sqlite.org/rescode.html).
func unavailableSQLite(code int) bool {
	return slices.Contains([]int{
		sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_FULL,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN,
	}, code)
}
