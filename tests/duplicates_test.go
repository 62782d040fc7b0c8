package tests

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"taskapi/models"
)

// atOnce sends a POST with a key from many clients, by turns to each of the replicas, and returns the answers.
func atOnce(t testing.TB, clients int, user, key string, replicas ...*resource) []answer {
	t.Helper()
	answers := make([]answer, clients)
	var group sync.WaitGroup
	for i := range answers {
		r := replicas[i%len(replicas)]
		group.Go(func() { answers[i] = r.s.sendUnchecked(t, r.keyed(user, key)) })
	}
	group.Wait()
	return answers
}

// requireOne demands that of some duplicates one created a row, and the others were answered as it was.
func requireOne(t testing.TB, answers []answer) {
	t.Helper()
	var first *answer
	for i, got := range answers {
		require.Equal(t, 201, got.StatusCode, "%s", got.body)
		if got.Header.Get("Idempotency-Replayed") == "" {
			require.Nil(t, first, "two created a row")
			first = &answers[i]
		}
	}
	require.NotNil(t, first)
	for _, got := range answers {
		if got.Header.Get("Idempotency-Replayed") != "" {
			requireReplay(t, *first, got)
		}
	}
}

func TestDuplicatesAtOnceMakeOneRowOnWhicheverReplica(t *testing.T) {
	eachReplicated(t, func(t *testing.T, replicas []*resource) {
		r := replicas[0]
		for i, key := range []string{"first", "second", "second"} { // "first" is the first request of a new user
			r.s.age(t, "ann", 25*time.Hour) // so that the third round replaces a key
			requireOne(t, atOnce(t, 64, "ann", key, replicas...))
			require.Len(t, r.list(t, "ann"), i+1)
		}
	})
}

// holdKey begins on another server what a request with the same key and another body does, and does not end it.
func holdKey(t testing.TB, other *server, path, user, key string) (tx *gorm.DB) {
	t.Helper()
	tx = models.AcrossOwners(other.db).Begin()
	require.NoError(t, tx.Error)
	t.Cleanup(func() { tx.Rollback() })
	created := models.Created{Location: "x", ETag: "x", Body: "x"}
	require.NoError(t, tx.Create(&models.IdempotencyKey{UserID: user, Path: path, Key: key, Digest: "x", Created: created}).Error)
	return tx
}

func TestDuplicatesThatWaitKeepNobodyOut(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		s, other := newServer(t, databaseURL, "DB_MAX_CONNS", "2"), newServer(t, databaseURL)
		r, postgres := s.resources(t)[0], s.db.Name() == "postgres"
		r.create(t, "ann", r.example)
		r.create(t, "bob", r.example)
		held := holdKey(t, other, r.path, "ann", "k")
		answers := make(chan []answer)
		go func() { answers <- atOnce(t, 64, "ann", "k", r) }()
		s.awaitInFlight(t, 64)
		time.Sleep(200 * time.Millisecond) // until each waits where it does
		start := time.Now()
		for i := range 5 {
			r.list(t, "bob")
			if postgres { // on SQLite, the transaction holds all writers up
				r.create(t, "bob", r.example)
				r.once(t, "bob", fmt.Sprint(i))
			}
		}
		require.Less(t, time.Since(start), 3*time.Second, "bob waited for ann's duplicates")
		require.NoError(t, held.Rollback().Error)
		requireOne(t, <-answers)
		require.Len(t, r.list(t, "ann"), 2)
	})
}

func TestADuplicateWaitsNoLongerThanTheDeadline(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		s, other := newServer(t, databaseURL, "REQUEST_TIMEOUT", "3s"), newServer(t, databaseURL)
		r := s.resources(t)[0]
		r.create(t, "ann", r.example)
		held := holdKey(t, other, r.path, "ann", "k")
		start := time.Now()
		for _, got := range atOnce(t, 8, "ann", "k", r) {
			unavailable(t, got)
		}
		require.Less(t, time.Since(start), 7*time.Second)
		require.NoError(t, held.Commit().Error)
		s.ask(t, 422, r.keyed("ann", "k")) // with the digest of another body
		require.Len(t, r.list(t, "ann"), 1)
		s.age(t, "ann", 25*time.Hour)
		requireOne(t, atOnce(t, 8, "ann", "k", r))
	})
}
