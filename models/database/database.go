// Package database opens the database that the models are kept in, and brings its tables up to date. The engines,
// PostgreSQL and SQLite, are behind one interface.
package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"

	"taskapi/config"
	"taskapi/models"
	"taskapi/models/database/native"
)

// Open connects to the database, brings the tables of the owned models up to date if cfg says so, and returns it with the
// isolation guard. It waits for a PostgreSQL that cannot be reached yet. Statements run one by one, without a
// transaction around each. Slow ones are logged without their values.
func Open(ctx context.Context, cfg *config.Config, owned []any, log *slog.Logger) (*gorm.DB, error) {
	if cfg.Migrate {
		if err := Migrate(ctx, cfg, owned, log); err != nil {
			return nil, err
		}
	}
	db, err := open(ctx, cfg, cfg.Database, log, func(db *gorm.DB) error {
		return checkTables(db, owned, cfg.AuthUsersTable)
	})
	if err == nil {
		err = dropDefaults(db, owned)
	}
	if err != nil {
		return nil, err
	}
	free := models.AcrossOwners(db.WithContext(ctx))
	if advice := engineOf(db).advice(free); advice != "" {
		log.Warn(advice)
	}
	distributed, err := engineOf(db).distributed(free)
	if distributed {
		db = models.WithDistributedTables(db)
	}
	return db, err
}

// dropDefaults stops GORM from replacing the zero values of inputs by column defaults: the binder has applied them. The version
// and the fields of the model itself, which a constructor may leave out, keep their defaults.
func dropDefaults(db *gorm.DB, owned []any) error {
	for _, model := range owned {
		stmt := &gorm.Statement{DB: db}
		if err := stmt.Parse(model); err != nil {
			return err
		}
		for _, field := range stmt.Schema.Fields {
			if len(field.StructField.Index) > 1 && !field.PrimaryKey && field.DBName != "version" {
				field.HasDefaultValue, field.DefaultValueInterface = false, nil
			}
		}
		stmt.Schema.FieldsWithDefaultDBValue = slices.DeleteFunc(stmt.Schema.FieldsWithDefaultDBValue,
			func(field *schema.Field) bool { return !field.HasDefaultValue })
	}
	return nil
}

// Migrate brings the tables of the owned models up to date, over a connection of its own, and does nothing else.
func Migrate(ctx context.Context, cfg *config.Config, owned []any, log *slog.Logger) error {
	db, err := open(ctx, cfg, cfg.MigrateDatabase, log, func(db *gorm.DB) error {
		return migrate(db, owned, cfg.AuthUsersTable)
	})
	if err != nil {
		return err
	}
	return Close(db)
}

// open makes a pool of connections and prepares the database behind it. While that cannot be reached it tries again, for
// STARTUP_WAIT.
func open(ctx context.Context, cfg *config.Config, database config.Database, log *slog.Logger, prepare func(*gorm.DB) error) (
	*gorm.DB, error,
) {
	engine, err := newEngine(database, serving)
	if err != nil {
		return nil, fmt.Errorf("cannot open the database (%s): %w", database, err)
	}
	db, pool, err := openGORM(engine, slowLog{logger.Discard, log})
	pool.SetMaxOpenConns(engine.conns(cfg.MaxConns))
	pool.SetMaxIdleConns(engine.conns(cfg.MaxConns)) // opening one costs more than keeping it
	pool.SetConnMaxIdleTime(cfg.ConnIdleTime)
	pool.SetConnMaxLifetime(cfg.ConnLifetime)
	if err == nil {
		err = retry(ctx, cfg.StartupWait, log, func() error { return prepare(models.AcrossOwners(db.WithContext(ctx))) })
	}
	if err != nil {
		_ = pool.Close()
		return nil, fmt.Errorf("cannot open the database (%s): %s", database, OneLine(err))
	}
	if cfg.AuthUsersTable != "" {
		db = models.WithExternalUsers(db)
	}
	return db, nil
}

// openGORM returns GORM with the guard, on the engine's pool of connections.
func openGORM(engine engine, log logger.Interface) (db *gorm.DB, pool *sql.DB, err error) {
	db, err = gorm.Open(engine, &gorm.Config{
		Logger:                 log,
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		TranslateError:         true,
		QueryFields:            true, // a column that a later version adds changes no result
		// PostgreSQL stores microseconds, and an answer must have the stored time.
		NowFunc: func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) },
	})
	if err == nil {
		err = errors.Join(db.Use(&models.Guard{}), db.Use(models.Versions{}), db.Use(&native.Plugin{Run: engine.native()}))
	}
	pool, _ = db.DB() // not nil, even if the engine did not answer
	return db, pool, err
}

// retry repeats try while it fails because PostgreSQL cannot be reached, for the time wait, and logs each failure.
func retry(ctx context.Context, wait time.Duration, log *slog.Logger, try func() error) error {
	deadline := time.Now().Add(wait)
	for pause := 250 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := try()
		if err == nil || !unreachable(err) || time.Now().Add(pause).After(deadline) {
			return err
		}
		log.Warn("waiting for the database", "cause", OneLine(err), "again_in", pause, "until", deadline.Format(time.RFC3339))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// OneLine returns the text of an error as one line. pgx writes a line for each attempt to connect, and repeats it if the
// attempts with and without TLS ended alike.
func OneLine(err error) string {
	return strings.Join(slices.Compact(strings.Split(err.Error(), "\n\t")), " ")
}

// Ping returns an error if the database does not answer.
func Ping(ctx context.Context, db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return pool.PingContext(ctx)
}

// MaxConns returns the limit of open connections, or 0 if there is no pool.
func MaxConns(db *gorm.DB) int {
	pool, err := db.DB()
	if err != nil {
		return 0
	}
	return pool.Stats().MaxOpenConnections
}

// Close closes the connections after the statements in progress have ended.
func Close(db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}

// Unavailable reports whether an error means that the database cannot be reached, is too slow or cannot take the
// statement for now, so that the same request may succeed later.
func Unavailable(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network) ||
		postgresUnavailable(err) || sqliteUnavailable(err)
}
