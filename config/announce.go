package config

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"strings"
)

// Logger returns a logger of the configured level: JSON in production, text in development.
func (c *Config) Logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.Production() {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// Warn logs what in valid settings may not be what was meant.
func (c *Config) Warn(log *slog.Logger) {
	for _, warning := range c.SecretWarnings() {
		log.Warn(warning)
	}
	if path := c.Database.Source; c.Database.Engine == SQLite && filepath.IsAbs(path) && !exists(path) && exists("."+path) {
		log.Warn("DATABASE_URL: " + path + " does not exist, but ." + path + " does: a relative path follows two slashes, not three")
	}
	if ignored := c.Database.Ignored; ignored != nil {
		log.Debug("parameters of DATABASE_URL that mean nothing here", "ignored", ignored)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Announce reports the address, the database, the version and the settings: as text on w in development, as a log line in
// production.
func (c *Config) Announce(w io.Writer, log *slog.Logger, address net.Addr) {
	if c.Production() {
		log.Info("listening", "address", address.String(), "database", c.Database.String(), "version", version(),
			slog.GroupAttrs("settings", c.attrs()...))
		return
	}
	fmt.Fprintf(w, "Tasks API on http://%s, docs page at http://%s/docs/\n", address, address)
	fmt.Fprintf(w, "Database: %s. For a token: go run . token --user demo\n", c.Database)
	fmt.Fprintf(w, "Version %s, with", version())
	for _, setting := range c.attrs() {
		fmt.Fprintf(w, " %s", setting)
	}
	fmt.Fprintln(w)
}

// attrs returns the settings in effect, with defaults and without empty ones. Secrets are masked, also those in URLs.
func (c *Config) attrs() (all []slog.Attr) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		name, value := field.Tag.Get("env"), reflect.ValueOf(*c).FieldByIndex(field.Index)
		text := fmt.Sprint(value)
		switch {
		case name == "-" || text == "" || text == "[]":
			continue
		case strings.HasPrefix(name, "BETTER_AUTH_SECRET"):
			text = "***"
		case name == "DATABASE_URL":
			text = c.Database.String()
		case name == "MIGRATE_DATABASE_URL":
			text = c.MigrateDatabase.String()
		case name == "JWKS_URL":
			text, _, _ = strings.Cut(text, "?") // the query may hold a key
		}
		all = append(all, slog.String(name, text))
	}
	return all
}

// version returns the program's version from Go's build information.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}
