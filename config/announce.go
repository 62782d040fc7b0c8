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

	"github.com/caarlos0/env/v11"
)

// Logger returns a logger of the configured level: JSON in production, text in development.
func (c *Config) Logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.Production() {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// Warn logs the valid settings that are probably mistakes.
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

// Announce says where the server listens: in three lines on w in development, in a log line in production, which has the
// version and the settings as well.
func (c *Config) Announce(w io.Writer, log *slog.Logger, address net.Addr) {
	if c.Production() {
		log.Info("listening", "address", address.String(), "database", c.Database.String(), "version", version(),
			slog.GroupAttrs("settings", c.attrs()...))
		return
	}
	fmt.Fprintf(w, "Tasks API on http://%[1]s, docs page at http://%[1]s/docs/\n", address)
	fmt.Fprintf(w, "Database: %s\n", c.Database)
	fmt.Fprintln(w, "For a token: go run . token --user demo (or taskapi token --user demo)")
}

// attrs returns the settings that differ from their defaults. Secrets are masked, also those in URLs.
func (c *Config) attrs() (all []slog.Attr) {
	var defaults Config
	_ = env.ParseWithOptions(&defaults, env.Options{Environment: map[string]string{}}) // no default is faulty
	defaults.Host = productionHost
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		name, value := field.Tag.Get("env"), reflect.ValueOf(*c).FieldByIndex(field.Index).Interface()
		text := fmt.Sprint(value)
		switch {
		case name == "-" || reflect.DeepEqual(value, reflect.ValueOf(defaults).FieldByIndex(field.Index).Interface()):
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
