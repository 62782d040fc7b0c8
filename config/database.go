package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Engine is a kind of database.
type Engine string

// The engines. The values are for people to read.
const (
	PostgreSQL Engine = "PostgreSQL"
	SQLite     Engine = "SQLite"
)

// Database is the address of a database.
type Database struct {
	Engine Engine
	// Source is a postgres:// URL, which may hold a password, or the path of an SQLite file.
	Source string
	// Pooled means that a pooler may give each transaction another session, so that statements cannot be prepared.
	Pooled bool
}

// String returns a description without the password.
func (d Database) String() string {
	if d.Engine == SQLite {
		return "SQLite, file " + d.Source
	}
	u, _ := url.Parse(d.Source)
	return "PostgreSQL, " + u.Host + u.Path
}

// usersTable matches a table's name with or without a schema. Neither is longer than PostgreSQL's limit or needs escaping.
var usersTable = regexp.MustCompile(`^(?:([A-Za-z_]\w{0,62})\.)?([A-Za-z_]\w{0,62})$`)

// checkUsersTable returns an error if a non-empty AUTH_USERS_TABLE cannot name a table of users in the database.
func (d Database) checkUsersTable(name string) error {
	parts := usersTable.FindStringSubmatch(name)
	switch {
	case name == "":
		return nil
	case parts == nil:
		return fmt.Errorf("%q is not the name of a table, such as user or auth.user", name)
	case strings.EqualFold(parts[2], "tasks"):
		return errors.New("tasks is the table of the tasks, not of their users")
	case parts[1] != "" && d.Engine == SQLite:
		return fmt.Errorf("SQLite has no schemas: %s, not %s", parts[2], name)
	}
	return nil
}

// ParseDatabaseURL parses a DATABASE_URL: postgres:// or postgresql:// as in libpq, sqlite://FILE, and SQLAlchemy's URLs with
// a driver (postgresql+asyncpg://, sqlite+aiosqlite:///FILE), where three slashes precede a relative path and four an
// absolute one. Its errors never quote the URL.
func ParseDatabaseURL(text string) (Database, error) {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return Database{}, errors.New("must begin with postgres://, postgresql:// or sqlite://")
	}
	dialect, driver, _ := strings.Cut(strings.ToLower(scheme), "+")
	switch dialect {
	case "postgres", "postgresql":
		return parsePostgres("postgres://"+rest, driver)
	case "sqlite":
		return parseSQLite(rest, driver)
	}
	return Database{}, errors.New("must begin with postgres://, postgresql:// or sqlite://")
}

func parsePostgres(text, driver string) (Database, error) {
	u, err := url.Parse(text)
	if err != nil || u.User == nil && strings.Contains(text, "@") || strings.Contains(u.Path, "@") { // a password with a / is parsed as a path
		return Database{}, errors.New("is not a valid URL (special characters in the password must be percent-encoded)")
	}
	if driver == "asyncpg" {
		// asyncpg calls libpq's sslmode ssl; SQLAlchemy adds its own parameters.
		query := u.Query()
		if mode := query.Get("ssl"); mode != "" {
			query.Set("sslmode", strings.NewReplacer("true", "require", "false", "disable").Replace(mode))
		}
		for _, name := range []string{"ssl", "prepared_statement_cache_size", "prepared_statement_name_func"} {
			query.Del(name)
		}
		u.RawQuery = query.Encode()
	}
	pooled, err := parsePooled(u)
	if err != nil {
		return Database{}, err
	}
	if u.Host == "" && u.Path == "" {
		u.Path = "/" // else String would drop the slashes before the parameters
	}
	if _, err := pgx.ParseConfig(u.String()); err != nil {
		_, reason, _ := strings.Cut(err.Error(), "`: ") // the part before quotes the URL
		return Database{}, errors.New("is not usable: " + reason)
	}
	return Database{Engine: PostgreSQL, Source: u.String(), Pooled: pooled}, nil
}

// parsePooled reports whether a URL is a pooler's: by the parameter pgbouncer (as in Prisma), which it removes, else by the
// host (Neon's end in -pooler) or the port (PgBouncer's and Supabase's).
func parsePooled(u *url.URL) (pooled bool, err error) {
	label, _, _ := strings.Cut(u.Hostname(), ".")
	pooled = strings.HasSuffix(label, "-pooler") || u.Port() == "6432" || u.Port() == "6543"
	query := u.Query()
	if text := query.Get("pgbouncer"); text != "" {
		if pooled, err = strconv.ParseBool(text); err != nil {
			return false, errors.New("is not usable: pgbouncer must be true or false")
		}
		query.Del("pgbouncer")
		u.RawQuery = query.Encode()
	}
	return pooled, nil
}

func parseSQLite(path, driver string) (Database, error) {
	// In SQLAlchemy's URLs the third slash ends an empty host. Without a driver, only /./ and /../ mark such a URL.
	if driver != "" || strings.HasPrefix(path, "/./") || strings.HasPrefix(path, "/../") {
		path = strings.TrimPrefix(path, "/")
	}
	switch {
	case strings.TrimSpace(path) == "" || strings.TrimPrefix(path, "/") == ":memory:":
		return Database{}, errors.New("names no SQLite file (a database in memory would lose its tasks)")
	case strings.ContainsAny(path, "?#"):
		return Database{}, errors.New("takes no parameters for SQLite")
	}
	return Database{Engine: SQLite, Source: path}, nil
}
