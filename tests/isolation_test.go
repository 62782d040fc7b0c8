package tests

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ownedRoutes are the method and path of each route of the app that names a row by its id.
func ownedRoutes(s *server) (found [][2]string) {
	for _, route := range s.app.GetRoutes(true) {
		if strings.Contains(route.Path, ":id") && route.Method != "HEAD" {
			found = append(found, [2]string{route.Method, route.Path})
		}
	}
	return found
}

func TestEveryRouteAnswersAnotherUsersTaskAsAMissingOneAndLeavesItAlone(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		ann, bob := s.as("ann"), s.as("bob")
		theirs := ann.create(t, "ann's")
		bob.create(t, "bob's")
		before := ann.call(t, 200, "GET", "/api/tasks")
		routes := ownedRoutes(s)
		require.GreaterOrEqual(t, len(routes), 4)
		for _, route := range routes {
			at := func(id int64) answer {
				return bob.call(t, 404, route[0], strings.ReplaceAll(route[1], ":id", fmt.Sprint(id)), map[string]any{"title": "stolen"})
			}
			other, missing := at(theirs.ID), at(theirs.ID+1000)
			require.Equal(t, string(missing.body), string(other.body), route)
			for _, response := range []answer{other, missing} {
				response.Header.Del("X-Request-ID")
				response.Header.Del("Date")
			}
			require.Equal(t, missing.Header, other.Header, route)
			require.Equal(t, string(before.body), string(ann.call(t, 200, "GET", "/api/tasks").body), route)
		}
		require.Len(t, bob.list(t), 1)
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
