package tests

import (
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// eachReplicated runs a test for every resource, on one server with SQLite and on two that share a PostgreSQL.
func eachReplicated(t *testing.T, test func(t *testing.T, replicas []*resource)) {
	t.Helper()
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		first := newServerWith(t, databaseURL, gadgets)
		second := first
		if strings.HasPrefix(databaseURL, "postgres") {
			second = newServerWith(t, databaseURL, gadgets)
		}
		others := second.resources(t)
		for i, r := range first.resources(t) {
			t.Run(strings.TrimPrefix(r.path, "/api/"), func(t *testing.T) { test(t, []*resource{r, others[i]}) })
		}
	})
}

// soak returns how much a test does: the first number usually, the second under "make soak".
func soak(usual, long int) int {
	if os.Getenv("TEST_SOAK") != "" {
		return long
	}
	return usual
}

func TestClientsThatWriteWhatTheyHaveReadLoseNoUpdate(t *testing.T) {
	eachReplicated(t, func(t *testing.T, replicas []*resource) {
		clients, each := soak(12, 100), soak(5, 50)
		of := replicas[0].create(t, "ann", replicas[0].example)
		var succeeded, refused, unknown atomic.Int64
		var group sync.WaitGroup
		for i := range clients {
			group.Go(func() {
				for turn, written := i, 0; written < each && !t.Failed(); turn++ {
					read, write := replicas[turn%2], replicas[(turn+1)%2]
					tag := read.s.sendUnchecked(t, request{method: "GET", path: of.path, user: "ann"}).Header.Get("ETag")
					if tag == "" {
						continue // 503, on a busy machine
					}
					got := write.s.sendUnchecked(t, request{"PATCH", of.path, "ann", toBody(write.example), map[string]string{"If-Match": tag}})
					switch got.StatusCode {
					case 200:
						before, err := strconv.Atoi(strings.Trim(tag, `"`))
						assert.NoError(t, err)
						assert.Equal(t, `"`+strconv.Itoa(before+1)+`"`, got.Header.Get("ETag"), "another one wrote in between")
						succeeded.Add(1)
						written++
					case 412:
						assert.Equal(t, preconditionFailed, string(got.body))
						refused.Add(1)
						time.Sleep(rand.N(time.Duration(clients) * 2 * time.Millisecond)) // else nearly all would be refused again and again
					case 503: // on a busy machine; the change may be made all the same
						unknown.Add(1)
					default:
						assert.Fail(t, "neither written nor refused", "%d %s", got.StatusCode, got.body)
					}
				}
			})
		}
		group.Wait()
		require.EqualValues(t, clients*each, succeeded.Load())
		version := replicas[0].version(t, of)
		require.GreaterOrEqual(t, version, 1+succeeded.Load(), "an update was lost")
		require.LessOrEqual(t, version, 1+succeeded.Load()+unknown.Load(), "a refused update was made")
		require.NotZero(t, refused.Load(), "the clients did not meet")
		t.Logf("%d written, %d refused, %d unknown", succeeded.Load(), refused.Load(), unknown.Load())
	})
}
