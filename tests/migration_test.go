package tests

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"taskapi/config"
	"taskapi/models"
	"taskapi/models/database"
)

// startSix opens a database six times at once, as replicas do.
func startSix(t *testing.T, settings ...string) {
	t.Helper()
	cfg, err := parse(settings...)
	require.NoError(t, err)
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			db, err := database.Open(context.Background(), cfg, models.Owned(), slog.New(slog.DiscardHandler))
			if assert.NoError(t, err) {
				assert.NoError(t, database.Close(db))
			}
		})
	}
	group.Wait()
}

func TestSixReplicasStartAtOnceOnAnEmptyDatabase(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		startSix(t, "DATABASE_URL", databaseURL)
		newServer(t, databaseURL).as("ann").create(t, "x")
	})
}

func TestSixServersThatMakeTheSameFileDoNotLockEachOtherOut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 100 { // two of them must change the file's mode in the same moment
		startSix(t, "DATABASE_URL", fmt.Sprintf("sqlite://%s/%d.db", dir, i))
	}
}

func TestASecondStartChangesNothing(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		first := newServer(t, databaseURL)
		first.as("ann").create(t, "x")
		gone := first.as("ann").create(t, "gone")
		first.as("ann").call(t, 204, "DELETE", path(gone.ID))
		db := models.AcrossOwners(first.db)
		if db.Name() == "postgres" { // any change of the schema fails from here on
			require.NoError(t, db.Exec(`CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql
				AS $$ BEGIN RAISE 'DDL: %', tg_tag; END $$`).Error)
			require.NoError(t, db.Exec(`CREATE EVENT TRIGGER refuse ON ddl_command_start EXECUTE FUNCTION refuse()`).Error)
			require.Error(t, db.Exec("CREATE TABLE x ()").Error)
		}
		version := func() (v int) {
			if db.Name() == "sqlite" {
				require.NoError(t, db.Raw("PRAGMA schema_version").Scan(&v).Error)
			}
			return v
		}
		before := version()
		second := newServer(t, databaseURL)
		require.Equal(t, before, version())
		require.Len(t, second.as("ann").list(t), 1)
		require.Greater(t, second.as("ann").create(t, "y").ID, gone.ID, "an id is given out again after a restart")
		if db.Name() == "postgres" {
			require.NoError(t, db.Exec("DROP EVENT TRIGGER refuse").Error)
		}
	})
}

func TestTheTableIsTheContractsOnPostgreSQL(t *testing.T) {
	t.Parallel()
	databaseURL := newPostgres(t)
	newServer(t, databaseURL)
	conn, err := pgx.Connect(context.Background(), withoutPooler(t, databaseURL))
	require.NoError(t, err)
	defer conn.Close(context.Background())
	rows := func(query string) []string {
		found, err := conn.Query(context.Background(), query)
		require.NoError(t, err)
		list, err := pgx.CollectRows(found, pgx.RowTo[string])
		require.NoError(t, err)
		return list
	}
	require.Equal(t, []string{
		"id bigint not null", "user_id character varying(255) not null", "title character varying(200) not null",
		"description character varying(1000)", "completed boolean not null default false",
		"created_at timestamp with time zone not null", "updated_at timestamp with time zone not null",
		"version bigint not null default 1",
	}, rows(`SELECT attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' not null' ELSE '' END
		|| CASE WHEN attname IN ('completed', 'version') THEN ' default ' || pg_get_expr(adbin, adrelid) ELSE '' END
		FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
		WHERE attrelid = 'tasks'::regclass AND attnum > 0 ORDER BY attnum`))
	constraints := rows(`SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'tasks'::regclass`)
	for _, want := range []string{
		"PRIMARY KEY (id)", "FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE", "length((title)::text) >= 1",
	} {
		require.True(t, slices.ContainsFunc(constraints, func(c string) bool { return strings.Contains(c, want) }), "%s in %s", want, constraints)
	}
	indexes := strings.Join(rows(`SELECT indexdef FROM pg_indexes WHERE tablename = 'tasks'`), "\n")
	require.Contains(t, indexes, "(user_id, created_at, id)")
	require.Contains(t, indexes, "(user_id, completed, created_at, id)")
}

func TestEveryListIsReadFromAnIndexInItsOrder(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		s.as("ann").create(t, "x")
		conn := models.AcrossOwners(s.db)
		explain := "EXPLAIN QUERY PLAN "
		if s.db.Name() == "postgres" {
			explain = "EXPLAIN "
			pool, err := s.db.DB()
			require.NoError(t, err)
			pool.SetMaxOpenConns(1) // so that the setting, which a small table needs, holds
			require.NoError(t, conn.Exec("SET enable_seqscan = off; SET enable_bitmapscan = off").Error)
		}
		for _, filter := range []string{"", "AND completed = false"} {
			rows, err := conn.Raw(explain + "SELECT * FROM tasks WHERE user_id = 'ann' " + filter + " ORDER BY created_at DESC, id DESC").Rows()
			require.NoError(t, err)
			defer rows.Close()
			columns, err := rows.Columns()
			require.NoError(t, err)
			var plan strings.Builder
			for rows.Next() {
				line := make([]any, len(columns))
				for i := range line {
					line[i] = new(string)
				}
				require.NoError(t, rows.Scan(line...))
				plan.WriteString(*line[len(line)-1].(*string) + "\n")
			}
			require.NoError(t, rows.Err())
			require.Contains(t, plan.String(), "idx_tasks_user_")
			require.NotContains(t, plan.String(), "Sort")
			require.NotContains(t, plan.String(), "TEMP B-TREE")
		}
	})
}

func TestATableOfTasksThatWasMadeElsewhereIsTakenOver(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		database, err := config.ParseDatabaseURL(databaseURL)
		require.NoError(t, err)
		// As SQLModel creates it, with times in UTC without a zone.
		create := "\nCREATE TABLE tasks (\n\tid INTEGER NOT NULL, \n\tuser_id VARCHAR NOT NULL, \n\ttitle VARCHAR(200) NOT NULL, \n" +
			"\tdescription VARCHAR, \n\tcompleted BOOLEAN NOT NULL, \n\tcreated_at DATETIME NOT NULL, \n" +
			"\tupdated_at DATETIME NOT NULL, \n\tPRIMARY KEY (id)\n)\n\n"
		if database.Engine == config.PostgreSQL {
			create = strings.ReplaceAll(strings.Replace(create, "INTEGER", "SERIAL", 1), "DATETIME", "TIMESTAMP")
		}
		elsewhere := openDirectly(t, databaseURL, create, "CREATE INDEX ix_tasks_user_id ON tasks (user_id)",
			"INSERT INTO tasks (user_id, title, description, completed, created_at, updated_at)"+
				" VALUES ('ann', 'old', 'kept', true, '2026-01-08 10:30:00.123456', '2026-01-09 10:30:00.000000')")
		before := storage(t, databaseURL, elsewhere)
		for start := range 2 {
			s := newServer(t, databaseURL)
			require.Equal(t, before, storage(t, databaseURL, elsewhere), "the table was rewritten")
			require.EqualValues(t, 1+start, versionOf(t, elsewhere, 1))
			ann := s.as("ann")
			list := ann.list(t)
			old := list[len(list)-1]
			require.Equal(t, "2026-01-08T10:30:00.123456Z", old.CreatedAt)
			require.Equal(t, "old", old.Title)
			require.Equal(t, "kept", *old.Description)
			created := ann.call(t, 201, "POST", "/api/tasks", `{"title":"new"}`)
			require.Equal(t, string(created.body), string(ann.call(t, 200, "GET", path(decode[task](t, created).ID)).body))
			require.Equal(t, "new", ann.list(t)[0].Title)
			require.Equal(t, old.CreatedAt, decode[task](t, ann.call(t, 200, "PATCH", path(old.ID)+"/complete")).CreatedAt)
			s.as("bob").create(t, "bob's")
		}
	})
}

func TestATableThatTakesTheIDsOfSeveralUsersForOneIsRefused(t *testing.T) {
	buildProgram(t)
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		database, err := config.ParseDatabaseURL(databaseURL)
		require.NoError(t, err)
		newServer(t, databaseURL).as("ann").create(t, "x")
		columns := []string{"text COLLATE NOCASE", "text COLLATE RTRIM", "numeric"}
		if database.Engine == config.PostgreSQL {
			columns = []string{"varchar(255) COLLATE anycase", "text COLLATE anycase", "char(255)"}
			// PostgreSQL 18 demands the same collation on both sides of the key.
			openDirectly(t, databaseURL, "ALTER TABLE tasks DROP CONSTRAINT fk_tasks_user",
				"CREATE COLLATION anycase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
		}
		before := "text"
		for _, column := range columns {
			change := "ALTER TABLE tasks ALTER user_id TYPE " + column
			if database.Engine == config.SQLite {
				change = fmt.Sprintf("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, '`user_id` %s', '`user_id` %s')"+
					" WHERE name = 'tasks'; PRAGMA writable_schema = RESET; REINDEX", before, column)
			}
			openDirectly(t, databaseURL, change)
			before = column
			for _, migrate := range []string{"AUTO_MIGRATE=true", "AUTO_MIGRATE=false"} {
				got := newHome(t).run(t, inProduction("PORT=0", "DATABASE_URL="+databaseURL, migrate))
				refused(t, got, 1)
				require.Contains(t, got.stderr, "its column user_id", column)
			}
		}
	})
}

func TestARowThatTheDatabaseDoesNotTakeIsNotAcknowledged(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		s := newServer(t, databaseURL)
		ann := s.as("ann")
		ann.create(t, "x")
		triggers := []string{"CREATE TRIGGER refuse BEFORE INSERT ON tasks BEGIN SELECT RAISE(IGNORE); END"}
		if s.db.Name() == "postgres" {
			triggers = []string{
				"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
				"CREATE TRIGGER refuse BEFORE INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION refuse()",
			}
		}
		elsewhere := openDirectly(t, databaseURL, triggers...)
		keyed := request{
			method: "POST", path: "/api/tasks", user: "ann", body: `{"title":"y"}`, header: map[string]string{"Idempotency-Key": "k"},
		}
		require.Equal(t, 500, s.send(t, keyed).StatusCode)
		ann.call(t, 500, "POST", "/api/tasks", `{"title":"y"}`)
		require.Len(t, ann.list(t), 1)
		drop := "DROP TRIGGER refuse"
		if s.db.Name() == "postgres" {
			drop += " ON tasks"
		}
		_, err := elsewhere.Exec(drop)
		require.NoError(t, err)
		require.Equal(t, 201, s.send(t, keyed).StatusCode, "the key was kept for a row that is not there")
	})
}

func TestAMigrationNeverCutsATextShort(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		id := map[bool]string{true: "SERIAL", false: "INTEGER"}[strings.HasPrefix(databaseURL, "postgres:")]
		direct := openDirectly(t, databaseURL,
			"CREATE TABLE tasks (id "+id+" PRIMARY KEY, user_id VARCHAR(255) NOT NULL, title VARCHAR(500) NOT NULL,"+
				" description VARCHAR, completed BOOLEAN NOT NULL, created_at TIMESTAMP NOT NULL, updated_at TIMESTAMP NOT NULL)",
			"INSERT INTO tasks VALUES (1, 'ann', '"+strings.Repeat("x", 300)+"', NULL, false, '2026-01-08', '2026-01-08')")
		cfg, err := parse("DATABASE_URL", databaseURL)
		require.NoError(t, err)
		_, err = database.Open(context.Background(), cfg, models.Owned(), slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, "chk_tasks_title", "what breaks the rules stops the start")
		var length int
		require.NoError(t, direct.QueryRow("SELECT length(title) FROM tasks").Scan(&length))
		require.Equal(t, 300, length)
	})
}

// openDirectly opens a database without the program, and without a pooler, and executes statements.
func openDirectly(t testing.TB, databaseURL string, statements ...string) *sql.DB {
	t.Helper()
	database, err := config.ParseDatabaseURL(databaseURL)
	require.NoError(t, err)
	driver := map[config.Engine]string{config.SQLite: "sqlite", config.PostgreSQL: "pgx"}[database.Engine]
	source := database.Source
	if database.Engine == config.PostgreSQL {
		source = withoutPooler(t, databaseURL)
	}
	direct, err := sql.Open(driver, source)
	require.NoError(t, err)
	t.Cleanup(func() { _ = direct.Close() })
	for _, statement := range statements {
		_, err = direct.Exec(statement)
		require.NoError(t, err)
	}
	return direct
}

func TestSQLiteFlushesEachCommitToTheDisk(t *testing.T) {
	t.Parallel()
	var level int
	require.NoError(t, models.AcrossOwners(newServer(t, newSQLite(t)).db).Raw("PRAGMA synchronous").Scan(&level).Error)
	require.Equal(t, 2, level, "FULL")
	require.True(t, sqlite.FdatasyncEnabled() || runtime.GOOS != "linux")
}

func TestTheServerCannotWriteSQLitesSchemaByHand(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	require.ErrorContains(t, models.AcrossOwners(s.db).Exec("UPDATE sqlite_schema SET sql = sql").Error, "may not be modified")
}
