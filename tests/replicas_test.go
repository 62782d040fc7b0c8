package tests

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestThreeReplicasShareNothingButTheDatabase(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	databaseURL, replicas := newPostgres(t), make([]*process, 3)
	var starts sync.WaitGroup
	for i := range replicas { // at once, on an empty database
		starts.Go(func() { replicas[i] = newHome(t).start(t, inProduction("DATABASE_URL="+databaseURL)...) })
	}
	starts.Wait()
	require.NotContains(t, replicas, (*process)(nil))

	// What one replica has acknowledged is read from the next.
	users := []string{"ann", "ann", "ann", "bob", "cid", "dee"}
	all := startTraffic(t, replicas, users...)
	toggled := decode[task](t, replicas[0].call(t, 201, "POST", "/api/tasks", tokenOf(t, "eve"), `{"title": "toggled"}`))
	var toggles sync.WaitGroup
	for _, p := range replicas {
		for range 3 {
			toggles.Go(func() {
				for range 11 { // 99 in all
					got, err := p.try("PATCH", path(toggled.ID)+"/complete", tokenOf(t, "eve"), "")
					assert.NoError(t, err)
					assert.Equal(t, 200, got.StatusCode)
				}
			})
		}
	}
	toggles.Wait()
	all.await(t, 200, 100)
	all.stop()
	all.requireFlawless(t)
	for _, p := range replicas {
		require.Empty(t, all.lost(t, p, "ann", "bob", "cid", "dee"))
		require.True(t, p.tasks(t, "eve")[toggled.ID].Completed, "a toggle was lost")
	}

	// One that is killed takes nothing along, and the others do not notice.
	others, victim := startTraffic(t, replicas[:2], users...), startTraffic(t, replicas[2:], "ann", "ann", "bob", "bob")
	victim.await(t, 201, 30)
	require.NoError(t, replicas[2].Process.Kill())
	others.await(t, 200, 100)
	others.stop()
	victim.stop()
	others.requireFlawless(t)
	require.Empty(t, victim.wrong)
	for _, p := range replicas[:2] {
		require.Empty(t, others.lost(t, p, "ann", "bob", "cid", "dee"))
		require.Empty(t, victim.lost(t, p, "ann", "bob"))
	}
	for id := range victim.created {
		require.NotContains(t, others.created, id)
	}
}
