package database

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"taskapi/config"
	"taskapi/models/database/native"
)

// connectTimeout limits an attempt to connect, if the URL does not. All requests that wait for a connection wait for the same
// attempt, so one whose packets are lost would delay them even after the database is back.
const connectTimeout = 3 * time.Second

type postgresEngine struct {
	*postgres.Dialector
	pooled bool
}

func newPostgres(database config.Database) (engine, error) {
	connection, err := pgx.ParseConfig(database.Source)
	if err != nil {
		return nil, err
	}
	connection.ConnectTimeout = cmp.Or(connection.ConnectTimeout, connectTimeout)
	// Whatever the role's defaults are; without prepared statements pgx reads times as text.
	connection.RuntimeParams["client_encoding"], connection.RuntimeParams["DateStyle"] = "UTF8", "ISO"
	options := []stdlib.OptionOpenDB{stdlib.OptionShouldPing(pingBriefly), stdlib.OptionAfterConnect(checkEncoding)}
	if database.Pooled {
		options = append(options, stdlib.OptionBeforeConnect(neverCancel))
		if !strings.Contains(database.Source, "default_query_exec_mode=") {
			connection.DefaultQueryExecMode = pgx.QueryExecModeExec
		}
	}
	pool := stdlib.OpenDB(*connection, options...)
	return postgresEngine{&postgres.Dialector{Config: &postgres.Config{Conn: pool}}, database.Pooled}, nil
}

func (postgresEngine) native() native.Run { return native.Postgres }

func (postgresEngine) conns(allowed int) int { return allowed }

func (postgresEngine) distributed(db *gorm.DB) (bool, error) {
	return query[bool](db, "SELECT EXISTS (SELECT FROM pg_proc WHERE proname = 'create_distributed_table')")
}

func (e postgresEngine) advice(db *gorm.DB) string {
	if timeout, err := query[string](db, "SHOW statement_timeout"); e.pooled && err == nil && timeout == "0" {
		return "the pooler's sessions have no statement_timeout: what outlives a request's deadline goes on"
	}
	return ""
}

// checkEncoding returns an error if the database cannot keep every text, or does not check it.
func checkEncoding(_ context.Context, conn *pgx.Conn) error {
	if encoding := conn.PgConn().ParameterStatus("server_encoding"); encoding != "UTF8" {
		return fmt.Errorf("the database's encoding is %s and must be UTF8: "+
			"make a database with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0", encoding)
	}
	return nil
}

// neverCancel prevents cancel requests, which pgx sends after a deadline, on a connection through a pooler: PgBouncer 1.18
// (Debian 12) crashes when it gets one (pgbouncer/pgbouncer#801). The pooler's sessions need a statement_timeout instead.
func neverCancel(_ context.Context, connection *pgx.ConnConfig) error {
	var connected atomic.Bool
	dial := connection.DialFunc
	connection.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if connected.Load() {
			return nil, errors.New("no cancellation through a pooler")
		}
		return dial(ctx, network, address)
	}
	connection.AfterConnect = func(context.Context, *pgconn.PgConn) error {
		connected.Store(true)
		return nil
	}
	return nil
}

// pingBriefly pings a connection that has been idle, with a timeout of one second, so that a request which gets a dead one has
// time left for another. The failed ping closes the connection, so that pgx's own ping, which follows, fails at once.
func pingBriefly(ctx context.Context, p stdlib.ShouldPingParams) bool {
	if p.IdleDuration <= time.Second {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return p.Conn.Ping(ctx) != nil
}

func postgresUnavailable(err error) bool {
	var fault *pgconn.PgError
	return errors.As(err, new(*pgconn.ConnectError)) || pgconn.SafeToRetry(err) || errors.As(err, &fault) && temporary(fault)
}

// unreachable reports whether a connection to PostgreSQL failed and may succeed later: the server is down or starting. It
// returns false for a refused password, name or certificate.
func unreachable(err error) bool {
	var fault *pgconn.PgError
	switch {
	case !errors.As(err, new(*pgconn.ConnectError)):
		return false
	case errors.As(err, &fault):
		return temporary(fault) && (fault.Code != "08P01" || !poolerRefusal.MatchString(fault.Message))
	}
	return !errors.As(err, new(*tls.CertificateVerificationError))
}

// poolerRefusal matches what does not change by waiting, in the words of PgBouncer and of the server behind it. PgBouncer 1.18
// gives every fault of a connection the same code, 08P01.
var poolerRefusal = regexp.MustCompile(`authentication failed|does not exist|^no such (user|database)|^unsupported startup parameter|` +
	`^bouncer config error|pg_hba\.conf|permission denied|not permitted to log in|not allow connections`)

// temporary reports whether the same statement may succeed later, by its SQLSTATE or the class of it (PostgreSQL's
// documentation, appendix A).
func temporary(fault *pgconn.PgError) bool {
	switch fault.Code[:min(2, len(fault.Code))] {
	case "08", // connection exception
		"40", // transaction rollback, such as a deadlock
		"53", // insufficient resources
		"57", // operator intervention: shutting down, starting up, a statement cancelled
		"58": // system error
		return true
	}
	// A lock is not available; the server is read-only, as during a failover; a statement was prepared before a migration.
	return fault.Code == "55P03" || fault.Code == "25006" || fault.Code == "0A000"
}

func (postgresEngine) begin(tx *gorm.DB) (identity string, err error) {
	err = tx.Exec("SET LOCAL TimeZone = 'UTC'; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0").Error
	if err != nil {
		return "", err
	}
	return query[string](tx, `SELECT format('%s %s %s', oid, extract(epoch FROM pg_postmaster_start_time()), current_schema())
		FROM pg_database WHERE datname = current_database()`)
}

func (postgresEngine) lockTable(tx *gorm.DB, table string) error {
	return tx.Exec("LOCK TABLE " + table + " IN EXCLUSIVE MODE").Error
}

func (postgresEngine) lastID(tx *gorm.DB, table string) (int64, error) {
	return query[int64](tx, `SELECT greatest(pg_sequence_last_value(pg_get_serial_sequence(?, 'id')::regclass), (SELECT max(id) FROM ?), 0)`,
		table, clause.Table{Name: table})
}

// setLastID implements [copies]. Unlike setval, RESTART is undone with its transaction.
func (postgresEngine) setLastID(tx *gorm.DB, table string, id int64) error {
	return tx.Exec(fmt.Sprintf(`DO $$ DECLARE ids regclass := pg_get_serial_sequence('%s', 'id'); BEGIN
		EXECUTE format('ALTER SEQUENCE %%s RESTART WITH %%s', ids, greatest(pg_sequence_last_value(ids), %d));
		PERFORM nextval(ids);
	END $$`, table, id)).Error
}

func (postgresEngine) publish() error { return nil }

func (postgresEngine) discard() {}
