// Package config is the only place that reads the environment: it turns variables and .env files into one typed
// [Config] and reports every fault at once.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"reflect"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/caarlos0/env/v11"
	"github.com/joho/godotenv"
)

const (
	// minSecretLength is how many characters BETTER_AUTH_SECRET needs in production.
	minSecretLength = 32
	// MaxRequestTimeout is the longest REQUEST_TIMEOUT: a server that ends waits for the requests under way.
	MaxRequestTimeout = 7 * time.Second

	development = "development"
	production  = "production"
)

// Config holds the settings of one server. The zero value is not usable; [Load] makes a checked one.
type Config struct {
	Environment    string        `env:"ENVIRONMENT" envDefault:"development" help:"development, or production: JSON logs, every interface, no default secret or origins"`
	Host           string        `env:"HOST" help:"address to listen on (127.0.0.1 in development, 0.0.0.0 in production)"`
	Port           uint16        `env:"PORT" envDefault:"8000" help:"port to listen on; 0 takes a free one"`
	Secret         string        `env:"BETTER_AUTH_SECRET" help:"secret that signs the tokens (HS256); at least 32 characters in production, made at the first start in development"`
	Rotation       Rotation      `env:"BETTER_AUTH_SECRETS" help:"secrets by version while they rotate, as Better Auth has them: 2:new,1:old; the first signs, all verify"`
	DatabaseURL    string        `env:"DATABASE_URL" envDefault:"sqlite://tasks.db" help:"postgres://USER:PASSWORD@HOST/NAME or sqlite://FILE"`
	AuthUsersTable string        `env:"AUTH_USERS_TABLE" help:"table of that database in which Better Auth keeps its users, such as user or auth.user (a table users of the program's own)"`
	CORSOrigins    []string      `env:"CORS_ORIGINS" help:"comma-separated origins of browser clients, or * (localhost ports 3000 and 5173 in development, none in production)"`
	LogLevel       slog.Level    `env:"LOG_LEVEL" envDefault:"info" help:"debug, info, warn or error"`
	RequestTimeout time.Duration `env:"REQUEST_TIMEOUT" envDefault:"5s" help:"time a request may take before it is answered 503"`

	// Database is DatabaseURL, parsed.
	Database Database `env:"-"`
}

// Production tells whether the server runs with ENVIRONMENT=production.
func (c *Config) Production() bool { return c.Environment == production }

// Address is the host:port to listen on.
func (c *Config) Address() string {
	return net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))
}

// Load reads the settings of the current directory: the real environment goes before .env.local, which goes before .env.
// In development a missing secret is made and kept in .env.local, which it says on notices. The error of bad settings
// has a line for every fault, each naming its variable, and never a secret's value.
func Load(notices io.Writer) (*Config, error) {
	sources, err := environment()
	if err != nil {
		return nil, err
	}
	cfg, err := Parse(sources...)
	if err != nil || len(cfg.Secrets()) > 0 {
		return cfg, err
	}
	if cfg.Secret, err = createSecret(); err != nil {
		return nil, fmt.Errorf("BETTER_AUTH_SECRET: is not set, and a new one cannot be kept in %s: %w", localFile, err)
	}
	fmt.Fprintf(notices, "Made a random BETTER_AUTH_SECRET and kept it in %s, so that tokens survive a restart.\n", localFile)
	return cfg, nil
}

// environment reads the settings' three sources, the weakest first.
func environment() (sources []map[string]string, err error) {
	for _, file := range []string{".env", localFile} {
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		vars, err := godotenv.UnmarshalBytes(text)
		if err != nil {
			// The parser's own words quote the file, and with it perhaps a secret.
			return nil, fmt.Errorf("%s: is not a list of NAME=value lines", file)
		}
		sources = append(sources, vars)
	}
	return append(sources, env.ToMap(os.Environ())), nil
}

// Parse makes a Config of variables alone: it reads no file and makes no secret. Later sources win; a blank variable
// counts as one that is not set.
func Parse(sources ...map[string]string) (*Config, error) {
	vars := map[string]string{}
	for _, source := range sources {
		for name, value := range source {
			if strings.TrimSpace(value) != "" {
				vars[name] = value
			}
		}
	}
	cfg := &Config{RequestTimeout: MaxRequestTimeout} // stays if the variable cannot be read, which is a fault by itself
	faults := parseFaults(env.ParseWithOptions(cfg, env.Options{Environment: vars}))
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	switch cfg.Environment {
	case development:
		cfg.Host = cmp.Or(cfg.Host, "127.0.0.1")
		if cfg.CORSOrigins == nil {
			cfg.CORSOrigins = []string{"http://localhost:3000", "http://localhost:5173", "http://127.0.0.1:3000", "http://127.0.0.1:5173"}
		}
	case production:
		cfg.Host = cmp.Or(cfg.Host, "0.0.0.0")
		if len(cfg.Secrets()) == 0 {
			fault("BETTER_AUTH_SECRET: must be set in production")
		}
		for _, secret := range cfg.Secrets() {
			name := "BETTER_AUTH_SECRET"
			if secret != cfg.Secret {
				name = "BETTER_AUTH_SECRETS"
			}
			if n := utf8.RuneCountInString(secret); n < minSecretLength {
				fault("%s: has %d characters, needs at least %d in production", name, n, minSecretLength)
			}
		}
	default:
		fault("ENVIRONMENT: must be %s or %s, got %q", development, production, cfg.Environment)
	}
	for i, origin := range cfg.CORSOrigins {
		origin = strings.TrimSuffix(strings.TrimSpace(origin), "/")
		cfg.CORSOrigins[i] = origin
		if !validOrigin(origin) && (origin != "*" || len(cfg.CORSOrigins) > 1) {
			fault("CORS_ORIGINS: %q is not an origin such as https://app.example.com (or * alone)", origin)
		}
	}
	if cfg.RequestTimeout <= 0 || cfg.RequestTimeout > MaxRequestTimeout {
		fault("REQUEST_TIMEOUT: must be longer than 0 and at most %s, got %s", MaxRequestTimeout, cfg.RequestTimeout)
	}
	var err error
	if cfg.Database, err = ParseDatabaseURL(cfg.DatabaseURL); err != nil {
		fault("DATABASE_URL: %w", err)
	}
	if err := cfg.Database.checkUsersTable(cfg.AuthUsersTable); err != nil {
		fault("AUTH_USERS_TABLE: %w", err)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return cfg, nil
}

// parseFaults rewrites the parser's errors, which name struct fields, so that they name variables.
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

// validOrigin takes a scheme and a host, whose first label may be the wildcard "*".
func validOrigin(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Scheme+"://"+u.Host != origin {
		return false
	}
	host := strings.TrimPrefix(u.Hostname(), "*.")
	return host != "" && !strings.Contains(host, "*")
}

// WriteHelp lists the commands, and every variable with its default and meaning.
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
