package tests

import (
	"context"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"taskapi/models"
	"taskapi/models/database"
)

// citusStatements returns the statements of deploy/citus.sql.
func citusStatements(t testing.TB) (statements []string) {
	t.Helper()
	text, err := os.ReadFile("../deploy/citus.sql")
	require.NoError(t, err)
	bare := regexp.MustCompile(`(?m) *--.*$`).ReplaceAllString(string(text), "")
	for statement := range strings.SplitSeq(bare, ";") {
		if statement = strings.TrimSpace(statement); statement != "" {
			statements = append(statements, statement)
		}
	}
	return statements
}

func TestTheFileForCitusTreatsAllTablesOfUsersRowsAlike(t *testing.T) {
	t.Parallel()
	db := newServer(t, newSQLite(t)).db
	var drop, key, distribute, add []string
	for _, model := range append(models.Owned(), &models.IdempotencyKey{}) {
		table := tableOf(t, db, model)
		drop = append(drop, "ALTER TABLE "+table+" DROP CONSTRAINT fk_"+table+"_user")
		if _, keyed := model.(*models.IdempotencyKey); !keyed {
			key = append(key, "ALTER TABLE "+table+" DROP CONSTRAINT "+table+"_pkey, ADD PRIMARY KEY (user_id, id)")
		}
		distribute = append(distribute, "SELECT create_distributed_table('"+table+"', 'user_id', colocate_with => 'users')")
		add = append(add, "ALTER TABLE "+table+" ADD CONSTRAINT fk_"+table+"_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE")
	}
	distribute = append([]string{"SELECT create_distributed_table('users', 'id')"}, distribute...)
	require.Equal(t, strings.Join(append(append(append(drop, key...), distribute...), add...), ";\n"), strings.Join(citusStatements(t), ";\n"))
}

// standIn is a function that refuses a table for the reasons of Citus's function of that name, and notes the others.
const standIn = `CREATE TABLE distributed (place serial, call text);
CREATE FUNCTION create_distributed_table(of regclass, key text, colocate_with text DEFAULT '') RETURNS void LANGUAGE plpgsql AS $$ BEGIN
	IF EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND of IN (conrelid, confrelid)) THEN
		RAISE '% has a foreign key', of;
	END IF;
	IF EXISTS (SELECT FROM pg_index WHERE indrelid = of AND indisunique AND
			NOT (SELECT attnum FROM pg_attribute WHERE attrelid = of AND attname = key) = ANY (indkey)) THEN
		RAISE 'a unique key of % lacks %', of, key;
	END IF;
	INSERT INTO distributed (call) VALUES (concat_ws(' ', of, key, colocate_with));
END $$`

// distribute makes the program's tables, unless they exist, and runs deploy/citus.sql.
func distribute(t testing.TB, databaseURL string) {
	t.Helper()
	cfg, err := parse("BETTER_AUTH_SECRET", testSecret, "DATABASE_URL", databaseURL)
	require.NoError(t, err)
	require.NoError(t, database.Migrate(context.Background(), cfg, models.Owned(), slog.New(slog.DiscardHandler)))
	openDirectly(t, databaseURL, append([]string{standIn}, citusStatements(t)...)...)
	t.Log(isDistributed)
}

const isDistributed = "the tables are distributed"

// distributedTests run a second time, on distributed tables.
var distributedTests = []string{
	"TestARowOfAnyResourceGoesThroughAllEndpoints",
	"TestADeletedTaskIsGoneAndItsIDNeverComesBack",
	"TestTheVersionGrowsByOneAtEachChangeAndNeverElse",
	"TestAPatchSetsEachFieldByItselfAndNothingElse",
	"TestOnlyTheHeadersOfSafeRetriesAndVersionsCostFurtherStatements",
	"TestARowOrListThatTheClientHasIs304WithoutABody",
	"TestTheListIsNewestFirstAndFiltered",
	"TestFollowingTheLinksGivesTheWholeListInEachOrder",
	"TestTheCountIsThatOfAllMatchesAndComesOnlyWhenItIsAskedFor",
	"TestASearchFindsWhatHasEveryWord",
	"TestTheSameKeyMakesOneRowAndIsAnsweredTheSame",
	"TestKeysOfTwoUsersOrResourcesNeverMeet",
	"TestAfterAnErrorTheKeyIsFree",
	"TestAKeyIsFreeAfterADay",
	"TestADeletedUserTakesItsKeysAlong",
	"TestDuplicatesAtOnceMakeOneRowOnWhicheverReplica",
	"TestNoRouteShowsOrChangesAnotherUsersRow",
	"TestAHundredClientsOfTenUsersAtOnceSeeExactlyTheirOwn",
	"TestAToggleUnderConcurrencyLosesNothing",
	"TestManyNewUsersAtOnceAllSucceed",
}

func TestTheContractHoldsOnDistributedTables(t *testing.T) {
	if raceDetector || testing.Short() {
		t.Skip("runs tests that have been run, on other tables")
	}
	if postgresURL == "" {
		t.Skip(noPostgres)
	}
	t.Parallel()
	which := "-test.run=^(" + strings.Join(distributedTests, "|") + ")$/^PostgreSQL$"
	out := runIn(t, ".", "env", "TEST_DISTRIBUTED=1", os.Args[0], "-test.v", which)
	for _, name := range distributedTests {
		require.Contains(t, out, "--- PASS: "+name+"/PostgreSQL ")
	}
	require.GreaterOrEqual(t, strings.Count(out, isDistributed), len(distributedTests))
}

func TestAServerTakesTheTablesThatTheFileForCitusLeavesAsTheyAre(t *testing.T) {
	t.Parallel()
	databaseURL := newPostgres(t)
	direct := newAccounts(t, databaseURL, "unrelated")
	s := newServer(t, databaseURL)
	r := s.resources(t)[0]
	first := r.once(t, "ann", "k")
	r.create(t, "bob", r.example)
	before := direct.state(t)
	distribute(t, databaseURL)
	require.Equal(t, []string{"users id ", "tasks user_id users", "idempotency_keys user_id users"},
		direct.strings(t, "SELECT call FROM distributed ORDER BY place"))
	direct.exec(t, "DROP TABLE distributed")
	after := direct.state(t)
	key := strings.NewReplacer("PRIMARY KEY (id)", "PRIMARY KEY (user_id, id)", "USING btree (id)", "USING btree (user_id, id)")
	for i := range before {
		if strings.Contains(before[i], "tasks_pkey") {
			before[i] = key.Replace(before[i])
		}
	}
	require.Equal(t, before, after, "more than the primary key has changed")
	for _, migrate := range []string{"true", "false", "true"} {
		s = newServer(t, databaseURL, "AUTO_MIGRATE", migrate)
		require.Equal(t, after, direct.state(t), "the start has changed the tables")
	}
	r = s.resources(t)[0]
	requireReplay(t, first, s.ask(t, 201, r.keyed("ann", "k")))
	direct.exec(t, "DELETE FROM users WHERE id = 'ann'")
	require.Empty(t, r.list(t, "ann"))
	require.Empty(t, s.keys(t))
	require.Len(t, r.list(t, "bob"), 1)
}

func TestOnDistributedTablesEachStatementNamesTheOneUserWhoseRowsItReaches(t *testing.T) {
	t.Parallel()
	databaseURL := newPostgres(t)
	distribute(t, databaseURL)
	s := newServer(t, databaseURL)
	r := s.resources(t)[0]
	var sent []string
	var vars [][]any
	s.onStatement(func(text string, of []any) { sent, vars = append(sent, text), append(vars, slices.Clone(of)) })
	r.once(t, "ann", "k")
	of := r.create(t, "ann", r.example)
	for _, query := range []string{"", "?status=pending&q=a&count=true&limit=1", "?sort=-title&limit=1"} {
		got := s.ask(t, 200, request{method: "GET", path: r.path + query, user: "ann"})
		if link := got.Header.Get("Link"); link != "" {
			s.ask(t, 200, request{method: "GET", path: r.path + strings.TrimPrefix(strings.Split(link, ">")[0], "<"), user: "ann"})
		}
	}
	s.ask(t, 200, request{method: "GET", path: of.path, user: "ann"})
	for _, write := range r.writes("ann", of) {
		s.ask(t, 412, write.withHeader("If-Match", `"70"`))
		s.sendUnchecked(t, write)
	}
	require.Greater(t, len(sent), 20)
	for i, text := range sent {
		require.Contains(t, vars[i], "ann", text)
		if !strings.HasPrefix(text, "INSERT INTO ") {
			tables := strings.Count(text, "FROM ") + strings.Count(text, `UPDATE "`)
			require.Equal(t, tables, strings.Count(text, `"user_id" = $`), text)
		}
	}
	require.Contains(t, strings.Join(sent, ""), "SKIP LOCKED", "the sweep is not among them")
}

func TestOnDistributedTablesAUsersKeysAreSweptByTheirOwnRequests(t *testing.T) {
	t.Parallel()
	databaseURL := newPostgres(t)
	distribute(t, databaseURL)
	s := newServer(t, databaseURL)
	r := s.resources(t)[0]
	for _, user := range []string{"ann", "bob"} {
		r.once(t, user, "old")
		s.age(t, user, 25*time.Hour)
	}
	r.once(t, "ann", "new")
	require.Equal(t, map[string]int{"ann": 1, "bob": 1}, s.keys(t))
	r.once(t, "bob", "new")
	require.Equal(t, map[string]int{"ann": 1, "bob": 1}, s.keys(t))
}
