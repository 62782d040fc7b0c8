package models

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"taskapi/config"
)

// maxConns bounds the connections to the database. Opening one costs more than keeping it, so that all may stay idle.
const maxConns = 16

// connectTimeout bounds an attempt to connect, if the URL does not. database/sql makes one at a time for those who wait, so
// that one which got lost on the way keeps all of them waiting, even when the database is back.
const connectTimeout = 3 * time.Second

// Open connects to the database, brings its tables up to date and returns it with the guard of isolation in place.
// Statements run one by one, without a transaction around each; none is logged, so that no value reaches a log.
func Open(ctx context.Context, database config.Database) (*gorm.DB, error) {
	pool, dialector, err := open(database)
	if err != nil {
		return nil, err
	}
	db, err := gorm.Open(dialector, &gorm.Config{
		Logger:                 logger.Discard,
		SkipDefaultTransaction: true,
		TranslateError:         true,
		// PostgreSQL keeps microseconds; what is answered must be what is kept.
		NowFunc: func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) },
	})
	if err == nil {
		err = db.Use(guard{trips: &atomic.Uint64{}})
	}
	if err == nil {
		err = migrate(ctx, db)
	}
	if err != nil {
		_ = pool.Close()
		// pgx gives each attempt a line, and repeats one that met the same end with and without TLS.
		attempts := slices.Compact(strings.Split(err.Error(), "\n\t"))
		return nil, fmt.Errorf("cannot open the database (%s): %s", database, strings.Join(attempts, " "))
	}
	return db, nil
}

func open(database config.Database) (*sql.DB, gorm.Dialector, error) {
	if database.Engine == config.SQLite {
		return openSQLite(database.Source)
	}
	cfg, err := pgx.ParseConfig(database.Source)
	if err != nil {
		return nil, nil, err
	}
	cfg.ConnectTimeout = cmp.Or(cfg.ConnectTimeout, connectTimeout)
	pool := stdlib.OpenDB(*cfg, stdlib.OptionShouldPing(pingBriefly))
	pool.SetMaxOpenConns(maxConns)
	pool.SetMaxIdleConns(maxConns)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	pool.SetConnMaxLifetime(time.Hour)
	return pool, postgresDialector{&postgres.Dialector{Config: &postgres.Config{Conn: pool}}}, nil
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
