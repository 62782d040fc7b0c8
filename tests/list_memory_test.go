package tests

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
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
		require.NoError(t, models.CreateOwned(t.Context(), s.db, user, &rows))
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
		users := []string{"ann", "bob", "cid"}
		for _, user := range users {
			createEscapedTasks(t, s, user, 2500)
		}
		memory := func() float64 { return p.gauge(t, "process_resident_memory_bytes") }
		for _, count := range []int{1, len(users)} {
			answers := make(chan answer)
			for i := range count * atOnce {
				go func() {
					got, err := p.try("GET", "/api/tasks", tokenOf(t, users[i%count]), "")
					assert.NoError(t, err)
					assert.True(t, got.StatusCode != 200 || len(got.body) > 18e6 && bytes.HasSuffix(got.body, []byte("}]")), "a list is not whole")
					answers <- answer{got.Response, nil}
				}()
			}
			statuses, peak, slowest := map[int]int{}, 0.0, time.Duration(0)
			for left := count * atOnce; left > 0; {
				select {
				case got := <-answers:
					statuses[got.StatusCode]++
					left--
				default:
					start := time.Now()
					p.call(t, 200, "GET", "/health", "", "")
					slowest, peak = max(slowest, time.Since(start)), max(peak, memory())
				}
			}
			start := time.Now()
			left := memory()
			for ; left > remaining && time.Since(start) < 8*time.Second; left = memory() {
				time.Sleep(100 * time.Millisecond)
			}
			t.Logf("%d users: %.0f MB at most, %.0f MB %v later, /health within %v, statuses %v",
				count, peak/1e6, left/1e6, time.Since(start), slowest, statuses)
			assert.Less(t, peak, allowed)
			assert.Less(t, left, remaining)
			assert.Less(t, slowest, patient)
			assert.NotZero(t, statuses[200])
			assert.Equal(t, count*atOnce, statuses[200]+statuses[429]+statuses[503])
		}
		for _, user := range users {
			require.Greater(t, len(p.call(t, 200, "GET", "/api/tasks", tokenOf(t, user), "").body), 18_000_000)
		}
	})
}

func TestAListOf100000RowsTakesAtMostThreeTimesItsSize(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("memory is read from /proc, which is not here")
	}
	buildProgram(t)
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		createMany(t, newServer(t, databaseURL), 100_000, "ann")
		p := newHome(t).start(t, append(inDevelopment, "DATABASE_URL="+databaseURL, "REQUEST_TIMEOUT=7s")...)
		memory := func(name string) float64 {
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
			require.NoError(t, err)
			return megabytes(t, status, name)
		}
		idle, token := memory("VmRSS"), tokenOf(t, "ann")
		for i := 0; i < 10; {
			got, err := p.try("GET", "/api/tasks", token, "")
			require.NoError(t, err)
			if got.StatusCode == 503 { // the machine is too busy for a list of this size
				continue
			}
			require.Equal(t, 200, got.StatusCode)
			i++
			times := (memory("VmHWM") - idle) * (1 << 20) / float64(len(got.body))
			require.Less(t, times, 3.0, "after %d requests", i)
			if i == 1 || i == 10 {
				t.Logf("%d bytes, %.0f MB when idle, after %d requests at most %.1f times the list more", len(got.body), idle, i, times)
			}
		}
	})
}
