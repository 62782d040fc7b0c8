package config

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
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
	// Ignored are the parameters of the URL that mean nothing here.
	Ignored []string
}

// String returns a description without the password. The path of an SQLite file is absolute.
func (d Database) String() string {
	if d.Engine == SQLite {
		path, _ := filepath.Abs(d.Source)
		return "SQLite, file " + cmp.Or(path, d.Source)
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
	case parts[1] != "" && d.Engine == SQLite:
		return fmt.Errorf("SQLite has no schemas: %s, not %s", parts[2], name)
	}
	return nil
}

// ParseDatabaseURL parses a DATABASE_URL: postgres:// or postgresql:// as in libpq, sqlite://FILE, and SQLAlchemy's URLs with
// a driver (postgresql+asyncpg://, sqlite+aiosqlite:///FILE), where three slashes precede a relative path and four an
// absolute one. Its errors never quote the URL.
func ParseDatabaseURL(text string) (Database, error) {
	if fault := wrapping(text); fault != "" {
		return Database{}, errors.New(fault)
	}
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return Database{}, errors.New("must begin with postgres://, postgresql:// or sqlite://")
	}
	dialect, driver, _ := strings.Cut(strings.ToLower(scheme), "+")
	switch dialect {
	case "postgres", "postgresql":
		return parsePostgres("postgres://" + rest)
	case "sqlite":
		return parseSQLite(rest, driver)
	}
	return Database{}, errors.New("must begin with postgres://, postgresql:// or sqlite://")
}

// sqlAlchemysPath matches what follows sqlite:// in a URL of SQLAlchemy without a driver, where that can be told.
var sqlAlchemysPath = regexp.MustCompile(`^/\.{0,2}/`)

func parseSQLite(path, driver string) (Database, error) {
	// In SQLAlchemy's URLs the third slash ends an empty host.
	if driver != "" || sqlAlchemysPath.MatchString(path) {
		path = strings.TrimPrefix(path, "/")
	}
	switch {
	case strings.TrimSpace(path) == "" || strings.TrimPrefix(path, "/") == ":memory:":
		return Database{}, errors.New("names no SQLite file (a database in memory would lose its tasks)")
	case strings.Contains(path, "?"):
		return Database{}, errors.New("takes no parameters for SQLite")
	case strings.HasPrefix(strings.TrimPrefix(path, "/"), "~"):
		return Database{}, errors.New("must have the home directory spelled out, because ~ is not expanded")
	}
	return Database{Engine: SQLite, Source: path}, nil
}

// wrapping returns what came along with a value when it was copied: a line break, white space or quotes. It returns "" if
// the value has none.
func wrapping(text string) string {
	switch {
	case strings.ContainsAny(text, "\r\n"):
		return "contains a line break"
	case strings.TrimSpace(text) != text:
		return "begins or ends with white space"
	case quoted.MatchString(text):
		return "is in quotes"
	}
	return ""
}

var quoted = regexp.MustCompile("^[\"'`“‘].*[\"'`”’]$")
