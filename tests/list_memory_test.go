package tests

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"taskapi/models"
)

// createEscapedTasks creates tasks whose text is six times as long when it is escaped: 7.4 kB each in a list.
func createEscapedTasks(t testing.TB, s *server, user string, tasks int) {
	t.Helper()
	description := strings.Repeat("\x01", 1000)
	for made := 0; made < tasks; made += 500 {
		rows := make([]models.Task, min(500, tasks-made))
		for i := range rows {
			rows[i] = models.NewTask(user, models.TaskInput{Title: strings.Repeat("\x02", 200), Description: &description})
		}
		require.NoError(t, models.CreateOwned(s.db, user, &rows))
	}
}

func TestManyLargeListsAtOnceAreBoundedByMemory(t *testing.T) {
	buildProgram(t)
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		const (
			atOnce    = 32
			allowed   = 500e6 // more than the 128 MB of lists: what the collector has not collected, and the rest of the server
			remaining = 100e6
			patient   = 2 * time.Second
		)
		p := newHome(t).start(t, append(inDevelopment, "DATABASE_URL="+databaseURL, "METRICS_ADDR=127.0.0.1:0", "REQUEST_TIMEOUT=7s")...)
		s := newServer(t, databaseURL)
		users, whole := []string{"ann", "bob", "cid"}, 0
		for _, user := range users {
			createEscapedTasks(t, s, user, 5000)
		}
		for _, count := range []int{1, len(users)} {
			var lists sync.WaitGroup
			var statuses sync.Map
			var running atomic.Int32
			for i := range count * atOnce {
				running.Add(1)
				lists.Go(func() {
					defer running.Add(-1)
					got, err := p.try("GET", "/api/tasks", tokenOf(t, users[i%count]), "")
					if !assert.NoError(t, err) {
						return
					}
					n, _ := statuses.LoadOrStore(got.StatusCode, &atomic.Int32{})
					n.(*atomic.Int32).Add(1)
					assert.Contains(t, []int{200, 429, 503}, got.StatusCode)
					assert.True(t, got.StatusCode != 200 || len(got.body) > 36e6 && strings.HasSuffix(string(got.body), "}]"))
				})
			}
			peak, slowest := 0.0, time.Duration(0)
			for running.Load() > 0 {
				start := time.Now()
				p.call(t, 200, "GET", "/health", "", "")
				slowest = max(slowest, time.Since(start))
				peak = max(peak, p.gauge(t, "process_resident_memory_bytes"))
			}
			lists.Wait()
			start := time.Now()
			var left float64
			for left = p.gauge(t, "process_resident_memory_bytes"); left > remaining && time.Since(start) < 8*time.Second; time.Sleep(100 * time.Millisecond) {
				left = p.gauge(t, "process_resident_memory_bytes")
			}
			text := ""
			statuses.Range(func(status, n any) bool {
				text += " " + strings.TrimSpace(strings.Join([]string{strconv.Itoa(status.(int)), "x", strconv.Itoa(int(n.(*atomic.Int32).Load()))}, ""))
				return true
			})
			t.Logf("%d users: %.0f MB at most, %.0f MB %v later, /health within %v, statuses%s", count, peak/1e6, left/1e6, time.Since(start), slowest, text)
			assert.Less(t, peak, allowed)
			assert.Less(t, left, remaining)
			assert.Less(t, slowest, patient)
			n, _ := statuses.LoadOrStore(200, &atomic.Int32{})
			assert.NotZero(t, n.(*atomic.Int32).Load())
		}
		for _, user := range users {
			body := p.call(t, 200, "GET", "/api/tasks", tokenOf(t, user), "").body
			whole += len(body)
		}
		require.Greater(t, whole, 100_000_000)
	})
}
