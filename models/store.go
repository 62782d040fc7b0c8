package models

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"taskapi/config"
)

// connectTimeout bounds an attempt to connect, if the URL does not. database/sql makes one at a time for those who wait, so
// that one which got lost on the way keeps all of them waiting, even when the database is back.
const connectTimeout = 3 * time.Second

// Open connects to the database, brings the tables of the owned models up to date if cfg says so, and returns it with the
// guard of isolation in place. It waits for a PostgreSQL that cannot be reached yet. Statements run one by one, without a
// transaction around each; slow ones are logged without their values.
func Open(ctx context.Context, cfg *config.Config, owned []any, log *slog.Logger) (*gorm.DB, error) {
	if cfg.Migrate {
		if err := Migrate(ctx, cfg, owned, log); err != nil {
			return nil, err
		}
	}
	db, err := open(ctx, cfg, cfg.Database, log, func(ctx context.Context, db *gorm.DB) error {
		return checkTables(ctx, db, owned, cfg.AuthUsersTable)
	})
	if err == nil && cfg.Database.Pooled {
		var timeout string
		if AcrossOwners(db.WithContext(ctx)).Raw("SHOW statement_timeout").Scan(&timeout).Error == nil && timeout == "0" {
			log.Warn("the pooler's sessions have no statement_timeout: what outlives a request's deadline goes on")
		}
	}
	return db, err
}

// Migrate brings the tables of the owned models up to date, over a connection of its own, and does nothing else.
func Migrate(ctx context.Context, cfg *config.Config, owned []any, log *slog.Logger) error {
	db, err := open(ctx, cfg, cfg.MigrateDatabase, log, func(ctx context.Context, db *gorm.DB) error {
		return migrate(ctx, db, owned, cfg.AuthUsersTable)
	})
	if err != nil {
		return err
	}
	return Close(db)
}

// open makes a pool of connections and prepares the database behind it, again and again for STARTUP_WAIT while that
// cannot be reached.
func open(ctx context.Context, cfg *config.Config, database config.Database, log *slog.Logger, prepare func(context.Context, *gorm.DB) error) (*gorm.DB, error) {
	pool, dialector, err := openPool(database)
	if err != nil {
		return nil, err
	}
	if database.Engine == config.PostgreSQL {
		pool.SetMaxOpenConns(cfg.MaxConns)
		pool.SetMaxIdleConns(cfg.MaxConns) // opening one costs more than keeping it
		pool.SetConnMaxIdleTime(cfg.ConnIdleTime)
		pool.SetConnMaxLifetime(cfg.ConnLifetime)
	}
	db, err := session(dialector, slowLog{logger.Discard, log})
	if err == nil {
		err = retry(ctx, cfg.StartupWait, log, func() error { return prepare(ctx, db) })
	}
	if err != nil {
		_ = pool.Close()
		return nil, fmt.Errorf("cannot open the database (%s): %s", database, oneLine(err))
	}
	if cfg.AuthUsersTable != "" {
		db = db.Set(accountsElsewhere, true).Session(&gorm.Session{})
	}
	return db, nil
}

// session is GORM with the guard. It does not connect.
func session(dialector gorm.Dialector, log logger.Interface) (*gorm.DB, error) {
	db, err := gorm.Open(dialector, &gorm.Config{
		Logger:                 log,
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		TranslateError:         true,
		QueryFields:            true, // a column that a later version adds changes no result
		// PostgreSQL keeps microseconds; what is answered must be what is kept.
		NowFunc: func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) },
	})
	if err == nil {
		err = db.Use(guard{trips: &atomic.Uint64{}})
	}
	if err == nil && db.Name() == "sqlite" {
		err = db.Use(lines{write: make(line, 1), read: make(line, sqliteConns-1)})
	}
	return db, err
}

// retry repeats what fails because PostgreSQL cannot be reached, for as long as wait, and logs each failure.
func retry(ctx context.Context, wait time.Duration, log *slog.Logger, try func() error) error {
	deadline := time.Now().Add(wait)
	for pause := 250 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := try()
		if err == nil || !unreached(err) || time.Now().Add(pause).After(deadline) {
			return err
		}
		log.Warn("waiting for the database", "cause", oneLine(err), "again_in", pause, "until", deadline.Format(time.RFC3339))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// oneLine writes an error of pgx, which gives each attempt a line and repeats one that met the same end with and
// without TLS.
func oneLine(err error) string {
	return strings.Join(slices.Compact(strings.Split(err.Error(), "\n\t")), " ")
}

func openPool(database config.Database) (*sql.DB, gorm.Dialector, error) {
	if database.Engine == config.SQLite {
		return openSQLite(database.Source)
	}
	connection, err := pgx.ParseConfig(database.Source)
	if err != nil {
		return nil, nil, err
	}
	connection.ConnectTimeout = cmp.Or(connection.ConnectTimeout, connectTimeout)
	options := []stdlib.OptionOpenDB{stdlib.OptionShouldPing(pingBriefly)}
	if database.Pooled {
		options = append(options, stdlib.OptionBeforeConnect(neverCancel))
		if !strings.Contains(database.Source, "default_query_exec_mode=") {
			connection.DefaultQueryExecMode = pgx.QueryExecModeExec
		}
	}
	pool := stdlib.OpenDB(*connection, options...)
	return pool, postgresDialector{&postgres.Dialector{Config: &postgres.Config{Conn: pool}}}, nil
}

// neverCancel keeps a connection through a pooler from ever asking for a statement's cancellation, when a deadline passes:
// PgBouncer 1.18, which is Debian 12's, ends itself upon that (pgbouncer/pgbouncer#801). The pooler's sessions need a
// statement_timeout instead.
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

// pingBriefly gives a connection that has been idle a second to show that it lives, so that a request which comes upon a
// dead one has time left for another. One that does not answer is closed by it, and fails pgx's own ping at once.
func pingBriefly(ctx context.Context, p stdlib.ShouldPingParams) bool {
	if p.IdleDuration <= time.Second {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return p.Conn.Ping(ctx) != nil
}

// Ping asks the database for a sign of life.
func Ping(ctx context.Context, db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return pool.PingContext(ctx)
}

// Close ends the connections once the statements under way have ended.
func Close(db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}
