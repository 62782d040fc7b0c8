package tests

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"taskapi/models"
)

func path(id int64) string { return fmt.Sprintf("/api/tasks/%d", id) }

func titles(list []task) []string {
	names := make([]string, 0, len(list))
	for _, t := range list {
		names = append(names, t.Title)
	}
	return names
}

func TestACreatedTaskIsAnsweredAndFoundAgainByteForByte(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		ann := s.as("ann")
		created := ann.call(t, 201, "POST", "/api/tasks", map[string]any{"title": "Buy groceries", "description": "milk, eggs"})
		got := decode[task](t, created)
		require.Equal(t, "ann", got.UserID)
		require.Equal(t, "Buy groceries", got.Title)
		require.Equal(t, "milk, eggs", *got.Description)
		require.False(t, got.Completed)
		require.Equal(t, got.CreatedAt, got.UpdatedAt)
		require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`, got.CreatedAt)
		at, err := time.Parse(time.RFC3339, got.CreatedAt)
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), at, time.Minute)

		require.Equal(t, string(created.body), string(ann.call(t, 200, "GET", path(got.ID)).body))
		require.Equal(t, "["+string(created.body)+"]", string(ann.call(t, 200, "GET", "/api/tasks").body))
	})
}

func TestATaskHasExactlyTheseKeysInThisOrder(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		created := s.as("ann").call(t, 201, "POST", "/api/tasks", `{"title":"x"}`)
		var keys []string
		decoder := json.NewDecoder(strings.NewReader(string(created.body)))
		_, err := decoder.Token()
		require.NoError(t, err)
		for decoder.More() {
			key, err := decoder.Token()
			require.NoError(t, err)
			keys = append(keys, key.(string))
			_, err = decoder.Token()
			require.NoError(t, err)
		}
		require.Equal(t, []string{"id", "user_id", "title", "description", "completed", "created_at", "updated_at"}, keys)
		require.Contains(t, string(created.body), `"description":null`)
	})
}

func TestFieldsThatAClientMayNotSetAreIgnored(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		ann := s.as("ann")
		body := map[string]any{
			"title": "mine", "id": 4711, "user_id": "bob", "completed": true, "created_at": "2001-01-01T00:00:00Z",
			"updated_at": "2001-01-01T00:00:00Z", "unknown": map[string]any{"deep": []int{1}},
		}
		created := decode[task](t, ann.call(t, 201, "POST", "/api/tasks", body))
		replaced := decode[task](t, ann.call(t, 200, "PUT", path(created.ID), body))
		for _, got := range []task{created, replaced} {
			require.NotEqual(t, int64(4711), got.ID)
			require.Equal(t, "ann", got.UserID)
			require.False(t, got.Completed)
			require.NotContains(t, got.CreatedAt+got.UpdatedAt, "2001")
		}
		require.Equal(t, created.CreatedAt, replaced.CreatedAt)
		require.Empty(t, s.as("bob").list(t))
	})
}

func TestPutReplacesTitleAndDescriptionAndNothingElse(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		ann := s.as("ann")
		before := ann.create(t, "before")
		ann.call(t, 200, "PATCH", path(before.ID)+"/complete")
		for _, body := range []string{
			`{"title":"after","description":"text"}`, `{"title":"after","description":null}`,
			`{"title":"after"}`, `{"title":"after","description":""}`,
		} {
			ann.call(t, 200, "PUT", path(before.ID), `{"title":"between","description":"other"}`)
			put := ann.call(t, 200, "PUT", path(before.ID), body)
			after := decode[task](t, put)
			require.Equal(t, "after", after.Title)
			switch {
			case strings.Contains(body, `"text"`):
				require.Equal(t, "text", *after.Description)
			case strings.Contains(body, `""`):
				require.Empty(t, *after.Description)
			default:
				require.Nil(t, after.Description)
			}
			require.True(t, after.Completed)
			require.Equal(t, before.ID, after.ID)
			require.Equal(t, before.CreatedAt, after.CreatedAt)
			require.Greater(t, after.UpdatedAt, before.UpdatedAt)
			require.Equal(t, string(put.body), string(ann.call(t, 200, "GET", path(before.ID)).body))
		}
	})
}

func TestPatchTogglesAndNeedsNoBody(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		ann := s.as("ann")
		last := ann.create(t, "x")
		for i, body := range []any{nil, "{}", "not JSON", nil} {
			r := request{method: "PATCH", path: path(last.ID) + "/complete", user: "ann", body: body}
			answered := s.send(t, r)
			require.Equal(t, 200, answered.StatusCode)
			got := decode[task](t, answered)
			require.Equal(t, i%2 == 0, got.Completed)
			require.Greater(t, got.UpdatedAt, last.UpdatedAt)
			require.Equal(t, last.CreatedAt, got.CreatedAt)
			require.Equal(t, string(answered.body), string(ann.call(t, 200, "GET", path(last.ID)).body))
			last = got
		}
	})
}

func TestADeletedTaskIsGoneAndItsIDNeverComesBack(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		ann := s.as("ann")
		kept, gone := ann.create(t, "kept"), ann.create(t, "gone")
		deleted := ann.call(t, 204, "DELETE", path(gone.ID))
		require.Empty(t, deleted.body)
		require.Empty(t, deleted.Header.Get("Content-Type"))
		for method, suffix := range map[string]string{"GET": "", "DELETE": "", "PATCH": "/complete"} {
			ann.call(t, 404, method, path(gone.ID)+suffix)
		}
		ann.call(t, 404, "PUT", path(gone.ID), `{"title":"x"}`)
		require.Greater(t, ann.create(t, "next").ID, gone.ID)
		require.Equal(t, []string{"next", "kept"}, titles(ann.list(t)))
		require.Equal(t, kept, ann.list(t)[1])
	})
}

func TestTheListIsNewestFirstAndFiltered(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		ann := s.as("ann")
		require.Equal(t, "[]", string(ann.call(t, 200, "GET", "/api/tasks").body))
		for _, title := range []string{"a", "b", "c", "d"} {
			created := ann.create(t, title)
			if title == "b" || title == "d" {
				ann.call(t, 200, "PATCH", path(created.ID)+"/complete")
			}
		}
		for query, want := range map[string]string{
			"": "dcba", "?": "dcba", "?status=all": "dcba", "?status=pending": "ca", "?status=completed": "db",
			"?other=1": "dcba", "?status=all&status=pending": "ca", "?Status=pending": "dcba", "?status=pend%69ng": "ca",
		} {
			got := decode[[]task](t, ann.call(t, 200, "GET", "/api/tasks"+query))
			require.Equal(t, want, strings.Join(titles(got), ""), query)
		}
		require.Equal(t, "[]", string(s.as("bob").call(t, 200, "GET", "/api/tasks?status=completed").body))
	})
}

func TestTasksOfTheSameInstantAreListedByDescendingID(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		ann := s.as("ann")
		for _, title := range []string{"a", "b", "c"} {
			ann.create(t, title)
		}
		for _, index := range []string{"idx_tasks_user_created", "idx_tasks_user_completed"} { // which would order them by themselves
			require.NoError(t, models.AcrossOwners(s.db).Exec("DROP INDEX "+index).Error)
		}
		instant := time.Date(2026, 1, 8, 10, 30, 0, 0, time.UTC)
		require.NoError(t, models.AcrossOwners(s.db).Exec("UPDATE tasks SET created_at = ?", instant).Error)
		require.Equal(t, []string{"c", "b", "a"}, titles(ann.list(t)))
		require.Equal(t, "2026-01-08T10:30:00.000000Z", ann.list(t)[0].CreatedAt)
	})
}

func TestAnyOtherStatusFilterIsRefused(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		for _, query := range []string{
			"?status=", "?status", "?status=done", "?status=PENDING", "?status=all%20", "?status=all&status=x", "?status='%20OR%201=1--",
		} {
			got := s.as("ann").call(t, 400, "GET", "/api/tasks"+query)
			require.JSONEq(t, `{"detail":"Invalid status filter: must be 'pending', 'completed', or 'all'"}`, string(got.body))
		}
	})
}

func TestTextComesBackExactlyAsItWasSent(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		ann := s.as("ann")
		for _, text := range []string{
			"  spaces around  ", "tab\tand\nline", "<script>alert(1)</script> & \"quotes\" 'too' \\", "日本語 العربية",
			"e\u0301 is not é", "👩\u200d👩\u200d👧 family", "\u2028line separator", "\ufeffmark", "'; DROP TABLE tasks; --",
			"%s %d $1 ?", "\x01\x7f", "\U0010ffff", strings.Repeat("🙂", 200),
		} {
			created := decode[task](t, ann.call(t, 201, "POST", "/api/tasks", map[string]any{"title": text, "description": text + text}))
			found := decode[task](t, ann.call(t, 200, "GET", path(created.ID)))
			for _, got := range []task{created, found} {
				require.Equal(t, text, got.Title)
				require.Equal(t, text+text, *got.Description)
			}
		}
	})
}

func TestAnIDThatCannotExistIsNotFound(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		ann := s.as("ann")
		created := ann.create(t, "x")
		for _, id := range []string{
			"0", "-1", "999999999", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "123456789012345678901234567890",
		} {
			for method, suffix := range map[string]string{"GET": "", "DELETE": "", "PATCH": "/complete"} {
				got := ann.call(t, 404, method, "/api/tasks/"+id+suffix)
				require.Equal(t, `{"detail":"Task not found"}`, string(got.body))
			}
			ann.call(t, 404, "PUT", "/api/tasks/"+id, `{"title":"y"}`)
		}
		for _, form := range []string{"%%3%d", "+%d", "0%d", "%d/"} {
			require.Less(t, created.ID, int64(10))
			ann.call(t, 200, "GET", "/api/tasks/"+fmt.Sprintf(form, created.ID))
		}
	})
}
