// Package config reads the settings: it turns environment variables and .env files into one typed [Config] and reports
// every fault at once. No other package reads the environment.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"reflect"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/caarlos0/env/v11"
)

const (
	// minSecretLength is the shortest secret, in characters, in production.
	minSecretLength = 32
	// MaxRequestTimeout is the longest REQUEST_TIMEOUT. The shutdown waits a second longer for requests in flight.
	MaxRequestTimeout = 7 * time.Second

	development = "development"
	production  = "production"
	// productionHost is the default of HOST in production: every interface.
	productionHost = "0.0.0.0"
)

// Config holds the settings of one server. [Load] and [Parse] return valid ones; the zero value is not usable.
type Config struct {
	Environment    string        `env:"ENVIRONMENT" envDefault:"development" help:"development or production"`
	Host           string        `env:"HOST" help:"address to listen on (127.0.0.1; in production 0.0.0.0)"`
	Port           uint16        `env:"PORT" envDefault:"8000" help:"port to listen on; 0 takes a free one"`
	Secret         string        `env:"BETTER_AUTH_SECRET" help:"secret that signs HS256 tokens"`
	Rotation       Rotation      `env:"BETTER_AUTH_SECRETS" help:"several secrets while they rotate: 2:new,1:old"`
	BetterAuthURL  string        `env:"BETTER_AUTH_URL" help:"Better Auth server whose key set verifies tokens"`
	JWKSURL        string        `env:"JWKS_URL" help:"key set (/api/auth/jwks on BETTER_AUTH_URL)"`
	JWTIssuer      string        `env:"JWT_ISSUER" help:"iss of its tokens (the origin of BETTER_AUTH_URL)"`
	JWTAudience    string        `env:"JWT_AUDIENCE" help:"aud, or several: a,b (the origin of BETTER_AUTH_URL)"`
	AudienceClaim  string        `env:"JWT_AUDIENCE_CLAIM" help:"claim in place of a missing aud: azp or client_id"`
	DatabaseURL    string        `env:"DATABASE_URL" envDefault:"sqlite://tasks.db" help:"postgres://USER:PASSWORD@HOST/NAME or sqlite://FILE"`
	AuthUsersTable string        `env:"AUTH_USERS_TABLE" help:"table of Better Auth's users in the same database"`
	Migrate        bool          `env:"AUTO_MIGRATE" envDefault:"true" help:"bring the tables up to date at the start"`
	MigrateURL     string        `env:"MIGRATE_DATABASE_URL" help:"direct connection for migrations, past a pooler"`
	StartupWait    time.Duration `env:"STARTUP_WAIT" envDefault:"60s" help:"how long the start waits for PostgreSQL"`
	MaxConns       int           `env:"DB_MAX_CONNS" envDefault:"16" help:"connections to PostgreSQL at a time"`
	ConnIdleTime   time.Duration `env:"DB_CONN_IDLE_TIME" envDefault:"5m" help:"how long an unused connection is kept"`
	ConnLifetime   time.Duration `env:"DB_CONN_LIFETIME" envDefault:"1h" help:"how long any connection is kept"`
	CORSOrigins    []string      `env:"CORS_ORIGINS" help:"origins of browser clients, separated by commas, or *"`
	LogLevel       slog.Level    `env:"LOG_LEVEL" envDefault:"info" help:"debug, info, warn or error"`
	RequestTimeout time.Duration `env:"REQUEST_TIMEOUT" envDefault:"5s" help:"how long a request may take before it is answered 503"`
	IdleTimeout    time.Duration `env:"IDLE_TIMEOUT" envDefault:"75s" help:"how long a connection without a request is kept"`
	RateLimit      int           `env:"RATE_LIMIT" envDefault:"0" help:"requests a minute per user and address; 0 is no limit"`
	MetricsAddr    string        `env:"METRICS_ADDR" help:"host:port of a listener for Prometheus"`

	// Database is DatabaseURL, parsed.
	Database Database `env:"-"`
	// MigrateDatabase is MigrateURL, parsed; Database if MigrateURL is empty.
	MigrateDatabase Database `env:"-"`
	// Issuer combines BETTER_AUTH_URL, JWKS_URL, JWT_ISSUER, JWT_AUDIENCE and JWT_AUDIENCE_CLAIM.
	Issuer Issuer `env:"-"`
}

// Production reports whether ENVIRONMENT is production.
func (c *Config) Production() bool { return c.Environment == production }

// Address returns the host:port to listen on.
func (c *Config) Address() string {
	return net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))
}

// Parse makes a Config of variables. It reads no file and creates no secret. Later sources override earlier ones; a blank
// variable counts as unset.
func Parse(sources ...map[string]string) (*Config, error) {
	vars := map[string]string{}
	for _, source := range sources {
		for name, value := range source {
			if strings.TrimSpace(value) != "" {
				vars[name] = value
			}
		}
	}
	if level, found := levels[strings.ToLower(vars["LOG_LEVEL"])]; found {
		vars["LOG_LEVEL"] = level
	}
	cfg := &Config{RequestTimeout: MaxRequestTimeout, IdleTimeout: 1, MaxConns: 1} // if it cannot be parsed, only that is reported
	faults := parseFaults(env.ParseWithOptions(cfg, env.Options{Environment: vars}))
	demand := func(met bool, format string, args ...any) {
		if !met {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}

	switch cfg.Environment {
	case development:
		cfg.Host = cmp.Or(cfg.Host, "127.0.0.1")
		if cfg.CORSOrigins == nil {
			cfg.CORSOrigins = []string{"http://localhost:*", "https://localhost:*", "http://127.0.0.1:*", "https://127.0.0.1:*"}
		}
	case production:
		cfg.Host = cmp.Or(cfg.Host, productionHost)
		demand(len(cfg.Secrets()) > 0 || cfg.BetterAuthURL+cfg.JWKSURL != "", "BETTER_AUTH_SECRET: must be set in production, or BETTER_AUTH_URL")
		for _, secret := range cfg.Secrets() {
			name := "BETTER_AUTH_SECRET"
			if secret != cfg.Secret {
				name = "BETTER_AUTH_SECRETS"
			}
			n := utf8.RuneCountInString(secret)
			demand(n >= minSecretLength, "%s: has %d characters, needs at least %d in production", name, n, minSecretLength)
		}
	default:
		demand(false, "ENVIRONMENT: must be %s or %s, got %q", development, production, cfg.Environment)
	}
	cfg.Host = strings.Trim(cfg.Host, "[]") // as in a URL, around an IPv6 address
	for i, origin := range cfg.CORSOrigins {
		origin = strings.TrimSuffix(strings.TrimSpace(origin), "/")
		cfg.CORSOrigins[i] = origin
		demand(validOrigin(origin) || origin == "*" && len(cfg.CORSOrigins) == 1,
			"CORS_ORIGINS: %q is not an origin such as https://app.example.com (or only *)", origin)
	}
	demand(cfg.RequestTimeout > 0 && cfg.RequestTimeout <= MaxRequestTimeout,
		"REQUEST_TIMEOUT: must be longer than 0 and at most %s, got %s", MaxRequestTimeout, cfg.RequestTimeout)
	demand(cfg.IdleTimeout > 0, "IDLE_TIMEOUT: must be longer than 0, got %s", cfg.IdleTimeout)
	demand(cfg.RateLimit >= 0, "RATE_LIMIT: must be 0 or more, got %d", cfg.RateLimit)
	demand(cfg.MaxConns >= 1, "DB_MAX_CONNS: must be at least 1, got %d", cfg.MaxConns)
	demand(cfg.StartupWait >= 0, "STARTUP_WAIT: must not be negative, got %s", cfg.StartupWait)
	demand(cfg.ConnIdleTime >= 0, "DB_CONN_IDLE_TIME: must not be negative, got %s", cfg.ConnIdleTime)
	demand(cfg.ConnLifetime >= 0, "DB_CONN_LIFETIME: must not be negative, got %s", cfg.ConnLifetime)
	_, port, err := net.SplitHostPort(cfg.MetricsAddr)
	demand(cfg.MetricsAddr == "" || err == nil && (port == "0" || port != strconv.Itoa(int(cfg.Port))),
		"METRICS_ADDR: must be host:port, with another port than the API's, got %q", cfg.MetricsAddr)
	cfg.Issuer = cfg.parseIssuer(demand)
	cfg.Database, err = ParseDatabaseURL(cfg.DatabaseURL)
	demand(err == nil, "DATABASE_URL: %w", err)
	cfg.MigrateDatabase = cfg.Database
	if cfg.MigrateURL != "" {
		cfg.MigrateDatabase, err = ParseDatabaseURL(cfg.MigrateURL)
		if err == nil && (cfg.MigrateDatabase.Engine != PostgreSQL || cfg.Database.Engine != PostgreSQL) {
			err = errors.New("is only for PostgreSQL, and so must DATABASE_URL be")
		}
		demand(err == nil, "MIGRATE_DATABASE_URL: %w", err)
	}
	err = cfg.Database.checkUsersTable(cfg.AuthUsersTable)
	demand(err == nil, "AUTH_USERS_TABLE: %w", err)
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return cfg, nil
}

// parseFaults makes the parser's errors name variables instead of struct fields.
func parseFaults(err error) (faults []error) {
	var all env.AggregateError
	if !errors.As(err, &all) {
		return nil
	}
	for _, err := range all.Errors {
		var fault env.ParseError
		if errors.As(err, &fault) {
			field, _ := reflect.TypeFor[Config]().FieldByName(fault.Name)
			err = fmt.Errorf("%s: %w", field.Tag.Get("env"), fault.Err)
		}
		faults = append(faults, err)
	}
	return faults
}

// levels are the words of Python's logging, which an earlier .env may have, for levels of [slog].
var levels = map[string]string{"warning": "warn", "critical": "error", "fatal": "error", "trace": "debug"}

// WriteHelp lists the commands, and every variable with its default and a line on its meaning.
func WriteHelp(w io.Writer) error {
	fmt.Fprint(w, usage)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		if name := field.Tag.Get("env"); name != "-" {
			fmt.Fprintf(table, "  %s\t%s\t%s\n", name, field.Tag.Get("envDefault"), field.Tag.Get("help"))
		}
	}
	return table.Flush()
}
