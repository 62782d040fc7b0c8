package tests

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"taskapi/models"
	"taskapi/models/database"
)

// slowTasks makes the creation of a task with the title slow take a minute.
var slowTasks = map[string][]string{
	"postgres": {
		"CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$",
		"CREATE TRIGGER slow BEFORE INSERT ON tasks FOR EACH ROW WHEN (NEW.title = 'slow') EXECUTE FUNCTION slow()",
	},
	"sqlite": {
		"CREATE VIEW slow AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT i FROM n",
		"CREATE TRIGGER slow BEFORE INSERT ON tasks WHEN NEW.title = 'slow' BEGIN SELECT count(*) FROM slow; END",
	},
}

func TestASlowStatementEndsAtTheDeadlineAndNothingOfItIsLeft(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		databaseURL = withoutPooler(t, databaseURL) // nothing is cancelled through a pooler
		s := newServer(t, databaseURL, "REQUEST_TIMEOUT", "2s")
		elsewhere := openDirectly(t, databaseURL, slowTasks[s.db.Name()]...)
		// backends returns how many connections the program has at the PostgreSQL server, and how many of them are active.
		backends := func() (all, active int) {
			if s.db.Name() == "postgres" {
				assert.NoError(t, elsewhere.QueryRow(`SELECT count(*), count(*) FILTER (WHERE state <> 'idle') FROM pg_stat_activity
					WHERE datname = current_database() AND pid <> pg_backend_pid()`).Scan(&all, &active))
			}
			return all, active
		}
		pool, err := s.db.DB()
		require.NoError(t, err)
		for range 2 {
			var requests sync.WaitGroup
			for range 2 * pool.Stats().MaxOpenConnections {
				requests.Go(func() {
					start := time.Now()
					got := s.send(t, request{method: "POST", path: "/api/tasks", user: "ann", body: `{"title":"slow"}`})
					assert.Equal(t, 503, got.StatusCode)
					assert.Less(t, time.Since(start), 6*time.Second)
				})
			}
			requests.Wait()
			require.Eventually(t, func() bool { _, active := backends(); return active == 0 }, 5*time.Second, 10*time.Millisecond,
				"a statement runs on after its deadline")
			s.as("bob").create(t, "quick")
		}
		require.Eventually(t, func() bool { all, _ := backends(); return all <= pool.Stats().OpenConnections },
			5*time.Second, 10*time.Millisecond)
		require.Empty(t, s.as("ann").list(t))
		require.Len(t, s.as("bob").list(t), 2)
	})
}

// awaitInFlight waits until the metrics count so many requests in flight.
func (s *server) awaitInFlight(t testing.TB, requests int) {
	t.Helper()
	require.Eventually(t, func() bool {
		return strings.Contains(s.metrics(t), fmt.Sprintf("taskapi_http_requests_in_flight %d\n", requests))
	}, 5*time.Second, 5*time.Millisecond)
}

func TestMoreThan1024RequestsThatWaitAreRefusedAtOnce(t *testing.T) {
	if raceDetector {
		t.Skip("so slowed down, the first may be over before the last has come")
	}
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		const most = 1024
		s := newServer(t, databaseURL)
		s.listen(t)
		create := request{method: "POST", path: "/api/tasks", user: "bob", body: `{"title":"x"}`}
		require.Equal(t, 201, s.send(t, create).StatusCode)
		raw := fmt.Sprintf("POST /api/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 13\r\n\r\n{\"title\":\"x\"}",
			tokenOf(t, "ann"))
		unlock := lockTasks(t, newServer(t, databaseURL))
		var waiting [most]net.Conn
		for i := range waiting {
			var err error
			waiting[i], err = net.Dial("tcp", s.address)
			require.NoError(t, err)
			defer waiting[i].Close()
			_, err = waiting[i].Write([]byte(raw))
			require.NoError(t, err)
		}
		s.awaitInFlight(t, most)
		time.Sleep(time.Second) // until each waits in its queue
		for range 5 {
			start := time.Now()
			unavailable(t, s.send(t, create))
			require.Less(t, time.Since(start), 2*time.Second, "the deadline is seven")
			require.Equal(t, 200, s.send(t, request{method: "GET", path: "/health"}).StatusCode)
		}
		require.Len(t, s.logs.answered(t, 503), 5)
		require.Equal(t, "too many requests are in flight", s.logs.answered(t, 503)[0]["cause"])

		unlock()
		answers := map[int]int{}
		for _, conn := range waiting {
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(waitLimit)))
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			answers[response.StatusCode]++
		}
		t.Logf("answers after the lock: %v", answers)
		require.Equal(t, most, answers[201]+answers[503])
		require.Equal(t, 201, s.send(t, create).StatusCode)
		require.GreaterOrEqual(t, len(s.as("ann").list(t)), answers[201])
		require.NotZero(t, answers[201])
	})
}

func TestReadersOfSQLiteDoNotWaitBehindWriters(t *testing.T) {
	t.Parallel()
	databaseURL := newSQLite(t)
	s := newServer(t, databaseURL)
	s.listen(t)
	created := s.as("ann").create(t, "x")
	unlock := lockTasks(t, newServer(t, databaseURL))
	const writers = 20
	answers := make(chan int, writers)
	for range writers {
		go func() {
			answers <- s.send(t, request{method: "PATCH", path: path(created.ID) + "/complete", user: "ann"}).StatusCode
		}()
	}
	s.awaitInFlight(t, writers)
	time.Sleep(100 * time.Millisecond) // until each waits in its queue
	s.as("ann").list(t)
	require.Empty(t, answers)
	unlock()
	for range writers {
		require.Equal(t, 200, <-answers)
	}
}

func TestWritersOfSQLiteDoNotWaitBehindReaders(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	s.as("ann").create(t, "x")
	ctx, cancel := context.WithCancel(context.Background())
	var readers sync.WaitGroup
	for range 20 {
		readers.Go(func() {
			endless := "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n) > 0"
			err := s.db.WithContext(ctx).Scopes(models.OwnedBy("ann")).Where(endless).Find(&[]models.Task{}).Error
			assert.True(t, database.Unavailable(err), "%v", err)
		})
	}
	pool, err := s.db.DB()
	require.NoError(t, err)
	require.Eventually(t, func() bool { return pool.Stats().InUse > 1 }, waitLimit, time.Millisecond)
	time.Sleep(100 * time.Millisecond) // until each waits in its queue
	for range 10 {
		s.as("ann").create(t, "y")
	}
	limited, stop := context.WithTimeout(t.Context(), 5*time.Second)
	defer stop()
	across := models.AcrossOwners(s.db.WithContext(limited))
	part := across.Model(&models.IdempotencyKey{}).Select("key")
	require.NoError(t, across.Where("key IN (?)", part).Delete(&models.IdempotencyKey{}).Error, "a write with a subselect")
	cancel()
	readers.Wait()
	require.Len(t, s.as("ann").list(t), 11)
}

func TestATransactionOnSQLiteNeedsNoTurnToWrite(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	s.listen(t)
	s.as("ann").create(t, "x")
	answers := make(chan int, 1)
	require.NoError(t, s.db.Transaction(func(tx *gorm.DB) error { // takes the file's lock when it begins
		go func() {
			answers <- s.send(t, request{method: "POST", path: "/api/tasks", user: "ann", body: `{"title":"y"}`}).StatusCode
		}()
		s.awaitInFlight(t, 1)
		time.Sleep(100 * time.Millisecond) // until it waits for the lock
		return tx.Create(&models.Task{Owner: models.Owner{UserID: "ann"}, TaskInput: models.TaskInput{Title: "z"}}).Error
	}))
	require.Equal(t, 201, <-answers)
}
