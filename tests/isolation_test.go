package tests

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNoRouteShowsOrChangesAnotherUsersRow(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		doc, err := document()
		require.NoError(t, err)
		require.Empty(t, attack(t, s, doc, nil))
	})
}

func TestAListNeverHoldsAnotherUsersTask(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		users := []string{"ann", "Ann", "ann ", "an", "ann%", "_nn", "ann'--", "ANN", "a\u006en", "аnn"} // the last begins in Cyrillic
		mine := map[string]int{}
		for _, user := range users {
			mine[user]++
			s.as(user).create(t, "of "+user)
		}
		for user, count := range mine {
			for _, filter := range []string{"", "?status=all", "?status=pending"} {
				got := decode[[]task](t, s.as(user).call(t, 200, "GET", "/api/tasks"+filter))
				require.Len(t, got, count)
				for _, task := range got {
					require.Equal(t, user, task.UserID)
				}
			}
			require.Empty(t, decode[[]task](t, s.as(user).call(t, 200, "GET", "/api/tasks?status=completed")))
		}
	})
}

func TestAHundredClientsOfTenUsersAtOnceSeeExactlyTheirOwn(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		const users, clientsEach = 10, 10
		var group sync.WaitGroup
		for i := range users * clientsEach {
			group.Go(func() {
				user := fmt.Sprintf("user-%d", i%users)
				me := s.as(user)
				created := me.create(t, user)
				me.call(t, 200, "PUT", path(created.ID), map[string]any{"title": user, "description": user})
				me.call(t, 200, "PATCH", path(created.ID)+"/complete")
				s.as(fmt.Sprintf("user-%d", (i+1)%users)).call(t, 404, "DELETE", path(created.ID))
				for _, task := range me.list(t) {
					assert.Equal(t, user, task.UserID)
					assert.Equal(t, user, task.Title)
				}
			})
		}
		group.Wait()
		for i := range users {
			list := s.as(fmt.Sprintf("user-%d", i)).list(t)
			require.Len(t, list, clientsEach)
			for _, task := range list {
				require.True(t, task.Completed)
			}
		}
	})
}

func TestAToggleUnderConcurrencyLosesNothing(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		ann := s.as("ann")
		created := ann.create(t, "x")
		var group sync.WaitGroup
		for range 101 {
			group.Go(func() { ann.call(t, 200, "PATCH", path(created.ID)+"/complete") })
		}
		group.Wait()
		require.True(t, ann.list(t)[0].Completed)
	})
}

func TestManyNewUsersAtOnceAllSucceed(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		var group sync.WaitGroup
		for i := range 60 {
			group.Go(func() {
				// Two clients of each new user race to be its first.
				me := s.as(fmt.Sprintf("new-%d", i/2))
				created := me.create(t, "first")
				me.call(t, 200, "GET", path(created.ID))
				me.call(t, 204, "DELETE", path(created.ID))
			})
		}
		group.Wait()
	})
}
