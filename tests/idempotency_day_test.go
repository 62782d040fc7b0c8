package tests

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm/logger"

	"taskapi/models"
)

// age makes the keys of a user as old as given.
func (s *server) age(t testing.TB, user string, age time.Duration) {
	t.Helper()
	keys := models.AcrossOwners(s.db).Model(&models.IdempotencyKey{}).Where("user_id = ?", user)
	require.NoError(t, keys.UpdateColumn("created_at", time.Now().UTC().Add(-age)).Error)
}

func TestAKeyIsFreeAfterADay(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		first := r.once(t, "ann", "k")
		r.s.age(t, "ann", 24*time.Hour-time.Minute)
		requireReplay(t, first, r.s.ask(t, 201, r.keyed("ann", "k")))
		r.s.age(t, "ann", 24*time.Hour)
		second := r.once(t, "ann", "k")
		require.NotEqual(t, first.Header.Get("Location"), second.Header.Get("Location"))
		requireReplay(t, second, r.s.ask(t, 201, r.keyed("ann", "k")))
		r.s.age(t, "ann", 25*time.Hour)
		other := r.keyed("ann", "k")
		other.body = toBody(r.example) + " "
		require.Empty(t, r.s.ask(t, 201, other).Header.Get("Idempotency-Replayed"))
		r.s.ask(t, 422, r.keyed("ann", "k"))
		require.Len(t, r.list(t, "ann"), 3)
	})
}

func TestExpiredKeysAreSweptByTheKeyedRequestsOfAnyone(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		r := s.resources(t)[0]
		for i := range 25 {
			r.once(t, fmt.Sprint("old-", i%2), fmt.Sprint(i))
		}
		r.once(t, "young", "k")
		s.age(t, "old-0", 25*time.Hour)
		s.age(t, "old-1", 2500*time.Hour)
		s.age(t, "young", 23*time.Hour)
		r.create(t, "ann", r.example)
		expired := func() int { return s.keys(t)["old-0"] + s.keys(t)["old-1"] }
		require.Equal(t, 25, expired(), "a request without a key costs nothing")
		requests := 0
		for left := 25; left > 0; left = expired() {
			r.once(t, "ann", fmt.Sprint("k", requests))
			require.Less(t, expired(), left)
			require.LessOrEqual(t, left-expired(), 10, "too many at once")
			requests++
		}
		require.Equal(t, map[string]int{"young": 1, "ann": requests}, s.keys(t))
		require.Len(t, r.list(t, "old-0"), 13, "a swept key took its row along")
	})
}

// statementLog is a logger of GORM's that has a function look at each statement that is sent.
type statementLog struct {
	logger.Interface
	look func(text string, vars []any)
}

// Trace implements [logger.Interface].
func (l statementLog) Trace(ctx context.Context, begin time.Time, text func() (string, int64), err error) {
	sql, rows := text()
	l.Interface.Trace(ctx, begin, func() (string, int64) { return sql, rows }, err)
}

// ParamsFilter implements [gorm.ParamsFilter].
func (l statementLog) ParamsFilter(_ context.Context, sql string, vars ...any) (string, []any) {
	l.look(sql, vars)
	return sql, nil
}

// onStatement has a function look at each statement that the server sends.
func (s *server) onStatement(look func(text string, vars []any)) {
	s.db.Logger = statementLog{s.db.Logger, look}
}

// countStatements returns how many statements the server has sent since.
func (s *server) countStatements() (since func() int64) {
	var count atomic.Int64
	s.onStatement(func(string, []any) { count.Add(1) })
	return func() int64 { return count.Swap(0) }
}

func TestOnlyTheHeadersOfSafeRetriesAndVersionsCostFurtherStatements(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		first := r.keyed("new", "first")
		since := r.s.countStatements()
		r.s.ask(t, 201, first)
		require.LessOrEqual(t, since(), int64(8), "the first row of a user, with a key")
		of := r.create(t, "new", r.example)
		require.EqualValues(t, 1, since())
		r.once(t, "new", "second")
		require.LessOrEqual(t, since(), int64(4), "look, sweep, add the row, add the key")
		r.s.ask(t, 201, first)
		require.EqualValues(t, 1, since(), "a replay")
		for _, read := range []string{r.path, of.path} {
			r.s.ask(t, 304, request{method: "GET", path: read, user: "new", header: map[string]string{"If-None-Match": "*"}})
			require.EqualValues(t, 1, since())
		}
		writes := r.writes("new", of)
		for _, write := range writes {
			r.s.ask(t, 412, write.withHeader("If-Match", `"7"`))
			require.EqualValues(t, 2, since(), "the statement, and whether there is a row")
		}
		for _, write := range writes {
			match := write.withHeader("If-Match", `*`)
			require.Less(t, r.s.sendUnchecked(t, match).StatusCode, 300)
			require.EqualValues(t, 1, since())
		}
		r.s.ask(t, 404, writes[0])
		require.EqualValues(t, 1, since())
	})
}
