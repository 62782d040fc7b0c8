package tests

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"taskapi/config"
	"taskapi/middleware"
)

// parse reads settings given as name, value pairs, of which the later win.
func parse(settings ...string) (*config.Config, error) {
	vars := map[string]string{}
	for i := 0; i < len(settings); i += 2 {
		vars[settings[i]] = settings[i+1]
	}
	return config.Parse(vars)
}

// requireFaults requires an error with exactly one line for each of the names, and no secret.
func requireFaults(t testing.TB, cfg *config.Config, err error, names ...string) {
	t.Helper()
	require.Error(t, err)
	require.Nil(t, cfg)
	var named []string
	for line := range strings.Lines(err.Error()) {
		named = append(named, regexp.MustCompile(`^[A-Z_]*`).FindString(line))
	}
	slices.Sort(named)
	slices.Sort(names)
	require.Equal(t, names, named, "%s", err)
	require.NotContains(t, err.Error(), "hunter")
}

func TestEverySettingHasADefaultInDevelopment(t *testing.T) {
	t.Parallel()
	cfg, err := parse()
	require.NoError(t, err)
	require.Equal(t, &config.Config{
		Environment: "development", Host: "127.0.0.1", Port: 8000, DatabaseURL: "sqlite://tasks.db",
		CORSOrigins: []string{"http://localhost:*", "https://localhost:*", "http://127.0.0.1:*", "https://127.0.0.1:*"},
		LogLevel:    slog.LevelInfo, RequestTimeout: 5 * time.Second, IdleTimeout: 75 * time.Second,
		Migrate: true, StartupWait: time.Minute, MaxConns: 16, ConnIdleTime: 5 * time.Minute, ConnLifetime: time.Hour,
		Database:        config.Database{Engine: config.SQLite, Source: "tasks.db"},
		MigrateDatabase: config.Database{Engine: config.SQLite, Source: "tasks.db"},
	}, cfg)
	require.Equal(t, "127.0.0.1:8000", cfg.Address())
	require.False(t, cfg.Production())
}

func TestProductionListensEverywhereAndHasNoDefaultOriginsOrSecret(t *testing.T) {
	t.Parallel()
	cfg, err := parse("ENVIRONMENT", "production", "BETTER_AUTH_SECRET", testSecret)
	require.NoError(t, err)
	require.Equal(t, &config.Config{
		Environment: "production", Host: "0.0.0.0", Port: 8000, Secret: testSecret, DatabaseURL: "sqlite://tasks.db",
		LogLevel: slog.LevelInfo, RequestTimeout: 5 * time.Second, IdleTimeout: 75 * time.Second,
		Migrate: true, StartupWait: time.Minute, MaxConns: 16, ConnIdleTime: 5 * time.Minute, ConnLifetime: time.Hour,
		Database:        config.Database{Engine: config.SQLite, Source: "tasks.db"},
		MigrateDatabase: config.Database{Engine: config.SQLite, Source: "tasks.db"},
	}, cfg)
	require.True(t, cfg.Production())

	cfg, err = parse("ENVIRONMENT", "production")
	requireFaults(t, cfg, err, "BETTER_AUTH_SECRET")
}

func TestEverySettingIsRead(t *testing.T) {
	t.Parallel()
	older, newer := strings.Repeat("older", 8), strings.Repeat("newer", 8)
	for _, environment := range []string{"development", "production"} {
		cfg, err := parse("ENVIRONMENT", environment, "HOST", "::1", "PORT", "65535", "BETTER_AUTH_SECRET", testSecret,
			"DATABASE_URL", "postgres://u:p@h/db", "AUTH_USERS_TABLE", "auth.user",
			"CORS_ORIGINS", "https://app.example.com", "LOG_LEVEL", "warn", "REQUEST_TIMEOUT", "1500ms",
			"BETTER_AUTH_SECRETS", "2:"+newer+",1:"+older, "BETTER_AUTH_URL", "https://a.example.com",
			"JWKS_URL", "https://k.example.com", "JWT_ISSUER", "i",
			"JWT_AUDIENCE", "tasks, mail", "JWT_AUDIENCE_CLAIM", "azp", "AUTO_MIGRATE", "false",
			"MIGRATE_DATABASE_URL", "postgres://m@h/db", "STARTUP_WAIT", "2s", "DB_MAX_CONNS", "3",
			"DB_CONN_IDLE_TIME", "4s", "DB_CONN_LIFETIME", "5s", "IDLE_TIMEOUT", "620s", "RATE_LIMIT", "6", "METRICS_ADDR", ":9090")
		require.NoError(t, err)
		require.Equal(t, &config.Config{
			Environment: environment, Host: "::1", Port: 65535, Secret: testSecret, DatabaseURL: "postgres://u:p@h/db",
			AuthUsersTable: "auth.user", CORSOrigins: []string{"https://app.example.com"},
			LogLevel: slog.LevelWarn, RequestTimeout: 1500 * time.Millisecond,
			Rotation: config.Rotation{newer, older}, BetterAuthURL: "https://a.example.com",
			JWKSURL: "https://k.example.com", JWTIssuer: "i", JWTAudience: "tasks, mail", AudienceClaim: "azp",
			MigrateURL: "postgres://m@h/db", StartupWait: 2 * time.Second,
			MaxConns: 3, ConnIdleTime: 4 * time.Second, ConnLifetime: 5 * time.Second,
			IdleTimeout: 620 * time.Second, RateLimit: 6, MetricsAddr: ":9090",
			Database:        config.Database{Engine: config.PostgreSQL, Source: "postgres://u:p@h/db"},
			MigrateDatabase: config.Database{Engine: config.PostgreSQL, Source: "postgres://m@h/db"},
			Issuer: config.Issuer{
				KeySetURL: "https://k.example.com", Name: "i", Audiences: []string{"tasks", "mail"}, AudienceClaim: "azp",
			},
		}, cfg)
		require.Equal(t, "[::1]:65535", cfg.Address())
	}
}

func TestEmptyAndBlankSettingsAreUnsetOnes(t *testing.T) {
	t.Parallel()
	unset, err := parse()
	require.NoError(t, err)
	for _, blank := range []string{"", " ", "\t\n "} {
		vars := map[string]string{}
		for _, name := range settings {
			vars[name] = blank
		}
		cfg, err := config.Parse(vars)
		require.NoError(t, err)
		require.Equal(t, unset, cfg)
		require.Equal(t, blank, vars["PORT"], "the caller's map was changed")

		cfg, err = parse("ENVIRONMENT", "production", "BETTER_AUTH_SECRET", blank)
		requireFaults(t, cfg, err, "BETTER_AUTH_SECRET")
	}
}

func TestEverySettingIsChecked(t *testing.T) {
	t.Parallel()
	for name, values := range map[string]struct{ good, bad []string }{
		"ENVIRONMENT":     {[]string{"development", "production"}, []string{"dev", "Production", "staging", "test"}},
		"PORT":            {[]string{"0", "1", "8000", "65535"}, []string{"65536", "-1", "abc", "80.5", "0x50", "http", ":8000"}},
		"LOG_LEVEL":       {[]string{"debug", "info", "warn", "error", "INFO", "Error", "warning", "WARNING", "critical"}, []string{"loud", "1"}},
		"REQUEST_TIMEOUT": {[]string{"1ms", "5s", "1.5s"}, []string{"0s", "0", "-1s", "5", "soon"}},
		"IDLE_TIMEOUT":    {[]string{"1s", "75s", "620s"}, []string{"0s", "0", "-1s", "75", "never"}},
		"BETTER_AUTH_SECRET": {
			[]string{strings.Repeat("x", 32), strings.Repeat("é", 32), "with spaces and $igns, all of them kept"},
			[]string{"hunter2", "hunter" + strings.Repeat("x", 25), "hunter" + strings.Repeat("é", 25)},
		},
		"AUTH_USERS_TABLE": {
			[]string{"user", "users", "User", "_x1", strings.Repeat("x", 63)},
			[]string{
				"a b", " user", `"user"`, "user;--", "us-er", "1user", "büro", "user\n", ".user", "user.", "a.b.user",
				"auth.user", strings.Repeat("x", 64), // auth.user: this is SQLite
			},
		},
		"CORS_ORIGINS": {
			[]string{
				"*", "https://app.example.com", "http://localhost:3000/", "https://*.example.com", "http://[::1]:3000", "http://a, https://b",
				"tauri://localhost", "capacitor://localhost", "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
				"https://app-*-team.vercel.app", "https://*-team.vercel.app", "http://localhost:*", "http://*.localhost:*",
			},
			[]string{
				"example.com", "localhost:3000", "ftp://example.com", "wss://example.com", "file://", "tauri://", "chrome-extension://*",
				"https://", "https://example.com/app", "https://example.com//", "https://example.com?", "https://u@example.com",
				"null", "*,https://app.example.com", "https://app.example.com,*", "**", "https://app.example.com https://b.example.com", ",",
			},
		},
	} {
		for _, good := range values.good {
			cfg, err := parse("ENVIRONMENT", "production", "BETTER_AUTH_SECRET", testSecret, name, good)
			require.NoError(t, err, "%s=%s", name, good)
			middleware.CORS(cfg.CORSOrigins, slog.New(slog.DiscardHandler)) // panics if it cannot match one
		}
		for _, bad := range values.bad {
			cfg, err := parse("ENVIRONMENT", "production", "BETTER_AUTH_SECRET", testSecret, name, bad)
			require.Error(t, err, "%s=%s", name, bad)
			require.Nil(t, cfg)
			require.Regexp(t, `\A(`+name+`: .+(\n|\z))+\z`, err.Error())
			require.NotContains(t, err.Error(), "hunter")
		}
	}
}

func TestATableOfUsersMayHaveASchemaOnPostgreSQL(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"user", "auth.user", "Auth.User", "tasks.users"} {
		_, err := parse("DATABASE_URL", "postgres://u:p@h/db", "AUTH_USERS_TABLE", good)
		require.NoError(t, err, good)
	}
	for _, bad := range []string{"db.auth.user", "auth..user", `auth."user"`} {
		cfg, err := parse("DATABASE_URL", "postgres://u:p@h/db", "AUTH_USERS_TABLE", bad)
		requireFaults(t, cfg, err, "AUTH_USERS_TABLE")
	}
}

func TestAnUnreadableTimeoutIsOneFault(t *testing.T) {
	t.Parallel()
	cfg, err := parse("REQUEST_TIMEOUT", "soon")
	requireFaults(t, cfg, err, "REQUEST_TIMEOUT")
}

// A request may not take longer than the end of the server waits for it, or it would be cut off.
func TestARequestMayNotOutlastTheEndOfTheServer(t *testing.T) {
	t.Parallel()
	cfg, err := parse("REQUEST_TIMEOUT", "1m")
	requireFaults(t, cfg, err, "REQUEST_TIMEOUT")
}

func TestAllFaultsAreNamedAtOnceWithoutASecret(t *testing.T) {
	t.Parallel()
	bad := []string{
		"PORT", "99999", "BETTER_AUTH_SECRET", "hunter2", "DATABASE_URL", "mysql://u:hunter2@h/db", "LOG_LEVEL", "loud",
		"CORS_ORIGINS", "example.com", "REQUEST_TIMEOUT", "-1s", "HOST", "everywhere",
	}
	names := []string{"PORT", "DATABASE_URL", "LOG_LEVEL", "CORS_ORIGINS", "REQUEST_TIMEOUT"}
	cfg, err := parse(append(bad, "ENVIRONMENT", "production")...)
	requireFaults(t, cfg, err, append(names, "BETTER_AUTH_SECRET")...)
	cfg, err = parse(append(bad, "ENVIRONMENT", "staging")...)
	requireFaults(t, cfg, err, append(names, "ENVIRONMENT")...)
	cfg, err = parse("CORS_ORIGINS", "a.example.com,https://b.example.com,c.example.com")
	requireFaults(t, cfg, err, "CORS_ORIGINS", "CORS_ORIGINS")
}

func TestOriginsAreTrimmed(t *testing.T) {
	t.Parallel()
	cfg, err := parse("CORS_ORIGINS", " https://app.example.com/ ,http://localhost:3000,\thttps://*.example.com ")
	require.NoError(t, err)
	require.Equal(t, []string{"https://app.example.com", "http://localhost:3000", "https://*.example.com"}, cfg.CORSOrigins)
}

func TestAWildcardThatMatchesOtherPeoplesOriginsIsRefused(t *testing.T) {
	t.Parallel()
	for _, origin := range []string{
		"https://*", "https://*:8443", "https://*:*", "https://*example.com",
		"https://app.*.com", "https://*.*.example.com", "https://*.", "https://*.:80",
		"https://app-*.", "https://app-*-*.example.com", "https://app.example.com:80*", "*://localhost",
	} {
		t.Run(origin, func(t *testing.T) {
			cfg, err := parse("BETTER_AUTH_SECRET", testSecret, "CORS_ORIGINS", origin)
			requireFaults(t, cfg, err, "CORS_ORIGINS")
		})
	}
}

func TestEverySpellingOfADatabaseIsUnderstood(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]config.Database{
		"postgres://u:p@h/db":                            {Engine: config.PostgreSQL, Source: "postgres://u:p@h/db"},
		"postgresql://u:p@h:5433/db?sslmode=require":     {Engine: config.PostgreSQL, Source: "postgres://u:p@h:5433/db?sslmode=require"},
		"POSTGRESQL://u:p@h/db":                          {Engine: config.PostgreSQL, Source: "postgres://u:p@h/db"},
		"postgres:///db?host=/run/postgresql":            {Engine: config.PostgreSQL, Source: "postgres:///db?host=/run/postgresql"},
		"postgres://u:p@h1:5432,h2:5433/db":              {Engine: config.PostgreSQL, Source: "postgres://u:p@h1:5432,h2:5433/db"},
		"postgres://u:p%40%2F%3A@h/db":                   {Engine: config.PostgreSQL, Source: "postgres://u:p%40%2F%3A@h/db"},
		"postgresql+asyncpg://u:p@h/db":                  {Engine: config.PostgreSQL, Source: "postgres://u:p@h/db"},
		"postgresql+asyncpg://u:p@h/db?ssl=require":      {Engine: config.PostgreSQL, Source: "postgres://u:p@h/db?sslmode=require"},
		"postgresql+asyncpg://u:p@h/db?ssl=true":         {Engine: config.PostgreSQL, Source: "postgres://u:p@h/db?sslmode=require"},
		"postgresql+asyncpg://u:p@h/db?ssl=false":        {Engine: config.PostgreSQL, Source: "postgres://u:p@h/db?sslmode=disable"},
		"postgresql+asyncpg://u:p@h/db?ssl=verify-full":  {Engine: config.PostgreSQL, Source: "postgres://u:p@h/db?sslmode=verify-full"},
		"postgresql+asyncpg://u:p@h/db?sslmode=disable":  {Engine: config.PostgreSQL, Source: "postgres://u:p@h/db?sslmode=disable"},
		"postgresql+psycopg2://u:p@h/db?sslmode=disable": {Engine: config.PostgreSQL, Source: "postgres://u:p@h/db?sslmode=disable"},
		"postgresql://u:p@h-123.neon.tech/db?sslmode=require&channel_binding=require": {
			Engine: config.PostgreSQL, Source: "postgres://u:p@h-123.neon.tech/db?sslmode=require&channel_binding=require",
		},
		"postgres+psycopg://u:p@h/db":                     {Engine: config.PostgreSQL, Source: "postgres://u:p@h/db"},
		"postgresql+asyncpg://u:p@h/db?connect_timeout=3": {Engine: config.PostgreSQL, Source: "postgres://u:p@h/db?connect_timeout=3"},
		"sqlite://tasks.db":                               {Engine: config.SQLite, Source: "tasks.db"},
		"SQLite://tasks.db":                               {Engine: config.SQLite, Source: "tasks.db"},
		"sqlite://data/my tasks.db":                       {Engine: config.SQLite, Source: "data/my tasks.db"},
		"sqlite://100%.db":                                {Engine: config.SQLite, Source: "100%.db"},
		"sqlite://./todo.db":                              {Engine: config.SQLite, Source: "./todo.db"},
		"sqlite:///var/lib/todo.db":                       {Engine: config.SQLite, Source: "/var/lib/todo.db"},
		"sqlite:///./todo.db":                             {Engine: config.SQLite, Source: "./todo.db"},
		"sqlite:///../todo.db":                            {Engine: config.SQLite, Source: "../todo.db"},
		"sqlite+aiosqlite:///./todo.db":                   {Engine: config.SQLite, Source: "./todo.db"},
		"sqlite+aiosqlite:///todo.db":                     {Engine: config.SQLite, Source: "todo.db"},
		"sqlite:////abs/todo.db":                          {Engine: config.SQLite, Source: "/abs/todo.db"},
		"sqlite+aiosqlite:////abs/todo.db":                {Engine: config.SQLite, Source: "/abs/todo.db"},
		"sqlite+pysqlite:///todo.db":                      {Engine: config.SQLite, Source: "todo.db"},
		"sqlite://data#1/tasks.db":                        {Engine: config.SQLite, Source: "data#1/tasks.db"},
	} {
		got, err := config.ParseDatabaseURL(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
		cfg, err := parse("DATABASE_URL", text)
		require.NoError(t, err, text)
		require.Equal(t, want, cfg.Database, text)
	}
}

// badDatabase demands that a DATABASE_URL is refused with the other settings, in words without it and its password.
func badDatabase(t testing.TB, text string) {
	t.Helper()
	_, err := config.ParseDatabaseURL(text)
	require.Error(t, err, text)
	require.NotContains(t, err.Error(), "hunter", text)
	cfg, err := parse("DATABASE_URL", text, "PORT", "bad")
	requireFaults(t, cfg, err, "DATABASE_URL", "PORT")
}

func TestABadDatabaseURLIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"hunter2", "tasks.db", "u:hunter2@h/db", "://u:hunter2@h/db", "mysql://u:hunter2@h/db",
		"mysql+asyncpg://u:hunter2@h/db", "postgress://u:hunter2@h/db",
		"postgres:/u:hunter2@h/db", "host=h password=hunter2", " postgres://u:hunter2@h/db",
		"postgres://u:hunter%zz@h/db", "postgres://u:hunter2@h:abc/db",
		"postgres://u:hunter 2@h/db", "postgres://u:hun#hunter@h/db", "postgres://u:hunter/2@h/db",
		"sqlite://", "sqlite+aiosqlite://", "sqlite+aiosqlite:///", "sqlite://:memory:", "sqlite+aiosqlite:///:memory:",
		"sqlite://tasks.db?mode=hunter", "sqlite+aiosqlite:///./todo.db?timeout=5", "sqlite://tasks.db?",
	} {
		badDatabase(t, text)
	}
}

func TestSQLiteInMemoryIsRefusedInEverySpelling(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"sqlite:///:memory:", "sqlite+pysqlite:///:memory:", "sqlite:// ", "sqlite+aiosqlite:/// "} {
		badDatabase(t, text)
	}
}

func TestAPostgreSQLURLThatTheDriverRefusesIsRefusedWithTheOtherSettings(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"postgres://u:hunter2@h/db?sslmode=maybe", "postgres://u:hunter2@h:99999/db", "postgres://u:hunter2@h:0/db",
		"postgres://u:hunter2@h/db?connect_timeout=soon", "postgresql+asyncpg://u:hunter2@h/db?ssl=maybe",
		"postgres://u@h/db?password=hunter2&sslmode=maybe", "postgres://u:hunter2@h/db?default_query_exec_mode=maybe",
	} {
		t.Run(text, func(t *testing.T) { badDatabase(t, text) })
	}
}

func TestAPostgreSQLURLOfParametersAloneKeepsThem(t *testing.T) {
	t.Parallel()
	got, err := config.ParseDatabaseURL("postgres://?host=/run/postgresql&dbname=tasks")
	require.NoError(t, err)
	require.Equal(t, config.Database{Engine: config.PostgreSQL, Source: "postgres:///?host=/run/postgresql&dbname=tasks"}, got)
}

func TestADatabaseIsNamedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	here, err := os.Getwd()
	require.NoError(t, err)
	for text, want := range map[string]string{
		"postgres://u:hunter2@h:5433/db?sslmode=require":      "PostgreSQL, h:5433/db",
		"postgres://u@h/db?password=hunter2":                  "PostgreSQL, h/db",
		"postgres://hunter2@h/db":                             "PostgreSQL, h/db",
		"postgresql+asyncpg://u:hunter%402@h/db?ssl=require":  "PostgreSQL, h/db",
		"postgres:///db?host=/run/postgresql&password=hunter": "PostgreSQL, /db",
		"sqlite:///var/lib/tasks.db":                          "SQLite, file /var/lib/tasks.db",
		"sqlite+aiosqlite:///./todo.db":                       "SQLite, file " + filepath.Join(here, "todo.db"),
	} {
		database, err := config.ParseDatabaseURL(text)
		require.NoError(t, err, text)
		require.Equal(t, want, database.String())
		require.Equal(t, want, fmt.Sprintf("%v", database))
	}
}

func TestTheIssuerIsMadeOfItsFourSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		settings []string
		want     [3]string // where the keys are, iss, aud
	}{
		{nil, [3]string{}},
		{
			[]string{"BETTER_AUTH_URL", "https://App.Example.com:443/"},
			[3]string{"https://app.example.com/api/auth/jwks", "https://app.example.com", "https://app.example.com"},
		},
		{
			[]string{"BETTER_AUTH_URL", "http://localhost:3000"},
			[3]string{"http://localhost:3000/api/auth/jwks", "http://localhost:3000", "http://localhost:3000"},
		},
		{
			[]string{"BETTER_AUTH_URL", "https://app.example.com/auth/"},
			[3]string{"https://app.example.com/auth/jwks", "https://app.example.com", "https://app.example.com"},
		},
		{
			[]string{"BETTER_AUTH_URL", "https://app.example.com", "JWKS_URL", "http://web:3000/api/auth/jwks", "JWT_AUDIENCE", "tasks"},
			[3]string{"http://web:3000/api/auth/jwks", "https://app.example.com", "tasks"},
		},
		{
			[]string{"JWKS_URL", "https://id.example.com/keys?v=2", "JWT_ISSUER", "https://id.example.com/", "JWT_AUDIENCE", "tasks"},
			[3]string{"https://id.example.com/keys?v=2", "https://id.example.com/", "tasks"},
		},
		{
			[]string{"BETTER_AUTH_URL", "http://10.0.0.7:3000", "JWT_ISSUER", "me"},
			[3]string{"http://10.0.0.7:3000/api/auth/jwks", "me", "http://10.0.0.7:3000"},
		},
	} {
		for _, environment := range []string{"development", "production"} {
			cfg, err := parse(append([]string{"ENVIRONMENT", environment, "BETTER_AUTH_SECRET", testSecret}, c.settings...)...)
			require.NoError(t, err)
			require.Equal(t, c.want, [3]string{cfg.Issuer.KeySetURL, cfg.Issuer.Name, strings.Join(cfg.Issuer.Audiences, ",")})
		}
	}
}

func TestABadIssuerIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		settings, names []string
	}{
		{[]string{"BETTER_AUTH_URL", "app.example.com"}, []string{"BETTER_AUTH_URL"}},
		{[]string{"BETTER_AUTH_URL", "ftp://app.example.com"}, []string{"BETTER_AUTH_URL"}},
		{[]string{"BETTER_AUTH_URL", "https://"}, []string{"BETTER_AUTH_URL"}},
		{[]string{"BETTER_AUTH_URL", "https://ann:hunter2@app.example.com"}, []string{"BETTER_AUTH_URL"}},
		{[]string{"BETTER_AUTH_URL", "https://%zz.example.com/hunter2"}, []string{"BETTER_AUTH_URL"}},
		{[]string{"BETTER_AUTH_URL", "http://app.example.com"}, []string{"BETTER_AUTH_URL"}},
		{[]string{"BETTER_AUTH_URL", "http://8.8.8.8"}, []string{"BETTER_AUTH_URL"}},
		{[]string{"BETTER_AUTH_URL", "https://app.example.com", "JWKS_URL", "http://app.example.com/keys"}, []string{"JWKS_URL"}},
		{[]string{"JWKS_URL", "https://id.example.com/keys"}, []string{"JWT_AUDIENCE", "JWT_ISSUER"}},
		{[]string{"JWKS_URL", "nonsense", "JWT_AUDIENCE", "tasks"}, []string{"JWKS_URL", "JWT_ISSUER"}},
		{[]string{"JWT_ISSUER", "https://id.example.com", "JWT_AUDIENCE", "tasks"}, []string{"JWT_AUDIENCE", "JWT_ISSUER"}},
		{[]string{"JWT_AUDIENCE_CLAIM", "azp"}, []string{"JWT_AUDIENCE_CLAIM"}},
		{[]string{"BETTER_AUTH_URL", "https://app.example.com", "JWT_AUDIENCE_CLAIM", "sub"}, []string{"JWT_AUDIENCE_CLAIM"}},
		{[]string{"BETTER_AUTH_URL", "https://app.example.com", "JWT_AUDIENCE_CLAIM", "AZP"}, []string{"JWT_AUDIENCE_CLAIM"}},
		{[]string{"BETTER_AUTH_URL", "https://app.example.com", "JWT_AUDIENCE", "tasks,,mail"}, []string{"JWT_AUDIENCE"}},
		{[]string{"BETTER_AUTH_URL", "https://app.example.com", "JWT_AUDIENCE", ","}, []string{"JWT_AUDIENCE"}},
	} {
		cfg, err := parse(append([]string{"ENVIRONMENT", "production", "BETTER_AUTH_SECRET", testSecret}, c.settings...)...)
		requireFaults(t, cfg, err, c.names...)
	}
	cfg, err := parse("ENVIRONMENT", "production")
	requireFaults(t, cfg, err, "BETTER_AUTH_SECRET")
	cfg, err = parse("ENVIRONMENT", "production", "BETTER_AUTH_URL", "https://app.example.com")
	require.NoError(t, err, "a key set does without a secret")
	require.Empty(t, cfg.Secrets())
}
