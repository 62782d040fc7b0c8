package tests

import (
	"context"
	"errors"
	"io"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"taskapi/config"
	"taskapi/models"
	"taskapi/models/transfer"
)

// tableOf is the name of a model's table.
func tableOf(t testing.TB, db *gorm.DB, model any) string {
	t.Helper()
	stmt := &gorm.Statement{DB: db}
	require.NoError(t, stmt.Parse(model))
	return stmt.Schema.Table
}

// unguarded names the ways of GORM to reach a model's rows that the guard of isolation lets pass. There must be none.
func unguarded(db *gorm.DB, model any) (ways []string) {
	kind := reflect.TypeOf(model).Elem()
	one := func() any { return reflect.New(kind).Interface() }
	several := func() any { return reflect.New(reflect.SliceOf(kind)).Interface() }
	stmt := &gorm.Statement{DB: db}
	if err := stmt.Parse(model); err != nil {
		return []string{err.Error()}
	}
	table := stmt.Schema.Table
	someones := map[string]any{"id": 1, "user_id": "ann"}
	for name, way := range map[string]struct {
		reach func() error
		fault error
	}{
		"Find":    {func() error { return db.Find(several()).Error }, models.ErrNotConfined},
		"Take":    {func() error { return db.Take(one(), "id = 1").Error }, models.ErrNotConfined},
		"Count":   {func() error { return db.Model(one()).Count(new(int64)).Error }, models.ErrNotConfined},
		"Pluck":   {func() error { return db.Model(one()).Pluck("id", &[]int64{}).Error }, models.ErrNotConfined},
		"Table":   {func() error { return db.Table(table).Find(&[]map[string]any{}).Error }, models.ErrNotConfined},
		"Raw":     {func() error { return db.Raw("SELECT * FROM " + table).Scan(several()).Error }, models.ErrNotConfined},
		"Exec":    {func() error { return db.Exec("DELETE FROM " + table).Error }, models.ErrNotConfined},
		"Update":  {func() error { return db.Model(one()).Where("id = 1").Update("id", 2).Error }, models.ErrNotConfined},
		"Delete":  {func() error { return db.Delete(one(), 1).Error }, models.ErrNotConfined},
		"no user": {func() error { return db.Scopes(models.OwnedBy("")).Find(several()).Error }, models.ErrNoOwner},
		"Create":  {func() error { return db.Create(one()).Error }, models.ErrNoOwner},
		"an upsert": {func() error {
			return db.Model(one()).Clauses(clause.OnConflict{UpdateAll: true}).Create(someones).Error
		}, models.ErrUpsert},
	} {
		if !errors.Is(way.reach(), way.fault) {
			ways = append(ways, name)
		}
	}
	return ways
}

func TestTheGuardStopsWhateverReachesAnOwnedModelWithoutItsOwner(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		require.NotEmpty(t, models.Owned())
		for _, model := range models.Owned() {
			t.Run(tableOf(t, s.db, model), func(t *testing.T) {
				require.Empty(t, unguarded(s.db, model))
			})
		}
		require.NotEmpty(t, unguarded(s.db, &models.User{}), "nobody owns a user: the test cannot fail")
	})
}

// notInACopy are the tables that a copy leaves out, and why.
var notInACopy = map[string]string{
	"sqlite_sequence":  "SQLite's own, with the last ids that were given out; the copy sets them",
	"idempotency_keys": "they answer the retries of one day, and are not worth a copy",
}

// copyModels copies a database with the tables of the owned models.
func copyModels(t testing.TB, from, to string, owned []any) error {
	t.Helper()
	source, err := config.ParseDatabaseURL(from)
	require.NoError(t, err)
	target, err := config.ParseDatabaseURL(to)
	require.NoError(t, err)
	_, err = transfer.Copy(context.Background(), source, target, owned, io.Discard)
	return err
}

// countRows counts the rows of each table that a copy must not leave out.
func countRows(t testing.TB, s *server) map[string]int64 {
	t.Helper()
	db, counts := models.AcrossOwners(s.db), map[string]int64{}
	tables, err := db.Migrator().GetTables()
	require.NoError(t, err)
	for _, table := range tables {
		if notInACopy[table] == "" {
			var count int64
			require.NoError(t, db.Table(table).Count(&count).Error)
			counts[table] = count
		}
	}
	return counts
}

func TestEveryMigratedTableIsCopiedOrNamedAsOneThatIsNot(t *testing.T) {
	eachDatabase(t, func(t *testing.T, from string) {
		source := newServer(t, from)
		doc, err := document()
		require.NoError(t, err)
		makeRows(t, source, doc, nil, "ann")
		want := countRows(t, source)
		require.Contains(t, want, tableOf(t, source.db, &models.User{}))
		for _, model := range models.Owned() {
			require.Contains(t, want, tableOf(t, source.db, model))
		}
		for table, count := range want {
			require.NotZero(t, count, "the copy of the table %s shows nothing: it is empty", table)
		}
		for name, newTarget := range map[string]func(testing.TB) string{"to SQLite": newSQLite, "to PostgreSQL": newPostgres} {
			t.Run(name, func(t *testing.T) {
				to := newTarget(t)
				require.NoError(t, copyModels(t, from, to, models.Owned()))
				require.Equal(t, want, countRows(t, newServer(t, to)))
			})
		}
	})
}
