package tests

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"taskapi/config"
)

// inDevelopment sets the secret that the test's own tokens are signed with.
var inDevelopment = []string{"BETTER_AUTH_SECRET=" + testSecret}

func inProduction(settings ...string) []string {
	return append([]string{"ENVIRONMENT=production", "BETTER_AUTH_SECRET=" + testSecret}, settings...)
}

// refused demands that the program gave up with lines on stderr alone that hold neither a stack nor a secret.
func refused(t testing.TB, got outcome, lines int) {
	t.Helper()
	require.Equal(t, 1, got.code, got.stderr)
	require.Empty(t, got.stdout)
	require.Equal(t, lines, strings.Count(got.stderr, "\n"), got.stderr)
	require.True(t, strings.HasSuffix(got.stderr, "\n"), got.stderr)
	for _, word := range []string{"goroutine", "panic", "hunter", testSecret} {
		require.NotContains(t, got.stderr, word)
	}
}

func TestTheFirstStartNeedsNoSettings(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	h := newHome(t)
	p := h.start(t)

	require.True(t, strings.HasPrefix(p.address, "127.0.0.1:"), p.address)
	p.call(t, 200, "GET", "/ready", "", "")
	said := p.stderr.String()
	docs := regexp.MustCompile(`http://[\d.:]+(/docs/)`).FindStringSubmatch(said)
	require.NotNil(t, docs, said)
	require.Contains(t, string(p.call(t, 200, "GET", docs[1], "", "").body), "a token for the user demo")
	for _, word := range []string{".env.local", "SQLite", "tasks.db", "token --user"} {
		require.Contains(t, said, word)
	}
	require.LessOrEqual(t, strings.Count(said[:strings.Index(said, "token --user")], "\n"), 3, said)
	require.Empty(t, p.stdout.String())

	kept := regexp.MustCompile(`(?m)^BETTER_AUTH_SECRET=(made-for-development-[\w-]{43})$`).FindStringSubmatch(h.read(t, ".env.local"))
	require.NotNil(t, kept)
	require.NotContains(t, p.stderr.String(), kept[1])
	local, err := os.Stat(h.path(".env.local"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), local.Mode())
	require.FileExists(t, h.path("tasks.db"))
}

func TestATokenAndATaskOutliveARestart(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	h := newHome(t)
	first := h.start(t)
	token := h.token(t, nil, "--user", "demo")
	created := first.call(t, 201, "POST", "/api/tasks", token, `{"title": "Buy groceries"}`)
	require.Equal(t, "demo", decode[task](t, created).UserID)
	kept := h.read(t, ".env.local")
	code, _ := first.stop(t, syscall.SIGTERM)
	require.Zero(t, code)

	second := h.start(t)
	found := second.call(t, 200, "GET", fmt.Sprintf("/api/tasks/%d", decode[task](t, created).ID), token, "")
	require.Equal(t, string(created.body), string(found.body))
	said, _, _ := strings.Cut(second.stderr.String(), "time=") // the log follows
	require.Equal(t, fmt.Sprintf("Tasks API on http://%[1]s, docs page at http://%[1]s/docs/\nDatabase: SQLite, file %[2]s\n"+
		"For a token: go run . token --user demo (or taskapi token --user demo)\n", second.address, h.path("tasks.db")), said)
	require.Equal(t, kept, h.read(t, ".env.local"))
}

func TestATokenPrintedBeforeTheFirstStartIsGood(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	h := newHome(t)
	token := h.token(t, nil, "--user", "demo")
	h.start(t).call(t, 200, "GET", "/api/tasks", token, "")
}

func TestATokenNamesItsUserAndLivesForItsTTL(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	h := newHome(t)
	longest := strings.Repeat("é", 255)
	for _, c := range []struct {
		args []string
		user string
		ttl  time.Duration
	}{
		{[]string{"--user", "demo"}, "demo", 24 * time.Hour},
		{[]string{"--user=demo", "--ttl=90m"}, "demo", 90 * time.Minute},
		{[]string{"--ttl", "30s", "--user", longest}, longest, 30 * time.Second},
	} {
		before := time.Now()
		got := jwt.MapClaims{}
		_, err := jwt.ParseWithClaims(h.token(t, inDevelopment, c.args...), got, func(*jwt.Token) (any, error) {
			return []byte(testSecret), nil
		}, jwt.WithValidMethods([]string{"HS256"}))
		require.NoError(t, err)
		require.Equal(t, c.user, got["user_id"])
		expiry, err := got.GetExpirationTime()
		require.NoError(t, err)
		require.WithinRange(t, expiry.Time, before.Add(c.ttl-time.Second), time.Now().Add(c.ttl))
	}
}

func TestWrongUsageIsOneClearLine(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	h := newHome(t)
	for _, c := range []struct {
		args  []string
		names string
	}{
		{[]string{"token"}, "--user"},
		{[]string{"token", "--user"}, "user"},
		{[]string{"token", "--user", ""}, "--user"},
		{[]string{"token", "--user", " \t"}, "user"},
		{[]string{"token", "--user", strings.Repeat("é", 256)}, "255"},
		{[]string{"token", "--user", "bad\xffbytes"}, "user"},
		{[]string{"token", "--user", "demo", "--ttl", "-1h"}, "--ttl"},
		{[]string{"token", "--user", "demo", "--ttl", "0s"}, "--ttl"},
		{[]string{"token", "--user", "demo", "--ttl", "tomorrow"}, "ttl"},
		{[]string{"token", "--user", "demo", "extra"}, "extra"},
		{[]string{"token", "demo"}, "demo"},
		{[]string{"token", "--name", "demo"}, "name"},
		{[]string{"serve", "extra"}, "extra"},
		{[]string{"health", "extra"}, "extra"},
		{[]string{"--port", "80"}, "--port"},
		{[]string{"tokens"}, "tokens"},
		{[]string{"copy"}, "--from"},
		{[]string{"copy", "--from", "sqlite://a.db"}, "--to"},
		{[]string{"copy", "--to"}, "to"},
		{[]string{"copy", "--from", "mysql://u:hunter2@h/db", "--to", "sqlite://a.db"}, "--from"},
		{[]string{"copy", "--from", "sqlite://a.db", "--to", "postgres://u:hunter2@h:x/db"}, "--to"},
		{[]string{"copy", "postgres://u:hunter2@h/db", "sqlite://a.db"}, "--from URL"},
		{[]string{"copy", "--form=postgres://u:hunter2@h/db"}, "form"},
		{[]string{""}, `""`},
	} {
		got := h.run(t, inDevelopment, c.args...)
		refused(t, got, 1)
		require.Contains(t, got.stderr, c.names, "%q", c.args)
	}
}

// settings are the names of all variables.
var settings = []string{
	"AUTH_USERS_TABLE", "AUTO_MIGRATE", "BETTER_AUTH_SECRET", "BETTER_AUTH_SECRETS", "BETTER_AUTH_URL", "CORS_ORIGINS",
	"DATABASE_URL", "DB_CONN_IDLE_TIME", "DB_CONN_LIFETIME", "DB_MAX_CONNS", "ENVIRONMENT", "HOST", "IDLE_TIMEOUT",
	"JWKS_URL", "JWT_AUDIENCE", "JWT_AUDIENCE_CLAIM", "JWT_ISSUER", "LOG_LEVEL", "METRICS_ADDR", "MIGRATE_DATABASE_URL",
	"PORT", "RATE_LIMIT", "REQUEST_TIMEOUT", "STARTUP_WAIT",
}

// listed finds the variables at the beginnings of a text's lines, be they commented out.
func listed(text string) (names []string) {
	for _, found := range regexp.MustCompile(`(?m)^[# \t]*([A-Z]+(?:_[A-Z]+)*)(?:[ =]|$)`).FindAllStringSubmatch(text, -1) {
		names = append(names, found[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestTheHelpListsEveryCommandAndSetting(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	h := newHome(t)
	for _, args := range [][]string{{"--help"}, {"-h"}, {"help"}, {"token", "--help"}, {"serve", "-h"}, {"copy", "--help"}} {
		got := h.run(t, []string{"PORT=bad"}, args...)
		require.Zero(t, got.code, got.stderr)
		require.Empty(t, got.stderr)
		for _, word := range []string{
			"taskapi ", "token --user", "--ttl", "health", "copy --from", "migrate", "--help", "sqlite://tasks.db", "8000", "info", "5s",
		} {
			require.Contains(t, got.stdout, word)
		}
		require.Equal(t, settings, listed(got.stdout))
		require.NotRegexp(t, `.{101}`, got.stdout, "a line is longer than 100 columns")
	}
	require.Empty(t, h.files(t), "help leaves something behind")
}

func (h home) files(t testing.TB) (names []string) {
	t.Helper()
	found, err := os.ReadDir(string(h))
	require.NoError(t, err)
	for _, file := range found {
		names = append(names, file.Name())
	}
	return names
}

// assignments are the lines NAME=value of a text.
func assignments(text string) map[string]string {
	values := map[string]string{}
	for _, found := range regexp.MustCompile(`(?m)^([A-Z_]+)=(.*)$`).FindAllStringSubmatch(text, -1) {
		values[found[1]] = found[2]
	}
	return values
}

func TestTheRepositorysFilesHoldNoSecretAndNameEverySetting(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"../.env", "../.env.example"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		values := assignments(string(text))
		require.Subset(t, settings, slices.Collect(maps.Keys(values)), file)
		// Spelled out, so that a comment counts, too.
		require.NotRegexp(t, `BETTER_AUTH_SECRET[ \t]*=[ \t]*["']?[^\s"']`, string(text), file)
		if database, err := url.Parse(values["DATABASE_URL"]); err == nil && database.User != nil {
			_, hasPassword := database.User.Password()
			require.False(t, hasPassword && file == "../.env", file)
		}
		if file == "../.env.example" {
			require.Equal(t, settings, listed(string(text)), file)
			defaults, err := config.Parse()
			require.NoError(t, err)
			asShown, err := config.Parse(values)
			require.NoError(t, err)
			require.Equal(t, defaults, asShown, "the defaults")
		}
	}
}

func TestTheEnvironmentGoesBeforeTheLocalFileWhichGoesBeforeTheShared(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	h := newHome(t)
	h.write(t, ".env", "DATABASE_URL=sqlite://shared.db\nBETTER_AUTH_SECRET="+testSecret+"\n", 0o644)
	h.start(t)
	require.Equal(t, []string{".env", "shared.db"}, h.databases(t))
	h.write(t, ".env.local", "DATABASE_URL=sqlite://local.db\n", 0o600)
	h.start(t)
	require.Equal(t, []string{".env", ".env.local", "local.db", "shared.db"}, h.databases(t))
	h.start(t, "DATABASE_URL=sqlite://environment.db")
	require.Equal(t, []string{".env", ".env.local", "environment.db", "local.db", "shared.db"}, h.databases(t))
}

// databases are the files of a home but for SQLite's helpers.
func (h home) databases(t testing.TB) []string {
	t.Helper()
	return slices.DeleteFunc(h.files(t), func(name string) bool {
		return strings.HasSuffix(name, "-wal") || strings.HasSuffix(name, "-shm")
	})
}

func TestAnEmptyVariableDoesNotHideTheOneBehindIt(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	h := newHome(t)
	h.write(t, ".env", "DATABASE_URL=sqlite://shared.db\n", 0o644)
	h.write(t, ".env.local", "DATABASE_URL=\nBETTER_AUTH_SECRET="+testSecret+"\n", 0o600)
	p := h.start(t, "DATABASE_URL=", "BETTER_AUTH_SECRET= ")
	require.Contains(t, p.stderr.String(), "shared.db")
	p.call(t, 200, "GET", "/api/tasks", tokenOf(t, "ann"), "")
	require.Equal(t, 1, strings.Count(h.read(t, ".env.local"), "SECRET"), "another secret was made")
}

func TestAMalformedFileIsRefusedWithoutBeingQuoted(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	for _, name := range []string{".env", ".env.local"} {
		for _, text := range []string{
			"PORT=0\nBETTER_AUTH_SECRET hunter2\n", "hunter2\n", "BETTER_AUTH_SECRET=\"hunter2", "hunter-2=x\n", "<hunter2>\n",
		} {
			h := newHome(t)
			h.write(t, name, text, 0o600)
			got := h.run(t, []string{"PORT=0"})
			refused(t, got, 1)
			require.Contains(t, got.stderr, name+":")
			require.Equal(t, []string{name}, h.files(t))
		}
	}
}

func TestATokenIsExplainedByTheProgram(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	h := newHome(t)
	setting := []string{"BETTER_AUTH_SECRET=" + testSecret}
	good, bad := tokenOf(t, "ann"), claim(`{"sub":"ann","exp":%d}`, time.Hour)
	for _, args := range [][]string{{good}, {"Bearer " + good}, {"Bearer", good}} {
		got := h.run(t, setting, append([]string{"token", "explain"}, args...)...)
		require.Zero(t, got.code, "%+v", got)
		require.Contains(t, got.stdout, `Accepted, as the user "ann"`)
		require.Empty(t, got.stderr)
	}
	for _, args := range [][]string{{"-"}, nil} {
		got := h.runWith(t, bad+"\nnothing of this is read", setting, append([]string{"token", "explain"}, args...)...)
		require.Equal(t, 1, got.code)
		require.Contains(t, got.stdout, "Refused: ")
		require.Equal(t, "the token would be refused: no_user_id\n", got.stderr)
	}
	require.Empty(t, h.files(t), "to explain a token changes nothing")
	got := h.run(t, nil, "token", "explain", good)
	require.Equal(t, 1, got.code, "there is no secret")
	require.Empty(t, h.files(t), "to explain a token makes no secret")
}

func TestAMissingSecretIsAppendedToTheLocalFile(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	for _, text := range []string{
		"", "DATABASE_URL=sqlite://my.db", "DATABASE_URL=sqlite://my.db\n", "DATABASE_URL=sqlite://my.db\nBETTER_AUTH_SECRET=\n",
	} {
		h := newHome(t)
		h.write(t, ".env.local", text, 0o644)
		token := h.token(t, nil, "--user", "demo")
		kept := h.read(t, ".env.local")
		require.True(t, strings.HasPrefix(kept, text), kept)
		require.Regexp(t, `^made-for-development-[\w-]{43}$`, assignments(kept)["BETTER_AUTH_SECRET"])
		local, err := os.Stat(h.path(".env.local"))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), local.Mode())

		p := h.start(t)
		p.call(t, 200, "GET", "/api/tasks", token, "")
		require.Equal(t, text != "", strings.Contains(p.stderr.String(), "my.db"), p.stderr.String())
		require.Equal(t, kept, h.read(t, ".env.local"), "another secret was made")
	}
}

func TestASecretThatCannotBeKeptStopsTheStart(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	h := newHome(t)
	require.NoError(t, os.Symlink("missing/file", h.path(".env.local")))
	got := h.run(t, []string{"PORT=0"})
	refused(t, got, 1)
	require.Contains(t, got.stderr, "BETTER_AUTH_SECRET")
	require.Contains(t, got.stderr, ".env.local")
}

func TestAWeakSecretStopsTheStartInProduction(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	h := newHome(t)
	weak := "hunter" + strings.Repeat("é", 25) // 31 characters, more bytes
	for _, setting := range [][]string{
		nil, {"BETTER_AUTH_SECRET="}, {"BETTER_AUTH_SECRET=" + strings.Repeat(" ", 40)}, {"BETTER_AUTH_SECRET=" + weak},
	} {
		for _, args := range [][]string{nil, {"token", "--user", "demo"}} {
			got := h.run(t, append([]string{"ENVIRONMENT=production", "PORT=0"}, setting...), args...)
			refused(t, got, 1)
			require.Contains(t, got.stderr, "BETTER_AUTH_SECRET: ")
		}
	}
	require.Empty(t, h.files(t), "a start that was stopped leaves something behind")
	h.start(t, "ENVIRONMENT=production", "BETTER_AUTH_SECRET="+weak+"é")
}

func TestEveryFaultOfTheSettingsStopsTheStartInOneMessage(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	h := newHome(t)
	port, err := freePort()
	require.NoError(t, err)
	for _, c := range []struct {
		bad   []string
		names []string
	}{
		{inProduction("PORT=65536", "DATABASE_URL=mysql://u:hunter2@h/db"), []string{"PORT", "DATABASE_URL"}},
		{
			[]string{
				"ENVIRONMENT=production", "PORT=abc", "BETTER_AUTH_SECRET=hunter2", "DATABASE_URL=postgres://u:hunter2@h:x/db",
				"CORS_ORIGINS=example.com", "LOG_LEVEL=loud", "REQUEST_TIMEOUT=-1s",
			},
			[]string{"PORT", "BETTER_AUTH_SECRET", "DATABASE_URL", "CORS_ORIGINS", "LOG_LEVEL", "REQUEST_TIMEOUT"},
		},
		{[]string{"ENVIRONMENT=staging", fmt.Sprint("PORT=", port), "LOG_LEVEL=loud"}, []string{"ENVIRONMENT", "LOG_LEVEL"}},
	} {
		for _, args := range [][]string{nil, {"serve"}, {"token", "--user", "demo"}} {
			got := h.run(t, c.bad, args...)
			refused(t, got, len(c.names))
			for _, name := range c.names {
				require.Regexp(t, `(?m)^`+name+`: `, got.stderr)
			}
		}
	}
	require.Empty(t, h.files(t), "a start that was stopped leaves something behind")
}

func TestAPortInUseIsOneClearLine(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	got := newHome(t).run(t, append(inDevelopment, "PORT="+port))
	refused(t, got, 1)
	require.Contains(t, got.stderr, port)
	require.Contains(t, got.stderr, "in use")
}

func TestADatabaseThatCannotBeOpenedIsOneClearLine(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	h := newHome(t)
	h.write(t, "notes.txt", strings.Repeat("this is no database\n", 100), 0o644)
	port, err := freePort()
	require.NoError(t, err)
	for databaseURL, names := range map[string]string{
		"sqlite://missing/tasks.db":                                     "missing/tasks.db",
		"sqlite://" + string(h):                                         string(h),
		"sqlite://notes.txt":                                            "notes.txt",
		fmt.Sprintf("postgres://u:hunter2@127.0.0.1:%d/db", port):       fmt.Sprintf("127.0.0.1:%d", port),
		fmt.Sprintf("postgres:///db?password=hunter2&host=%s", h):       "PostgreSQL",
		fmt.Sprintf("postgres://127.0.0.1:%d/?password=hunter2", port):  "PostgreSQL",
		"postgresql+asyncpg://u:hunter2@127.0.0.1:1/db?ssl=verify-full": "127.0.0.1:1",
	} {
		t.Run(names, func(t *testing.T) {
			got := h.run(t, append(inDevelopment, "PORT=0", "STARTUP_WAIT=0", "DATABASE_URL="+databaseURL))
			refused(t, got, 1)
			require.Contains(t, got.stderr, "database")
			require.Contains(t, got.stderr, names)
		})
	}
}

func TestAProductionStartLogsJSONFromEveryInterfaceAndNoPassword(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	database, err := url.Parse(newPostgres(t))
	require.NoError(t, err)
	database.User = url.UserPassword(database.User.Username(), "hunter2") // the tests' server asks for none
	p := newHome(t).start(t, inProduction("DATABASE_URL="+database.String())...)
	require.Regexp(t, `^(0\.0\.0\.0|\[::\]):\d+$`, p.address) // both are every interface
	p.call(t, 200, "GET", "/ready", "", "")
	code, _ := p.stop(t, syscall.SIGTERM)
	require.Zero(t, code)

	require.Empty(t, p.stdout.String())
	listening := p.stderr.lines(t, "listening")
	require.Len(t, listening, 1)
	require.Equal(t, p.address, listening[0]["address"])
	require.Contains(t, listening[0]["database"], database.Host)
	require.Equal(t, map[string]any{ // those that are not the defaults
		"ENVIRONMENT": "production", "PORT": "0", "BETTER_AUTH_SECRET": "***", "DATABASE_URL": listening[0]["database"],
	}, listening[0]["settings"])
	require.NotContains(t, p.stderr.String(), "hunter2")
	require.NotContains(t, p.stderr.String(), testSecret)
}

// holdWrites creates three tasks, locks the table, starts a change of each and returns once all of them are under way,
// waiting. What it returns opens the lock, and gives the answers as they come.
func holdWrites(t *testing.T, p *process, databaseURL string) (unlock func(), answers <-chan answer) {
	t.Helper()
	const writes = 3
	ann, inside := tokenOf(t, "ann"), newServer(t, databaseURL)
	var created [writes]task
	for i := range created {
		created[i] = decode[task](t, p.call(t, 201, "POST", "/api/tasks", ann, `{"title": "before"}`))
	}
	unlock = lockTasks(t, inside)
	arrived := make(chan answer, writes)
	for _, one := range created {
		go func() {
			got, err := p.try("PUT", path(one.ID), ann, `{"title": "after"}`)
			if err != nil {
				got = answer{&http.Response{}, []byte(err.Error())}
			}
			arrived <- got
		}()
	}
	require.Eventually(t, func() bool { return p.gauge(t, "taskapi_http_requests_in_flight") == writes }, waitLimit, 5*time.Millisecond)
	time.Sleep(100 * time.Millisecond) // in flight they are, but may be on their way to the lock
	return unlock, arrived
}

// eachSignal runs a test for each signal that asks for an orderly end, on a program of its own.
func eachSignal(t *testing.T, databaseURL string, test func(t *testing.T, p *process, signal os.Signal)) {
	t.Helper()
	for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			test(t, newHome(t).start(t, inProduction("DATABASE_URL="+databaseURL, "METRICS_ADDR=127.0.0.1:0")...), signal)
		})
	}
}

func TestASignalSeesTheRequestsUnderWayAnsweredAndRefusesNewOnes(t *testing.T) {
	buildProgram(t)
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		eachSignal(t, databaseURL, func(t *testing.T, p *process, signal os.Signal) {
			unlock, answers := holdWrites(t, p, databaseURL)
			sent := time.Now()
			require.NoError(t, p.Process.Signal(signal))

			require.Eventually(t, func() bool {
				got, err := p.try("GET", "/ready", "", "")
				return err != nil || got.StatusCode == 503
			}, waitLimit, 5*time.Millisecond)
			unavailable(t, p.call(t, 503, "GET", "/ready", "", ""))
			unavailable(t, p.call(t, 503, "POST", "/api/tasks", tokenOf(t, "ann"), `{"title": "too late"}`))
			p.call(t, 200, "GET", "/health", "", "")
			require.Empty(t, answers)

			unlock()
			for range cap(answers) {
				got := <-answers
				require.Equal(t, 200, got.StatusCode, "%s", got.body)
				require.Equal(t, "after", decode[task](t, got).Title)
			}
			require.Zero(t, p.awaitEnd(t), &p.stderr)
			require.Less(t, time.Since(sent), 10*time.Second)
			_, err := p.try("GET", "/health", "", "")
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
		})
	})
}

func TestARequestThatCannotEndIsAnsweredByItsDeadlineAndHoldsUpNoEnd(t *testing.T) {
	buildProgram(t)
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		p := newHome(t).start(t, inProduction("DATABASE_URL="+databaseURL, "METRICS_ADDR=127.0.0.1:0", "REQUEST_TIMEOUT=3s")...)
		_, answers := holdWrites(t, p, databaseURL)
		code, took := p.stop(t, syscall.SIGTERM)
		for range cap(answers) {
			unavailable(t, <-answers)
		}
		require.Zero(t, code, &p.stderr)
		require.Less(t, took, 10*time.Second)
	})
}

func TestASignalEndsAnIdleProgramAtOnce(t *testing.T) {
	buildProgram(t)
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		eachSignal(t, databaseURL, func(t *testing.T, p *process, signal os.Signal) {
			keepsAlive := &http.Client{Timeout: waitLimit, Transport: &http.Transport{}}
			defer keepsAlive.CloseIdleConnections()
			response, err := keepsAlive.Get(p.url + "/health")
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			code, took := p.stop(t, signal)
			require.Zero(t, code, &p.stderr)
			require.Less(t, took, 3*time.Second)
			if file, sqlite := strings.CutPrefix(databaseURL, "sqlite://"); sqlite {
				require.NoFileExists(t, file+"-wal", "the database was not closed")
			}
		})
	})
}

func TestAConnectionWithoutAWholeRequestNeitherFailsNorHoldsUpTheEnd(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	for name, sent := range map[string]string{
		"nothing sent":  "",
		"half a header": "GET /api/tasks HTTP/1.1\r\nHost: api.example.com\r\n",
		"half a body":   "POST /api/tasks HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 100\r\n\r\n{",
	} {
		t.Run(name, func(t *testing.T) {
			p := newHome(t).start(t, inDevelopment...)
			conn, err := net.Dial("tcp", p.address)
			require.NoError(t, err)
			defer conn.Close()
			_, err = conn.Write([]byte(sent))
			require.NoError(t, err)
			p.call(t, 200, "GET", "/health", "", "") // accepted after the other, which is thus accepted, too
			code, took := p.stop(t, syscall.SIGTERM)
			require.Zero(t, code, &p.stderr)
			require.Less(t, took, 10*time.Second)
		})
	}
}
