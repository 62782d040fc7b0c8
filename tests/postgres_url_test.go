package tests

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"taskapi/config"
)

func TestAURLMadeForAnotherDriverMeansTheSame(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		query, want string
		ignored     []string
	}{
		"Prisma's schema is the search path":    {"schema=public", "search_path=%22public%22", nil},
		"Prisma's schema in capitals is quoted": {"schema=My%22App", "search_path=%22My%22%22App%22", nil},
		"an empty schema is none":               {"schema=&sslmode=require", "sslmode=require", nil},
		"a pooler has its default schema":       {"pgbouncer=true&schema=public", "", nil},
		"Prisma's pool": {
			"connection_limit=5&pool_timeout=10&socket_timeout=3&sslaccept=accept_invalid_certs",
			"", []string{"connection_limit", "pool_timeout", "socket_timeout", "sslaccept"},
		},
		"Supabase as Vercel links it":   {"sslmode=require&supa=base-pooler.x", "sslmode=require", []string{"supa"}},
		"Supabase's transaction pooler": {"pgbouncer=true&connection_limit=1", "", []string{"connection_limit"}},
		"Neon": {
			"sslmode=require&channel_binding=require&options=endpoint%3Dep-cool-1",
			"sslmode=require&channel_binding=require&options=endpoint%3Dep-cool-1", nil,
		},
		"libpq's keepalives": {
			"keepalives=1&keepalives_idle=30&gssencmode=disable&application_name=tasks",
			"application_name=tasks", []string{"keepalives", "keepalives_idle", "gssencmode"},
		},
		"the client's encoding is the server's own": {"client_encoding=latin1", "", []string{"client_encoding"}},
		"asyncpg's caches and timeouts": {
			"statement_cache_size=0&command_timeout=60&timeout=5", "", []string{"statement_cache_size", "command_timeout", "timeout"},
		},
		"asyncpg's ssl with a mode": {"ssl=verify-full", "sslmode=verify-full", nil},
		"node-postgres's pool": {
			"max=20&idleTimeoutMillis=30000&connectionTimeoutMillis=2000&uselibpqcompat=true", "",
			[]string{"max", "idleTimeoutMillis", "connectionTimeoutMillis", "uselibpqcompat"},
		},
		"ssl=true is sslmode=require":                  {"ssl=true", "sslmode=require", nil},
		"ssl=1 is sslmode=require":                     {"ssl=1", "sslmode=require", nil},
		"ssl=false is sslmode=disable":                 {"ssl=false", "sslmode=disable", nil},
		"node-postgres's no-verify is sslmode=require": {"sslmode=no-verify", "sslmode=require", nil},
		"an sslmode goes before ssl":                   {"ssl=true&sslmode=verify-full", "sslmode=verify-full", nil},
		"pgxpool's limits": {
			"pool_max_conns=4&pool_max_conn_lifetime=1h", "", []string{"pool_max_conns", "pool_max_conn_lifetime"},
		},
		"settings of the session are kept as they are": {
			"statement_timeout=5000&options=-c%20work_mem%3D8MB", "statement_timeout=5000&options=-c%20work_mem%3D8MB", nil,
		},
		"an order of names and a plus sign are kept": {
			"sslmode=disable&application_name=a+b&connect_timeout=3", "sslmode=disable&application_name=a+b&connect_timeout=3", nil,
		},
		"a URL's last ? or & is no parameter": {"&sslmode=disable&", "sslmode=disable", nil},
		"an exec mode of pgx is kept":         {"default_query_exec_mode=exec", "default_query_exec_mode=exec", nil},
		"SQLAlchemy's names and functions of prepared caches": {
			"prepared_statement_cache_size=0&prepared_statement_name_func=f", "",
			[]string{"prepared_statement_cache_size", "prepared_statement_name_func"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := config.ParseDatabaseURL("postgresql://u:p@h/db?" + c.query)
			require.NoError(t, err)
			want := "postgres://u:p@h/db"
			if c.want != "" {
				want += "?" + c.want
			}
			require.Equal(t, want, got.Source)
			require.Equal(t, c.ignored, got.Ignored)
		})
	}
}

func TestAnUnknownParameterIsAFaultThatNamesIt(t *testing.T) {
	t.Parallel()
	for query, name := range map[string]string{
		"sslmod=require": "sslmod", "connection_limits=5": "connection_limits", "jit=off&foo=hunter2": "foo", "sslaccept=strict": "sslaccept",
		"sslcrl=x.pem": "sslcrl", "gssencmode=require": "gssencmode", "hostaddr=10.0.0.1": "hostaddr", "requirepeer=postgres": "requirepeer",
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			text := "postgres://u:hunter2@h/db?" + query
			badDatabase(t, text)
			_, err := config.ParseDatabaseURL(text)
			require.ErrorContains(t, err, name)
		})
	}
}

func TestAValueWhoseWrappingCameAlongIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, value, want string }{
		{"DATABASE_URL", `"postgres://u:hunter2@h/db"`, "is in quotes"},
		{"DATABASE_URL", `'sqlite://tasks.db'`, "is in quotes"},
		{"DATABASE_URL", "“postgres://u:hunter2@h/db”", "is in quotes"},
		{"DATABASE_URL", "postgres://u:hunter2@h/db\n", "contains a line break"},
		{"DATABASE_URL", "postgres://u:hunter2@h/\r\ndb", "contains a line break"},
		{"DATABASE_URL", "sqlite://tasks.db\n", "contains a line break"},
		{"DATABASE_URL", "sqlite://tasks.db ", "white space"},
		{"DATABASE_URL", "sqlite://~/tasks.db", "~ is not expanded"},
		{"BETTER_AUTH_URL", `"https://app.example.com"`, "is in quotes"},
		{"BETTER_AUTH_URL", "https://app.exam\nple.com", "contains a line break"},
	} {
		t.Run(c.name+"="+c.value, func(t *testing.T) {
			t.Parallel()
			cfg, err := parse(c.name, c.value)
			requireFaults(t, cfg, err, c.name)
			require.ErrorContains(t, err, c.want)
		})
	}
	_, err := parse("BETTER_AUTH_URL", "https://app.example.com\n")
	require.NoError(t, err, "what surrounds this URL changes nothing")
}

func TestASecretWhoseWrappingCameAlongIsWarnedOf(t *testing.T) {
	t.Parallel()
	for symptom, c := range map[string]struct{ name, value, want string }{
		"of echo without -n":          {"BETTER_AUTH_SECRET", testSecret + "\n", "contains a line break"},
		"of a file with CRLF":         {"BETTER_AUTH_SECRET", testSecret + "\r", "contains a line break"},
		"copied with a blank":         {"BETTER_AUTH_SECRET", testSecret + " ", "white space"},
		"of Docker's --env-file":      {"BETTER_AUTH_SECRET", `"` + testSecret + `"`, "is in quotes"},
		"in single quotes":            {"BETTER_AUTH_SECRET", `'` + testSecret + `'`, "is in quotes"},
		"of several, in quotes":       {"BETTER_AUTH_SECRETS", `2:"` + strings.Repeat("x", 40) + `"`, "is in quotes"},
		"an issuer's name in quotes":  {"JWT_ISSUER", `"https://app.example.com"`, "is in quotes"},
		"an audience with line break": {"JWT_AUDIENCE", "tasks\n", "contains a line break"},
	} {
		t.Run(symptom, func(t *testing.T) {
			t.Parallel()
			cfg, err := parse("ENVIRONMENT", "production", "BETTER_AUTH_SECRET", testSecret,
				"BETTER_AUTH_URL", "https://app.example.com", c.name, c.value)
			require.NoError(t, err)
			warnings := cfg.SecretWarnings()
			require.Len(t, warnings, 1)
			require.Regexp(t, "^"+c.name+": .*"+c.want, warnings[0])
			require.NotContains(t, warnings[0], testSecret)
			logs := &logBuffer{}
			cfg.Warn(cfg.Logger(logs))
			require.Contains(t, logs.String(), warnings[0])
		})
	}
	cfg, err := parse("BETTER_AUTH_SECRET", `it's "in" the middle, as it's`)
	require.NoError(t, err)
	require.Empty(t, cfg.SecretWarnings())
}

func TestIgnoredParametersLeaveOneLineForDebugging(t *testing.T) {
	t.Parallel()
	cfg, err := parse("ENVIRONMENT", "production", "BETTER_AUTH_SECRET", testSecret,
		"LOG_LEVEL", "debug", "DATABASE_URL", "postgres://u@h/db?connection_limit=1&supa=x")
	require.NoError(t, err)
	logs := &logBuffer{}
	cfg.Warn(cfg.Logger(logs))
	lines := logs.lines(t, "parameters of DATABASE_URL that mean nothing here")
	require.Len(t, lines, 1)
	require.Equal(t, []any{"connection_limit", "supa"}, lines[0]["ignored"])
	require.Equal(t, "DEBUG", lines[0]["level"])
}

func TestAHostInBracketsIsListenedOn(t *testing.T) {
	t.Parallel()
	cfg, err := parse("HOST", "[::1]")
	require.NoError(t, err)
	require.Equal(t, "[::1]:8000", cfg.Address())
}

func TestKeysComeByPlainHTTPFromAPrivateNetworkOnly(t *testing.T) {
	t.Parallel()
	for host, private := range map[string]bool{
		"web": true, "localhost": true, "web.default.svc.cluster.local": true, "web.default.svc": true, "auth.internal": true, "auth.local": true,
		"auth.lan": true, "auth.home.arpa": true, "app.localhost": true, "AUTH.Internal": true, "auth.internal.": true,
		"10.0.0.7": true, "127.0.0.2": true, "192.168.1.1": true, "100.64.0.1": true, "100.127.255.254": true, "169.254.1.1": true,
		"[::1]": true, "[fd00::1]": true, "[fe80::1]": true, "[::ffff:10.0.0.1]": true, "[::ffff:100.64.0.1]": true,
		"app.example.com": false, "internal.example.com": false, "svc.example.com": false,
		"notinternal": true, "app.notlocal": false, "home.arpa.example.com": false,
		"8.8.8.8": false, "100.128.0.1": false, "100.63.255.255": false,
		"[2001:db8::1]": false, "[::ffff:8.8.8.8]": false, "172.32.0.1": false, "arpa.": true,
	} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			cfg, err := parse("ENVIRONMENT", "production", "BETTER_AUTH_URL", "http://"+host+":3000")
			if private {
				require.NoError(t, err)
				return
			}
			requireFaults(t, cfg, err, "BETTER_AUTH_URL")
			require.ErrorContains(t, err, ".svc, .internal, .local")
			require.ErrorContains(t, err, "100.64.0.0/10")
		})
	}
}
