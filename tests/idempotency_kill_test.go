package tests

import (
	"bytes"
	"database/sql"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// retrier is a client that sends each of its POSTs with a key of its own, and again after the program was killed.
type retrier struct {
	token    string
	name     string
	sent     int               // keys
	answered map[string]answer // by key
}

// post sends the POST of a key.
func (c *retrier) post(p *process, key string) (answer, error) {
	return p.try("POST", "/api/tasks", c.token, fmt.Sprintf(`{"title": %q}`, key), http.Header{"Idempotency-Key": {key}})
}

// run retries what was not answered, and then sends new POSTs until one is not. It counts the answers.
func (c *retrier) run(t testing.TB, p *process, answers *atomic.Int64) {
	for n := 0; ; n++ {
		key := fmt.Sprintf("%s-%d", c.name, n)
		if _, known := c.answered[key]; known {
			continue
		}
		c.sent = max(c.sent, n+1)
		got, err := c.post(p, key)
		if err != nil {
			return
		}
		if !assert.Equal(t, 201, got.StatusCode, "%s", got.body) {
			return
		}
		c.answered[key] = got
		answers.Add(1)
	}
}

// count returns the number that a query finds.
func count(t testing.TB, db *sql.DB, query string) (found int) {
	t.Helper()
	require.NoError(t, db.QueryRow(query).Scan(&found), query)
	return found
}

func TestAKillLeavesNoKeyWithoutItsRowAndNoRowWithoutItsKey(t *testing.T) {
	buildProgram(t)
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		h, setting := newHome(t), append(inDevelopment, "DATABASE_URL="+databaseURL)
		clients := make([]*retrier, 6)
		for i := range clients {
			clients[i] = &retrier{token: tokenOf(t, fmt.Sprint("user", i%3)), name: fmt.Sprint("key", i), answered: map[string]answer{}}
		}
		for round := range 10 {
			p := h.start(t, setting...)
			var group sync.WaitGroup
			var answers atomic.Int64
			for _, c := range clients {
				group.Go(func() { c.run(t, p, &answers) })
			}
			require.Eventually(t, func() bool { return answers.Load() > int64(10+round) || p.hasEnded() }, waitLimit, time.Millisecond)
			require.NoError(t, p.Process.Kill())
			group.Wait()
			p.awaitEnd(t)
			db := openDirectly(t, databaseURL)
			const join = "JOIN idempotency_keys k ON k.location = '/api/tasks/' || t.id AND k.key = t.title AND k.user_id = t.user_id"
			require.Zero(t, count(t, db, "SELECT count(*) FROM tasks t LEFT "+join+" WHERE k.key IS NULL"), "a row without its key")
			require.Zero(t, count(t, db, "SELECT count(*) FROM tasks t RIGHT "+join+" WHERE t.id IS NULL"), "a key without its row")
			require.NoError(t, db.Close())
		}
		p, sent := h.start(t, setting...), 0
		for _, c := range clients {
			for n := range c.sent {
				key := fmt.Sprintf("%s-%d", c.name, n)
				got, err := c.post(p, key)
				require.NoError(t, err)
				require.Equal(t, 201, got.StatusCode)
				if first, known := c.answered[key]; known {
					require.Equal(t, "true", got.Header.Get("Idempotency-Replayed"))
					require.True(t, bytes.Equal(first.body, got.body), "%s was answered, %s is now", first.body, got.body)
					require.Equal(t, first.Header.Get("Location"), got.Header.Get("Location"))
				}
			}
			sent += c.sent
		}
		t.Logf("%d keys", sent)
		require.Greater(t, sent, 100)
		db := openDirectly(t, databaseURL)
		require.Equal(t, sent, count(t, db, "SELECT count(*) FROM tasks"))
		require.Equal(t, sent, count(t, db, "SELECT count(DISTINCT title) FROM tasks"))
	})
}
