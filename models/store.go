package models

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
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

// Open connects to the database, brings its tables up to date and returns it with the guard of isolation in place.
// Statements run one by one, without a transaction around each; none is logged, so that no value reaches a log.
func Open(ctx context.Context, database config.Database) (*gorm.DB, error) {
	pool, dialector, err := open(database)
	if err != nil {
		return nil, err
	}
	db, err := session(dialector)
	if err == nil {
		err = migrate(ctx, db)
	}
	if err != nil {
		_ = pool.Close()
		return nil, fmt.Errorf("cannot open the database (%s): %s", database, oneLine(err))
	}
	return db, nil
}

// session is GORM with the guard. It does not connect.
func session(dialector gorm.Dialector) (*gorm.DB, error) {
	db, err := gorm.Open(dialector, &gorm.Config{
		Logger:                 logger.Discard,
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		TranslateError:         true,
		// PostgreSQL keeps microseconds; what is answered must be what is kept.
		NowFunc: func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) },
	})
	if err == nil {
		err = db.Use(guard{})
	}
	return db, err
}

// oneLine is an error's text. pgx gives each attempt a line, and repeats one that met the same end with and without TLS.
func oneLine(err error) string {
	return strings.Join(slices.Compact(strings.Split(err.Error(), "\n\t")), " ")
}

func open(database config.Database) (*sql.DB, gorm.Dialector, error) {
	if database.Engine == config.SQLite {
		return openSQLite(database.Source)
	}
	cfg, err := pgx.ParseConfig(database.Source)
	if err != nil {
		return nil, nil, err
	}
	cfg.ConnectTimeout = cmp.Or(cfg.ConnectTimeout, 10*time.Second)
	pool := stdlib.OpenDB(*cfg)
	pool.SetMaxOpenConns(maxConns)
	pool.SetMaxIdleConns(maxConns)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	pool.SetConnMaxLifetime(time.Hour)
	return pool, postgresDialector{&postgres.Dialector{Config: &postgres.Config{Conn: pool}}}, nil
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
