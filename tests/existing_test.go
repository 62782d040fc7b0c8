package tests

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"taskapi/config"
	"taskapi/models/database"
)

const existingTasks = "CREATE TABLE tasks (%s, %s NOT NULL, title TEXT NOT NULL, description TEXT, %s NOT NULL," +
	" created_at TIMESTAMP NOT NULL, updated_at TIMESTAMP NOT NULL)"

// existingTables are tables of other programs with the names of the program's tables, each with words of the refusal.
var existingTables = map[string]string{
	"CREATE TABLE tasks (name VARCHAR(100) NOT NULL)":                 "it has no column id",
	"CREATE TABLE tasks (id SERIAL PRIMARY KEY, title TEXT NOT NULL)": "it has no column user_id",
	"CREATE TABLE users (id SERIAL PRIMARY KEY, email TEXT NOT NULL)": "its column id is of type integer:" +
		" if it holds the accounts, set auth_users_table=users",
	fmt.Sprintf(existingTasks, "id UUID PRIMARY KEY", "user_id TEXT", "completed BOOLEAN"):            "its column id is of type uuid",
	fmt.Sprintf(existingTasks, "id BIGINT NOT NULL PRIMARY KEY", "user_id TEXT", "completed BOOLEAN"): "its column id demands a value",
	fmt.Sprintf(existingTasks, "id SERIAL PRIMARY KEY", "user_id INTEGER", "completed BOOLEAN"):       "its column user_id is of type integer",
	fmt.Sprintf(existingTasks, "id SERIAL PRIMARY KEY", "user_id TEXT", "completed CHAR(1)"):          "its column completed is of type char",
	fmt.Sprintf(existingTasks, "id SERIAL PRIMARY KEY", "project TEXT NOT NULL, user_id TEXT",
		"completed BOOLEAN"): "its column project demands a value",
}

func TestATableOfAnotherProgramStopsTheStartAndIsLeftAsItIs(t *testing.T) {
	buildProgram(t)
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		file, sqlite := strings.CutPrefix(databaseURL, "sqlite://")
		for table, reason := range existingTables {
			t.Run(reason, func(t *testing.T) {
				if sqlite {
					_ = os.Remove(file)
					direct := openDirectly(t, databaseURL, strings.ReplaceAll(table, "SERIAL", "INTEGER"))
					require.NoError(t, direct.Close())
					untouched(t, file, func() { cannotOpen(t, databaseURL, reason) })
					return
				}
				direct := openDirectly(t, databaseURL, "DROP TABLE IF EXISTS tasks, users", table)
				schema := func() (text string) {
					require.NoError(t, direct.QueryRow(`
						SELECT string_agg(attrelid::regclass || ' ' || attname || ' ' || format_type(atttypid, atttypmod), ',')
						FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid WHERE relnamespace = 'public'::regnamespace`).Scan(&text))
					return text
				}
				before := schema()
				cannotOpen(t, databaseURL, reason)
				require.Equal(t, before, schema())
			})
		}
	})
}

// cannotOpen requires that the program does not start, and writes one line with the database and the reason.
func cannotOpen(t testing.TB, databaseURL, reason string) {
	t.Helper()
	got := newHome(t).run(t, append(inDevelopment, "PORT=0", "DATABASE_URL="+databaseURL))
	refused(t, got, 1)
	database, err := config.ParseDatabaseURL(databaseURL)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(got.stderr, "cannot open the database ("+database.String()+"): "), got.stderr)
	require.Contains(t, strings.ToLower(got.stderr), reason)
}

// untouched requires that do changes neither a file, nor its time, nor the names of the files beside it.
func untouched(t testing.TB, file string, do func()) {
	t.Helper()
	long := time.Now().Add(-time.Hour).Truncate(time.Second)
	require.NoError(t, os.Chtimes(file, long, long))
	state := func() (text []byte, names []string, changed time.Time) {
		info, err := os.Stat(file)
		require.NoError(t, err)
		if !info.IsDir() {
			text, err = os.ReadFile(file)
			require.NoError(t, err)
		}
		names, err = filepath.Glob(filepath.Join(filepath.Dir(file), "*"))
		require.NoError(t, err)
		return text, names, info.ModTime()
	}
	text, names, changed := state()
	do()
	after, namesAfter, changedAfter := state()
	require.True(t, bytes.Equal(text, after), "the file's bytes have changed")
	require.Equal(t, names, namesAfter)
	require.Equal(t, changed, changedAfter, "the file has been written to")
}

func TestAFileThatIsNoSoundDatabaseOfOursStopsTheStartAndIsLeftAsItIs(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	const page = 4096
	garbage := func(from, to int) func(t *testing.T, text []byte) []byte {
		return func(t *testing.T, text []byte) []byte {
			for i := range text[from:min(to, len(text))] {
				text[from+i] = 0xA5
			}
			return text
		}
	}
	for name, c := range map[string]struct {
		spoil  func(t *testing.T, text []byte) []byte
		reason string
	}{
		"a text":             {func(*testing.T, []byte) []byte { return []byte(strings.Repeat("this is no database\n", 100)) }, "not a database"},
		"a short text":       {func(*testing.T, []byte) []byte { return []byte("short\n") }, "not a database"},
		"a broken header":    {garbage(0, 100), "not a database"},
		"a broken schema":    {garbage(100, page), "malformed"},
		"broken pages":       {garbage(page, 100*page), "damaged"},
		"one broken page":    {garbage(6*page, 7*page), "damaged"},
		"half of a database": {func(_ *testing.T, text []byte) []byte { return text[:len(text)/2] }, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			databaseURL := newSQLite(t)
			s := newServer(t, databaseURL)
			for range 20 {
				s.as("ann").create(t, strings.Repeat("x", 200))
			}
			require.NoError(t, database.Close(s.db))
			file := strings.TrimPrefix(databaseURL, "sqlite://")
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(file, c.spoil(t, text), 0o600))
			untouched(t, file, func() { cannotOpen(t, databaseURL, c.reason) })
		})
	}
	for _, mode := range []string{"DELETE", "WAL"} {
		t.Run("another application's in the mode "+mode, func(t *testing.T) {
			databaseURL := newSQLite(t)
			direct := openDirectly(t, databaseURL, "PRAGMA application_id = 0x47504B47", "CREATE TABLE other (x)", "PRAGMA journal_mode = "+mode)
			require.NoError(t, direct.Close())
			untouched(t, strings.TrimPrefix(databaseURL, "sqlite://"), func() { cannotOpen(t, databaseURL, "application_id is 0x47504b47") })
		})
	}
	t.Run("a directory", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "tasks.db")
		require.NoError(t, os.Mkdir(dir, 0o700))
		untouched(t, dir, func() { cannotOpen(t, "sqlite://"+dir, "is a directory") })
	})
}

func TestADatabaseThatHoldsOnlyOtherTablesIsShared(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		direct := openDirectly(t, databaseURL, `CREATE TABLE "user" (id TEXT PRIMARY KEY, email TEXT NOT NULL)`,
			`INSERT INTO "user" VALUES ('1', 'ann@example.com')`)
		newServer(t, databaseURL).as("ann").create(t, "x")
		var email string
		require.NoError(t, direct.QueryRow(`SELECT email FROM "user"`).Scan(&email))
		require.Equal(t, "ann@example.com", email)
	})
}
