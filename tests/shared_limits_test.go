package tests

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"taskapi/routes"
)

// held is two resources whose lists and creations wait until they are let go. A list has a connection meanwhile.
type held struct{ arrived, release chan struct{} }

func newHeld() held { return held{make(chan struct{}, 1), make(chan struct{})} }

func (h held) declare() declared {
	wait := func(c *fiber.Ctx) error {
		select {
		case h.arrived <- struct{}{}:
		case <-h.release:
		}
		select {
		case <-h.release:
		case <-time.After(waitLimit): // so that one that should have been refused fails its test
		}
		return c.JSON([]any{})
	}
	return declared{routes: func(db *gorm.DB) (all []routes.Route) {
		for _, path := range []string{"/api/plans", "/api/drafts"} {
			for _, method := range []string{fiber.MethodGet, fiber.MethodPost} {
				handler := wait
				if method == fiber.MethodGet {
					handler = func(c *fiber.Ctx) error {
						return db.WithContext(c.UserContext()).Connection(func(*gorm.DB) error { return wait(c) })
					}
				}
				all = append(all, routes.Route{Method: method, Path: path, Handler: handler})
			}
		}
		return all
	}}
}

// fill has a user send requests by turns to both resources. It returns when all have come and so many are being answered. done
// sees them end.
func (h held) fill(t *testing.T, s *server, method string, requests, answered int) (done func()) {
	t.Helper()
	var group sync.WaitGroup
	for i := range requests {
		group.Go(func() {
			r := request{method: method, path: []string{"/api/plans", "/api/drafts"}[i%2], user: "ann"}
			assert.Equal(t, 200, s.sendUnchecked(t, r).StatusCode)
		})
	}
	for range answered {
		<-h.arrived
	}
	s.awaitInFlight(t, requests)
	time.Sleep(500 * time.Millisecond) // until each is counted by the limits, which come after the number in flight
	done = sync.OnceFunc(func() {
		close(h.release)
		group.Wait()
	})
	t.Cleanup(done)
	return done
}

func TestAUserHasThirtyTwoListsMadeAtATimeOfAllResourcesTogether(t *testing.T) {
	t.Parallel()
	h := newHeld()
	s := newServerWith(t, newSQLite(t), h.declare())
	s.as("ann").create(t, "x")
	done := h.fill(t, s, "GET", 32, 2) // of four connections, lists of one user have two
	for _, path := range []string{"/api/plans", "/api/drafts", "/api/tasks"} {
		got := s.sendUnchecked(t, request{method: "GET", path: path, user: "ann"})
		require.Equal(t, 429, got.StatusCode, path)
		require.Equal(t, "1", got.Header.Get("Retry-After"))
	}
	require.Empty(t, s.as("bob").list(t), "each user has a count of their own")
	s.as("ann").create(t, "what is no list is answered")
	done()
	require.Len(t, s.as("ann").list(t), 2)
}

func TestAServerAnswers1024RequestsAtATimeOfAllResourcesTogether(t *testing.T) {
	t.Parallel()
	h := newHeld()
	s := newServerWith(t, newSQLite(t), h.declare())
	done := h.fill(t, s, "POST", 1024, 1024)
	for i, path := range []string{"/api/plans", "/api/drafts", "/api/tasks"} {
		unavailable(t, s.sendUnchecked(t, request{method: "POST", path: path, user: fmt.Sprint("bob ", i), body: `{"title":"x"}`}))
	}
	done()
	s.as("bob").create(t, "x")
}
