package tests

import (
	"context"
	"database/sql/driver"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"taskapi/models"
)

// sendTogether sends requests that write, so that all of them wait for their turn at once, and returns their answers. Another
// server has the lock of the file meanwhile.
func (s *server) sendTogether(t *testing.T, requests ...request) []answer {
	t.Helper()
	unlock := lockTasks(t, newServer(t, "sqlite://"+s.cfg.Database.Source))
	answers := make([]answer, len(requests))
	var sent sync.WaitGroup
	for i, r := range requests {
		sent.Go(func() { answers[i] = s.send(t, r) })
		s.awaitInFlight(t, i+1)
	}
	time.Sleep(100 * time.Millisecond) // until each waits in its queue
	unlock()
	sent.Wait()
	return answers
}

func TestStatementsThatWaitToWriteToSQLiteAreCommittedTogetherAndEachGetsItsOwnAnswer(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	s.listen(t)
	created := s.as("ann").create(t, "x")
	const most = 40
	log := s.emptyLog(t)
	toggle := request{method: "PATCH", path: path(created.ID) + "/complete", user: "ann"}
	completed, tags := 0, map[string]bool{}
	for _, got := range s.sendTogether(t, slices.Repeat([]request{toggle}, most)...) {
		require.Equal(t, 200, got.StatusCode, "%s", got.body)
		if decode[task](t, got).Completed {
			completed++
		}
		tags[got.Header.Get("ETag")] = true
	}
	require.Equal(t, most/2, completed)
	require.Len(t, tags, most)
	require.Less(t, log(), most)
}

// emptyLog empties the file's log, and returns a function that counts the pages in it since: a commit writes one at least.
func (s *server) emptyLog(t *testing.T) (pages func() int) {
	t.Helper()
	require.NoError(t, models.AcrossOwners(s.db).Exec("PRAGMA wal_checkpoint(TRUNCATE)").Error)
	return func() int {
		log, err := os.Stat(s.cfg.Database.Source + "-wal")
		require.NoError(t, err)
		return int(log.Size() / 4096)
	}
}

func TestStatementsThatTheirGroupCouldNotBeginForAreCommittedTogetherLater(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t), "REQUEST_TIMEOUT", "3s")
	s.listen(t)
	created := s.as("ann").create(t, "x")
	log := s.emptyLog(t)
	unlock := lockTasks(t, newServer(t, "sqlite://"+s.cfg.Database.Source))
	const each = 20
	answers := make(chan int, 3*each)
	var sent sync.WaitGroup
	send := func() {
		for range each {
			sent.Go(func() {
				answers <- s.send(t, request{method: "PATCH", path: path(created.ID) + "/complete", user: "ann"}).StatusCode
			})
		}
	}
	send()
	time.Sleep(1500 * time.Millisecond)
	send()
	time.Sleep(1400 * time.Millisecond)
	send() // in a group with those before, whose deadline ends before the lock does
	time.Sleep(1800 * time.Millisecond)
	unlock()
	sent.Wait()
	close(answers)
	done := 0
	for status := range answers {
		if status == 200 {
			done++
		} else {
			require.Equal(t, 503, status)
		}
	}
	require.Equal(t, fmt.Sprintf(`"%d"`, 1+done), s.as("ann").call(t, 200, "GET", path(created.ID)).Header.Get("ETag"))
	require.LessOrEqual(t, done, each)
	require.Less(t, log(), max(done, 10))
}

// endings are triggers that end the creation of a task with the title bad, and the transaction that it is in, in different ways.
var endings = map[string][]string{
	"by an error of the statement": {
		`CREATE TRIGGER bad BEFORE INSERT ON tasks WHEN NEW.title = 'bad' BEGIN SELECT RAISE(ABORT, 'bad'); END`,
	},
	"by a rollback of the transaction": {
		`CREATE TRIGGER bad BEFORE INSERT ON tasks WHEN NEW.title = 'bad' BEGIN SELECT RAISE(ROLLBACK, 'bad'); END`,
	},
	"by an error of the commit": {
		`CREATE TABLE late (id INTEGER PRIMARY KEY, other INTEGER REFERENCES late (id) DEFERRABLE INITIALLY DEFERRED)`,
		`CREATE TRIGGER bad BEFORE INSERT ON tasks WHEN NEW.title = 'bad' BEGIN INSERT INTO late VALUES (NULL, 7); END`,
	},
}

func TestAStatementThatFailsFailsNoneThatIsCommittedWithIt(t *testing.T) {
	for name, triggers := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, newSQLite(t))
			s.listen(t)
			for _, user := range []string{"ann", "bob"} {
				s.as(user).create(t, "first")
			}
			openDirectly(t, "sqlite://"+s.cfg.Database.Source, triggers...)
			var requests []request
			var bodies []string
			for i := range 20 {
				user, title := "ann", fmt.Sprint("good ", i)
				if i%5 == 3 {
					user, title = "bob", "bad"
				}
				bodies = append(bodies, title)
				requests = append(requests, request{method: "POST", path: "/api/tasks", user: user, body: map[string]string{"title": title}})
			}
			for i, got := range s.sendTogether(t, requests...) {
				if bodies[i] == "bad" {
					require.GreaterOrEqual(t, got.StatusCode, 400, "%s", got.body)
					continue
				}
				require.Equal(t, 201, got.StatusCode, "%s", s.logs)
				created := decode[task](t, got)
				require.Equal(t, bodies[i], created.Title)
				require.Equal(t, created, decode[task](t, s.as("ann").call(t, 200, "GET", path(created.ID))))
			}
			require.Len(t, s.as("ann").list(t), 1+16)
			require.Len(t, s.as("bob").list(t), 1)
			s.as("bob").create(t, "last")
		})
	}
}

// fuse calls warn and panics when a stored one that is lit is read.
type fuse struct{ state string }

var warn func()

func (f fuse) Value() (driver.Value, error) { return f.state, nil }

func (f *fuse) Scan(value any) error {
	if f.state = fmt.Sprint(value); f.state == "lit" {
		warn()
		panic("at the worst moment")
	}
	return nil
}

type bomb struct {
	models.Owner
	Fuse fuse `gorm:"type:text;not null;default:(lower('COLD'))"`
	models.Timestamps
}

func TestAPanicWhileWritingToSQLiteKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	s := newServerWith(t, newSQLite(t), declared{models: []any{&bomb{}}})
	s.listen(t)
	for _, user := range []string{"ann", "bob"} {
		s.as(user).create(t, "first")
	}
	require.NoError(t, models.CreateOwned(t.Context(), s.db, "ann", &bomb{Owner: models.Owner{UserID: "ann"}}))
	unlock := lockTasks(t, newServer(t, "sqlite://"+s.cfg.Database.Source))
	var writers sync.WaitGroup
	for range 9 {
		writers.Go(func() {
			assert.Equal(t, 201, s.send(t, request{method: "POST", path: "/api/tasks", user: "ann", body: `{"title":"y"}`}).StatusCode)
		})
	}
	s.awaitInFlight(t, 9)
	time.Sleep(100 * time.Millisecond) // until each waits in its queue
	ctx, cancel := context.WithCancel(t.Context())
	warn = cancel
	ended := &models.Task{Owner: models.Owner{UserID: "ann"}, TaskInput: models.TaskInput{Title: "z"}}
	writers.Go(func() { assert.ErrorIs(t, models.CreateOwned(ctx, s.db, "ann", ended), context.Canceled) })
	time.Sleep(100 * time.Millisecond)
	for range 3 {
		writers.Go(func() {
			lit := &bomb{Owner: models.Owner{UserID: "bob"}, Fuse: fuse{"lit"}}
			assert.PanicsWithValue(t, "at the worst moment", func() { _ = models.CreateOwned(t.Context(), s.db, "bob", lit) })
		})
	}
	time.Sleep(100 * time.Millisecond) // until each waits in its queue
	unlock()
	writers.Wait()
	require.Len(t, s.as("ann").list(t), 1+9)
	require.Zero(t, ended.ID, "the id of a run that was rolled back")
	s.as("bob").create(t, "last")
}

func TestAStatementThatWaitsWithASlowOneIsNotLateForIt(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t), "REQUEST_TIMEOUT", "4s")
	s.listen(t)
	for _, user := range []string{"alone", "quick", "slow"} {
		s.as(user).create(t, "first")
	}
	openDirectly(t, "sqlite://"+s.cfg.Database.Source, slowTasks["sqlite"]...)
	unlock := lockTasks(t, newServer(t, "sqlite://"+s.cfg.Database.Source))
	var sent sync.WaitGroup
	create := func(title string, status int) {
		sent.Go(func() {
			start := time.Now()
			got := s.send(t, request{method: "POST", path: "/api/tasks", user: title, body: map[string]string{"title": title}})
			assert.Less(t, time.Since(start), 5000*time.Millisecond, title)
			assert.Equal(t, status, got.StatusCode, title)
			assert.Equal(t, status == 201, len(s.as(title).list(t)) == 2, title)
		})
	}
	create("alone", 201)
	s.awaitInFlight(t, 1)
	create("quick", 201)
	s.awaitInFlight(t, 2)
	time.Sleep(2500 * time.Millisecond)
	create("slow", 503)
	s.awaitInFlight(t, 3)
	time.Sleep(100 * time.Millisecond) // until it waits in the queue
	unlock()
	sent.Wait()
	s.as("ann").create(t, "x")
}
