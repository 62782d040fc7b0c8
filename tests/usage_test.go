package tests

import (
	"net"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"taskapi/config"
	"taskapi/middleware/token"
)

func TestTheCommandLineIsReadOrRefused(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]config.Command{
		"":                 {Name: config.Serve},
		"serve":            {Name: config.Serve},
		"--help":           {Name: config.Help},
		"-h":               {Name: config.Help},
		"help":             {Name: config.Help},
		"health":           {Name: config.Health},
		"openapi":          {Name: config.OpenAPI},
		"token --help":     {Name: config.Help, TTL: 24 * time.Hour},
		"token --user ann": {Name: config.Token, User: "ann", TTL: 24 * time.Hour},
		"migrate":          {Name: config.Migrate},
		"copy --from sqlite://a.db --to postgres://u:p@h/db": {
			Name: config.Copy,
			From: config.Database{Engine: config.SQLite, Source: "a.db"},
			To:   config.Database{Engine: config.PostgreSQL, Source: "postgres://u:p@h/db"},
		},
		"token -ttl=90s --user=ann": {Name: config.Token, User: "ann", TTL: 90 * time.Second},
	} {
		got, err := config.ParseArgs(strings.Fields(line))
		require.NoError(t, err, line)
		require.Equal(t, want, got, line)
	}
	for _, line := range []string{
		"start", "serve now", "token", "token --user", "token --user ann extra", "token --user ann --ttl 0",
		"token --user ann --ttl -1h", "token --user ann --ttl day", "serve --port 1", "--version", "copy",
		"copy --from sqlite://a.db", "copy --to sqlite://a.db", "copy sqlite://a.db sqlite://b.db",
	} {
		_, err := config.ParseArgs(strings.Fields(line))
		require.ErrorContains(t, err, "see --help", line)
		require.NotContains(t, err.Error(), "\n", line)
	}
}

func TestHelpListsEverySettingOnOneShortLineAndTheStartSaysWhereToLook(t *testing.T) {
	t.Parallel()
	var help, start strings.Builder
	require.NoError(t, config.WriteHelp(&help))
	for _, name := range append([]string{"token --user"}, settings...) {
		require.Contains(t, help.String(), name)
	}
	for line := range strings.Lines(help.String()) {
		require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimRight(line, "\n")), 100, line)
	}
	cfg, err := config.Parse(map[string]string{"DATABASE_URL": "postgres://ann:hunter2@db.example.com/tasks"})
	require.NoError(t, err)
	cfg.Announce(&start, cfg.Logger(&start), &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8000})
	for _, part := range []string{"http://127.0.0.1:8000", "/docs/", "PostgreSQL", "db.example.com/tasks", "token --user"} {
		require.Contains(t, start.String(), part)
	}
	require.Equal(t, 3, strings.Count(start.String(), "\n"))
	require.NotContains(t, start.String(), "hunter2")
}

func TestATokenIsOnlyMadeForAUserThatCanBe(t *testing.T) {
	t.Parallel()
	signed, err := token.Sign(testSecret, strings.Repeat("é", 255), time.Minute)
	require.NoError(t, err)
	require.Regexp(t, `^[\w-]+\.[\w-]+\.[\w-]+$`, signed)
	for _, user := range []string{"", " ", "a\x00b", "\xff", strings.Repeat("é", 256)} {
		_, err := token.Sign(testSecret, user, time.Minute)
		require.Error(t, err, "%q", user)
	}
}
