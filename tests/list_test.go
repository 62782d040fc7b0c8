package tests

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAListThatDoesNotFitInMemoryIs503AndNamesLimit(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector a list of this size takes longer than its deadline")
	}
	eachEngine(t, func(t *testing.T, s *server) {
		createEscapedTasks(t, s, "ann", 9500) // 70 MB
		s.as("bob").create(t, "x")
		for range 2 { // nothing of the first one stays
			got := s.as("ann").call(t, 503, "GET", "/api/tasks")
			require.JSONEq(t,
				`{"detail": "The list is larger than the server's memory for answers: ask for fewer rows with limit"}`, string(got.body))
			require.Equal(t, "1", got.Header.Get("Retry-After"))
			require.Len(t, s.as("bob").list(t), 1)
		}
		require.Len(t, s.as("ann").call(t, 200, "GET", "/api/tasks?status=completed").body, len("[]"))
	})
}

func TestAListOfAnySizeIsWholeAndItsHeadSaysItsLength(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		for user, tasks := range map[string]int{"nobody": 0, "one": 1, "a block and more": 12, "large": 300} {
			if tasks > 0 {
				createEscapedTasks(t, s, user, tasks)
			}
			s.logs.text.Reset()
			got := s.as(user).call(t, 200, "GET", "/api/tasks")
			require.Len(t, decode[[]task](t, got), tasks, user)
			require.Equal(t, "application/json", got.Header.Get("Content-Type"))
			head := s.as(user).call(t, 200, "HEAD", "/api/tasks")
			require.Empty(t, head.body, user)
			for name, answer := range map[string]answer{"GET": got, "HEAD": head} {
				require.Equal(t, strconv.Itoa(len(got.body)), answer.Header.Get("Content-Length"), "%s %s", name, user)
			}
			for _, line := range s.logs.lines(t, "request") {
				require.EqualValues(t, len(got.body), line["bytes"], user)
			}
		}
	})
}

func TestListsThatAreScannedLeaveAConnectionToWrite(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	rows := 500
	if raceDetector {
		rows = 50 // few enough for the deadline
	}
	createEscapedTasks(t, s, "ann", rows)
	done := make(chan bool)
	for range 16 {
		go func() {
			defer func() { done <- true }() // also after a failure, which ends the goroutine
			assert.Len(t, s.as("ann").list(t), rows)
		}()
	}
	for left := 16; left > 0; {
		s.as("bob").create(t, "x")
		select {
		case <-done:
			left--
		default:
		}
	}
	pool, err := s.db.DB()
	require.NoError(t, err)
	require.Zero(t, pool.Stats().WaitCount, "a statement waited for a connection that a list had")
}
