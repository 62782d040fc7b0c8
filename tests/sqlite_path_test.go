package tests

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"taskapi/models"
	"taskapi/models/database"
)

func TestTheStartNamesTheAbsolutePathOfTheFile(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	h := newHome(t)
	require.Contains(t, h.start(t, "DATABASE_URL=sqlite://my.db").stderr.String(), "SQLite, file "+h.path("my.db"))
}

func TestAFileThatCannotBeMadeIsExplained(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	h := newHome(t)
	require.NoError(t, os.Mkdir(h.path("mounted.db"), 0o700))
	h.write(t, "file", "x", 0o600)
	for name, want := range map[string]string{
		"missing/tasks.db": "there is no directory " + h.path("missing"),
		"mounted.db":       "mounted.db is a directory",
		"file/tasks.db":    "not a directory",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, args := range [][]string{nil, {"migrate"}} {
				got := h.run(t, inProduction("PORT=0", "DATABASE_URL=sqlite://"+name), args...)
				refused(t, got, 1)
				require.Contains(t, got.stderr, want)
				require.Contains(t, got.stderr, h.path(name))
			}
		})
	}
	newServer(t, "sqlite://"+h.path("from.db"))
	got := h.run(t, nil, "copy", "--from", "sqlite://from.db", "--to", "sqlite://missing/to.db")
	refused(t, got, 1)
	require.Contains(t, got.stderr, "there is no directory "+h.path("missing"))
}

func TestADirectoryThatIsForbiddenIsNamedWithItsUser(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "tasks.db")
	require.NoError(t, os.Chmod(filepath.Dir(file), 0o555))
	cfg, err := parse("BETTER_AUTH_SECRET", testSecret, "DATABASE_URL", "sqlite://"+file)
	require.NoError(t, err)
	asNobody(t, file, func() {
		_, err = database.Open(context.Background(), cfg, models.Owned(), slog.New(slog.DiscardHandler))
	})
	require.ErrorContains(t, err, "may not make files in the directory "+filepath.Dir(file))
}

func TestAnAbsolutePathThatWasMeantToBeRelativeIsWarnedOf(t *testing.T) {
	t.Chdir(t.TempDir())
	dir := t.TempDir()
	wanted := filepath.Join(dir, "x.db")
	warned := func(url string) string {
		cfg, err := parse("ENVIRONMENT", "production", "BETTER_AUTH_SECRET", testSecret, "DATABASE_URL", url)
		require.NoError(t, err)
		logs := &logBuffer{}
		cfg.Warn(cfg.Logger(logs))
		return logs.String()
	}
	require.Empty(t, warned("sqlite://"+wanted), "neither is there")
	require.NoError(t, os.MkdirAll("."+dir, 0o700))
	require.NoError(t, os.WriteFile("."+wanted, nil, 0o600))
	require.Contains(t, warned("sqlite://"+wanted), wanted+" does not exist, but ."+wanted+" does")
	require.NoError(t, os.WriteFile(wanted, nil, 0o600))
	require.Empty(t, warned("sqlite://"+wanted), "both are there")
	require.Empty(t, warned("sqlite://x.db"))
}
