package tests

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"taskapi/models"
	"taskapi/models/database"
)

// accounts is the table of accounts of an auth server that shares the database.
type accounts struct {
	db       *sql.DB
	postgres bool
	url      string
	table    string // as AUTH_USERS_TABLE names it
}

// newAccounts creates the table as Better Auth's own migration does.
func newAccounts(t *testing.T, databaseURL, table string) *accounts {
	t.Helper()
	auth := &accounts{openDirectly(t, databaseURL), strings.HasPrefix(databaseURL, "postgres"), databaseURL, table}
	auth.db.SetMaxOpenConns(1)
	if !auth.postgres {
		auth.exec(t, "PRAGMA foreign_keys = ON") // as its drivers have it
		auth.exec(t, "PRAGMA busy_timeout = 5000")
	} else if schema, _, qualified := strings.Cut(table, "."); qualified {
		auth.exec(t, "CREATE SCHEMA "+schema)
	}
	auth.exec(t, "CREATE TABLE "+auth.quoted()+` ("id" text not null primary key, "name" text not null, "email" text not null unique,
		"emailVerified" boolean not null, "image" text, "createdAt" timestamp not null, "updatedAt" timestamp not null)`)
	return auth
}

func (a *accounts) quoted() string { return `"` + strings.ReplaceAll(a.table, ".", `"."`) + `"` }

func (a *accounts) exec(t testing.TB, statement string) {
	t.Helper()
	_, err := a.db.Exec(statement)
	require.NoError(t, err, statement)
}

func (a *accounts) signUp(t testing.TB, users ...string) {
	t.Helper()
	for _, user := range users {
		a.exec(t, fmt.Sprintf("INSERT INTO %s VALUES ('%s', 'x', '%s@example.com', true, NULL, '2026-01-01', '2026-01-01')",
			a.quoted(), user, user))
	}
}

func (a *accounts) deleteAccount(t testing.TB, user string) {
	t.Helper()
	a.exec(t, "DELETE FROM "+a.quoted()+" WHERE id = '"+user+"'")
}

// start starts the server with AUTH_USERS_TABLE.
func (a *accounts) start(t testing.TB) *server {
	t.Helper()
	return newServer(t, a.url, "AUTH_USERS_TABLE", a.table)
}

// refuseStart requires that the server does not start, and that its error is one line with all of the words.
func refuseStart(t testing.TB, databaseURL, table string, words ...string) {
	t.Helper()
	cfg, err := parse("DATABASE_URL", databaseURL, "AUTH_USERS_TABLE", table)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	defer cancel()
	_, err = database.Open(ctx, cfg, models.Owned(), slog.New(slog.DiscardHandler))
	require.Error(t, err)
	require.NoError(t, ctx.Err(), "the start waits")
	require.NotContains(t, err.Error(), "\n")
	for _, word := range words {
		require.Contains(t, err.Error(), word)
	}
}

// state returns the content of a database: its schema, rows, and the last ids that were given out.
func (a *accounts) state(t testing.TB) (lines []string) {
	t.Helper()
	queries := []string{"SELECT type || name || coalesce(sql, '') FROM sqlite_schema ORDER BY type, name"}
	tables := "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
	row := "SELECT json_group_array(json_array(%s)) FROM %s"
	if a.postgres {
		queries = []string{
			"SELECT c.table_schema || c.table_name || c.column_name || data_type || is_nullable || coalesce(column_default, '') " +
				"FROM information_schema.columns c WHERE table_schema <> 'pg_catalog' ORDER BY 1",
			"SELECT conrelid::regclass || conname || pg_get_constraintdef(oid) FROM pg_constraint " +
				"WHERE connamespace <> 'pg_catalog'::regnamespace ORDER BY 1",
			"SELECT sequencename || coalesce(last_value, 0) FROM pg_sequences ORDER BY 1",
			"SELECT indexdef FROM pg_indexes WHERE schemaname <> 'pg_catalog' ORDER BY 1",
		}
		tables = "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"
		row = "SELECT coalesce(string_agg(%[2]s::text, ';' ORDER BY %[2]s::text), '') FROM %[2]s"
	}
	for _, table := range a.strings(t, tables) {
		columns := "''"
		if !a.postgres {
			columns = strings.Join(a.strings(t, "SELECT name FROM pragma_table_info('"+table+"')"), ",")
			table = `"` + table + `"`
		}
		queries = append(queries, fmt.Sprintf(row, columns, table))
	}
	for _, query := range queries {
		lines = append(lines, a.strings(t, query)...)
	}
	return lines
}

func (a *accounts) strings(t testing.TB, query string) (found []string) {
	t.Helper()
	rows, err := a.db.Query(query)
	require.NoError(t, err, query)
	defer rows.Close()
	for rows.Next() {
		var one string
		require.NoError(t, rows.Scan(&one))
		found = append(found, one)
	}
	require.NoError(t, rows.Err())
	return found
}

func (a *accounts) hasUsersOfOurs(t testing.TB) bool {
	t.Helper()
	query := "SELECT name FROM sqlite_schema WHERE name = 'users'"
	if a.postgres {
		query = "SELECT relname FROM pg_class WHERE relname = 'users'"
	}
	return len(a.strings(t, query)) > 0
}

// references returns the tables that tasks.user_id references.
func (a *accounts) references(t testing.TB) []string {
	t.Helper()
	query := `SELECT "table" FROM pragma_foreign_key_list('tasks') WHERE "from" = 'user_id'`
	if a.postgres {
		query = `SELECT replace(confrelid::regclass::text, '"', '') FROM pg_constraint WHERE conrelid = 'tasks'::regclass AND contype = 'f'`
	}
	return a.strings(t, query)
}

// noAccount requires that a user with a valid token cannot create a task without an account.
func noAccount(t testing.TB, s *server, user string) {
	t.Helper()
	before := len(s.logs.answered(t, 401))
	got := s.as(user).call(t, 401, "POST", "/api/tasks", `{"title":"x"}`)
	require.Equal(t, `{"detail":"Invalid authentication credentials"}`, string(got.body))
	require.Equal(t, "Bearer", got.Header.Get("WWW-Authenticate"))
	lines := s.logs.answered(t, 401)[before:]
	require.Len(t, lines, 1)
	require.Equal(t, "no_account", lines[0]["cause"])
	require.NotEmpty(t, lines[0]["request_id"])
	require.Empty(t, s.logs.answered(t, 500))
}

// withAccounts runs a test with each form of a table of accounts.
func withAccounts(t *testing.T, test func(t *testing.T, auth *accounts)) {
	t.Helper()
	eachDatabase(t, func(t *testing.T, databaseURL string) { test(t, newAccounts(t, databaseURL, "user")) })
	for _, table := range []string{"auth.user", "User"} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			test(t, newAccounts(t, newPostgres(t), table))
		})
	}
}

func TestADeletedAccountTakesItsTasksAlong(t *testing.T) {
	withAccounts(t, func(t *testing.T, auth *accounts) {
		s := auth.start(t)
		require.False(t, auth.hasUsersOfOurs(t))
		noAccount(t, s, "ann")
		auth.signUp(t, "ann", "bob")
		anns, bobs := s.as("ann").create(t, "ann's"), s.as("bob").create(t, "bob's")
		require.Equal(t, []task{anns}, s.as("ann").list(t))
		noAccount(t, s, "Ann") // ids are compared exactly

		auth.deleteAccount(t, "ann")
		require.Empty(t, s.as("ann").list(t))
		for _, r := range []request{
			{method: "GET", path: path(anns.ID)}, {method: "PUT", path: path(anns.ID), body: `{"title":"x"}`},
			{method: "PATCH", path: path(anns.ID) + "/complete"}, {method: "DELETE", path: path(anns.ID)},
		} {
			r.user = "ann"
			require.Equal(t, 404, s.send(t, r).StatusCode, r.method)
		}
		noAccount(t, s, "ann")
		s.as("ann").call(t, 422, "POST", "/api/tasks", `{"title":""}`)
		require.Equal(t, []task{bobs}, s.as("bob").list(t))
		require.False(t, auth.hasUsersOfOurs(t))
	})
}

// eachTable runs a test for each form of the table tasks: as the server creates it, and as other programs do. In it, ann has
// a task with the id 1, and bob one with the id 2.
func eachTable(t *testing.T, test func(t *testing.T, auth *accounts, next int64)) {
	t.Helper()
	layout := "CREATE TABLE tasks (\n\tid SERIAL NOT NULL, \n\tuser_id VARCHAR(255) NOT NULL, \n" +
		"\ttitle VARCHAR(200) NOT NULL, \n\tdescription VARCHAR(1000), \n" +
		"\tcompleted BOOLEAN NOT NULL, \n\tcreated_at TIMESTAMP WITH TIME ZONE NOT NULL, \n" +
		"\tupdated_at TIMESTAMP WITH TIME ZONE NOT NULL, \n\tPRIMARY KEY (id)%s\n)\n"
	for name, key := range map[string]string{
		"ours":                     "",
		"without a foreign key":    "",
		"with one to other users":  ", \n\tFOREIGN KEY(user_id) REFERENCES people (id)",
		"with one that holds fast": ", \n\tFOREIGN KEY(user_id) REFERENCES \"user\" (id)",
		"with one that has the name": ", CONSTRAINT fk_tasks_user FOREIGN KEY (user_id) REFERENCES people (id) " +
			"ON UPDATE CASCADE ON DELETE CASCADE",
		"with two": ",CONSTRAINT \"a\" FOREIGN KEY (\"user_id\") REFERENCES \"user\"(\"id\") ON DELETE CASCADE ON UPDATE NO ACTION,\n " +
			"FOREIGN KEY (user_id) REFERENCES people",
	} {
		t.Run(name, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, databaseURL string) {
				auth := newAccounts(t, databaseURL, "user")
				auth.signUp(t, "ann", "bob")
				if name == "ours" {
					s := newServer(t, databaseURL)
					s.as("ann").create(t, "ann's")
					s.as("bob").create(t, "bob's")
					gone := s.as("bob").create(t, "gone")
					s.as("bob").call(t, 204, "DELETE", path(gone.ID))
					test(t, auth, gone.ID+1)
					return
				}
				create := fmt.Sprintf(layout, key)
				if !auth.postgres {
					create = strings.Replace(strings.ReplaceAll(create, "TIMESTAMP WITH TIME ZONE", "DATETIME"), "SERIAL", "INTEGER", 1)
				}
				auth.exec(t, "CREATE TABLE people (id VARCHAR PRIMARY KEY)")
				auth.exec(t, "INSERT INTO people VALUES ('ann'), ('bob')")
				auth.exec(t, create)
				auth.exec(t, "CREATE INDEX ix_tasks_user_id ON tasks (user_id)")
				auth.exec(t, "CREATE VIEW done AS SELECT title FROM tasks WHERE completed")
				for _, user := range []string{"ann", "bob"} {
					auth.exec(t, "INSERT INTO tasks (user_id, title, description, completed, created_at, updated_at) "+
						"VALUES ('"+user+"', '"+user+"''s', 'kept', true, '2026-01-08 10:30:00.123456+00:00', '2026-01-09 10:30:00+00:00')")
				}
				test(t, auth, 3)
			})
		})
	}
}

func TestTasksMoveToTheirAccountsAndBack(t *testing.T) {
	t.Parallel()
	eachTable(t, func(t *testing.T, auth *accounts, next int64) {
		rows := func() []string {
			return auth.strings(t, "SELECT id || user_id || title || coalesce(description, '') || completed || created_at || updated_at "+
				"FROM tasks ORDER BY id")
		}
		before := rows()
		require.Len(t, before, 2)

		on := auth.start(t)
		require.Equal(t, before, rows())
		noAccount(t, on, "carl")
		auth.signUp(t, "carl")
		carls := on.as("carl").create(t, "carl's")
		require.GreaterOrEqual(t, carls.ID, next, "an id is given out again")
		auth.deleteAccount(t, "carl")
		require.Equal(t, before, rows())

		off := newServer(t, auth.url)
		require.Equal(t, before, rows())
		dans := off.as("dan").create(t, "dan's")
		if auth.postgres || next > 3 { // on SQLite, others' tables give out the last ids again
			require.Greater(t, dans.ID, carls.ID, "an id is given out again")
		}
		auth.deleteAccount(t, "bob")
		require.Len(t, off.as("bob").list(t), 1)
		auth.exec(t, "DELETE FROM users WHERE id = 'bob'")
		require.Empty(t, off.as("bob").list(t))

		refuseStart(t, auth.url, "user", "rows: 1, users: 1")
		auth.signUp(t, "dan")
		require.Len(t, auth.start(t).as("dan").list(t), 1)
		auth.deleteAccount(t, "dan")
		require.Equal(t, before[:1], rows())
		require.True(t, auth.hasUsersOfOurs(t))
	})
}

func TestForeignKeysOfOthersStayWhereTheUsersAreOurs(t *testing.T) {
	t.Parallel()
	eachTable(t, func(t *testing.T, auth *accounts, _ int64) {
		others := auth.references(t)
		if strings.Contains(strings.Join(auth.state(t), ""), "fk_tasks_user") { // ours, or what passes for it
			others = nil
		}
		s := newServer(t, auth.url)
		require.ElementsMatch(t, append(others, "users"), auth.references(t))
		require.Len(t, s.as("ann").list(t), 1)
		s.as("ann").create(t, "x")
		if len(others) > 0 {
			noAccount(t, s, "carl")
		} else {
			s.as("carl").create(t, "x")
		}
	})
}

func TestAForeignKeyInAColumnsDefinitionIsNotReplacedOnSQLite(t *testing.T) {
	t.Parallel()
	auth := newAccounts(t, newSQLite(t), "user")
	auth.signUp(t, "ann")
	auth.exec(t, `CREATE TABLE tasks (id INTEGER PRIMARY KEY, user_id TEXT NOT NULL REFERENCES "user"(id), title TEXT NOT NULL,
		description TEXT, completed BOOLEAN NOT NULL, created_at DATETIME NOT NULL, updated_at DATETIME NOT NULL)`)
	before := auth.state(t)
	refuseStart(t, auth.url, "user", "AUTH_USERS_TABLE: ", "cannot be replaced")
	require.Equal(t, before, auth.state(t))
	newServer(t, auth.url).as("ann").create(t, "x")
}

func TestTasksWithoutAnAccountRefuseTheStartAndStayAsTheyAre(t *testing.T) {
	t.Parallel()
	eachTable(t, func(t *testing.T, auth *accounts, _ int64) {
		for _, user := range []string{"ann", "bob", "bob"} {
			auth.exec(t, "INSERT INTO tasks (user_id, title, completed, created_at, updated_at) "+
				"VALUES ('"+user+"', 'x', false, '2026-01-08', '2026-01-08')")
		}
		auth.exec(t, `ALTER TABLE "user" RENAME TO accounts`) // what references it follows, so that its rows can go
		auth.exec(t, `CREATE TABLE "user" (id varchar(36) PRIMARY KEY)`)
		auth.exec(t, `INSERT INTO "user" VALUES ('ann')`)
		before := auth.state(t)
		refuseStart(t, auth.url, "user", "AUTH_USERS_TABLE", "user", "rows: 3, users: 1", "nothing was changed")
		require.Equal(t, before, auth.state(t))

		auth.exec(t, `INSERT INTO "user" VALUES ('bob')`)
		require.Len(t, auth.start(t).as("bob").list(t), 3)
	})
}

func TestATableThatCannotHoldTheAccountsRefusesTheStart(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		auth := newAccounts(t, databaseURL, "user")
		for _, statement := range []string{
			"CREATE TABLE no_id (name text PRIMARY KEY)", "CREATE TABLE numbered (id integer PRIMARY KEY)",
			"CREATE TABLE by_uuid (id uuid PRIMARY KEY)",
			"CREATE TABLE not_unique (id text)", `CREATE VIEW a_view AS SELECT * FROM "user"`,
		} {
			auth.exec(t, statement)
		}
		cases := map[string][]string{
			"missing":    {"no table missing"},
			"no_id":      {"no_id has no column id"},
			"numbered":   {"id of numbered is of type", "text or varchar"},
			"by_uuid":    {"id of by_uuid is of type uuid", "text or varchar"},
			"not_unique": {"not_unique"},
			"tasks":      {"tasks"}, // and any other table of ours
			"a_view":     {"a_view"},
		}
		if auth.postgres {
			cases["nowhere.user"], cases["USER"] = []string{"no table nowhere.user"}, []string{"no table USER"}
		}
		refuse := func(state string) {
			before := auth.state(t)
			for table, words := range cases {
				t.Run(table+", "+state, func(t *testing.T) {
					refuseStart(t, databaseURL, table, append(words, "AUTH_USERS_TABLE: ")...)
					require.Equal(t, before, auth.state(t))
				})
			}
		}
		refuse("empty")
		auth.signUp(t, "ann")
		newServer(t, databaseURL).as("ann").create(t, "x")
		refuse("with tasks of our users")
		auth.start(t).as("ann").create(t, "y")
		refuse("with tasks of accounts")
		require.Len(t, auth.start(t).as("ann").list(t), 2)
	})
}

func TestAStartWithTheRightForeignKeyLeavesItAlone(t *testing.T) {
	withAccounts(t, func(t *testing.T, auth *accounts) {
		auth.signUp(t, "ann")
		first := auth.start(t)
		kept, gone := first.as("ann").create(t, "x"), first.as("ann").create(t, "gone")
		first.as("ann").call(t, 204, "DELETE", path(gone.ID))
		before := auth.state(t)
		if auth.postgres { // anything that a transaction at work on the accounts or a missing right would hold up fails
			tx, err := auth.db.Begin()
			require.NoError(t, err)
			defer tx.Rollback() //nolint:errcheck // ends the lock
			_, err = tx.Exec("LOCK TABLE " + auth.quoted() + " IN SHARE ROW EXCLUSIVE MODE")
			require.NoError(t, err)
			auth.start(t)
			require.NoError(t, tx.Rollback())
		} else {
			version := auth.strings(t, "PRAGMA schema_version")
			auth.start(t)
			require.Equal(t, version, auth.strings(t, "PRAGMA schema_version"))
		}
		require.Equal(t, before, auth.state(t))
		second := auth.start(t)
		require.Equal(t, []task{kept}, second.as("ann").list(t))
		require.Greater(t, second.as("ann").create(t, "y").ID, gone.ID, "an id is given out again")
	})
}

func TestAForeignKeyOfAnotherNameIsAsGood(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		auth := newAccounts(t, databaseURL, "user")
		auth.signUp(t, "ann", "bob")
		auth.start(t)
		key := `CONSTRAINT theirs FOREIGN KEY (user_id) REFERENCES "user"(id) ON DELETE CASCADE`
		if auth.postgres {
			auth.exec(t, "ALTER TABLE tasks DROP CONSTRAINT fk_tasks_user, ADD "+key)
		} else {
			definition := auth.strings(t, "SELECT sql FROM sqlite_schema WHERE name = 'tasks'")[0]
			auth.exec(t, "DROP TABLE tasks")
			auth.exec(t, definition[:strings.Index(definition, ",CONSTRAINT `fk_tasks_user`")]+","+key+")")
		}
		auth.start(t)
		before := auth.state(t)
		s := auth.start(t)
		require.Equal(t, before, auth.state(t))
		s.as("bob").create(t, "x")

		// The foreign key stays without the setting, and is enforced.
		off := newServer(t, databaseURL)
		off.as("ann").create(t, "x")
		noAccount(t, off, "carl")
		auth.deleteAccount(t, "ann")
		require.Empty(t, off.as("ann").list(t))
		require.Len(t, auth.start(t).as("bob").list(t), 1)
	})
}

func TestManyServersSwitchAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		auth := newAccounts(t, databaseURL, "user")
		auth.signUp(t, "ann")
		newServer(t, databaseURL).as("ann").create(t, "x")
		startSix(t, "DATABASE_URL", databaseURL, "AUTH_USERS_TABLE", "user")
		require.Equal(t, []string{"user"}, auth.references(t))
		s := auth.start(t)
		require.Len(t, s.as("ann").list(t), 1)
		noAccount(t, s, "bob")
	})
}

// Better Auth has an option for plural names of tables (usePlural).
func TestAuthsTableMayBeNamedAsOurs(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		auth := newAccounts(t, databaseURL, "users")
		before := auth.state(t)
		s := auth.start(t)
		require.Subset(t, auth.state(t), before, "the table of the accounts is another")
		noAccount(t, s, "ann")
		auth.signUp(t, "ann")
		s.as("ann").create(t, "x")

		before = auth.state(t)
		refuseStart(t, databaseURL, "", "AUTH_USERS_TABLE=users")
		require.Equal(t, before, auth.state(t))
		auth.deleteAccount(t, "ann")
		require.Empty(t, s.as("ann").list(t))
	})
}

func TestARoleThatMayNotReferenceTheAccountsIsToldSo(t *testing.T) {
	t.Parallel()
	auth := newAccounts(t, newPostgres(t), "auth.user")
	auth.signUp(t, "ann")
	u, err := url.Parse(withoutPooler(t, auth.url))
	require.NoError(t, err)
	role := "r_" + strings.TrimPrefix(u.Path, "/")
	auth.exec(t, "CREATE ROLE "+role+" LOGIN PASSWORD 'hunter2'")
	t.Cleanup(func() { administer(t, "DROP ROLE "+role) })
	t.Cleanup(func() { auth.exec(t, "DROP OWNED BY "+role) })
	auth.exec(t, "GRANT ALL ON SCHEMA public TO "+role)
	u.User = url.UserPassword(role, "hunter2")
	for _, missing := range []string{"USAGE ON SCHEMA auth", "SELECT (id) ON auth.user", "REFERENCES (id) ON auth.user"} {
		refuseStart(t, u.String(), "auth.user", "AUTH_USERS_TABLE: ", "permission denied for")
		auth.exec(t, "GRANT "+strings.Replace(missing, "auth.user", `auth."user"`, 1)+" TO "+role)
	}
	s := newServer(t, u.String(), "AUTH_USERS_TABLE", "auth.user")
	s.as("ann").create(t, "x")
	noAccount(t, s, "bob")
	auth.deleteAccount(t, "ann")
	require.Empty(t, s.as("ann").list(t))
}

func TestAStartDoesNotWaitForTheAccountsForLong(t *testing.T) {
	t.Parallel()
	auth := newAccounts(t, newPostgres(t), "user")
	auth.signUp(t, "ann")
	newServer(t, auth.url).as("ann").create(t, "x")
	before := auth.state(t)
	tx, err := auth.db.Begin()
	require.NoError(t, err)
	_, err = tx.Exec(`UPDATE "user" SET name = 'y'`)
	require.NoError(t, err)
	refuseStart(t, auth.url, "user", "AUTH_USERS_TABLE: ", "lock timeout")
	require.NoError(t, tx.Rollback())
	require.Equal(t, before, auth.state(t))
	require.Len(t, auth.start(t).as("ann").list(t), 1)
}
