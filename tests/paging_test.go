package tests

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"taskapi/models"
)

// ask sends a GET for a list.
func (c *client) ask(t testing.TB, status int, path, query string) answer {
	t.Helper()
	got := c.server.send(t, request{method: "GET", path: path + query, user: c.user})
	require.Equal(t, status, got.StatusCode, "%s: %s", query, got.body)
	return got
}

// rowsOf returns the rows of a list, each as its JSON.
func rowsOf(t testing.TB, got answer) []string {
	t.Helper()
	var list []json.RawMessage
	require.NoError(t, json.Unmarshal(got.body, &list), "%s", got.body)
	rows := make([]string, len(list))
	for i, row := range list {
		rows[i] = string(row)
	}
	return rows
}

// nextLink matches the Link of a page, which is relative to the list.
var nextLink = regexp.MustCompile(`^<(\?[!-;=?-~]+)>; rel="next"$`)

// nextQuery returns the query of the page after a list, or "" if there is none.
func nextQuery(t testing.TB, got answer) string {
	t.Helper()
	link := got.Header.Get("Link")
	if link == "" {
		return ""
	}
	require.Regexp(t, nextLink, link)
	return nextLink.FindStringSubmatch(link)[1]
}

// walk follows the links of a list to its end and returns the rows of each page.
func (c *client) walk(t testing.TB, path, query string) (pages [][]string) {
	t.Helper()
	for query != "" {
		got := c.ask(t, 200, path, query)
		pages = append(pages, rowsOf(t, got))
		query = nextQuery(t, got)
		require.Less(t, len(pages), 2000, "the links do not end")
	}
	return pages
}

// quotedName matches a name in the message of a value that is none of the choices.
var quotedName = regexp.MustCompile(`'([^']+)'`)

// orders returns the names of the orders of a list, as the refusal of another one says them.
func (c *client) orders(t testing.TB, path string) (names []string) {
	t.Helper()
	for _, found := range quotedName.FindAllStringSubmatch(string(c.ask(t, 422, path, "?sort=").body), -1) {
		names = append(names, found[1])
	}
	return names
}

// createTasks creates tasks with titles in one statement.
func createTasks(t testing.TB, s *server, user string, titles ...string) {
	t.Helper()
	for batch := range slices.Chunk(titles, 500) {
		rows := make([]models.Task, len(batch))
		for i, title := range batch {
			rows[i] = models.NewTask(user, models.TaskInput{Title: title})
		}
		require.NoError(t, models.CreateOwned(t.Context(), s.db, user, &rows))
	}
}

// numbered returns so many titles.
func numbered(count int) []string {
	titles := make([]string, count)
	for i := range titles {
		titles[i] = fmt.Sprint("task ", i)
	}
	return titles
}

func TestFollowingTheLinksGivesTheWholeListInEachOrder(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		ann := r.s.as("ann")
		const rows = 7
		for i := range rows {
			made := r.create(t, "ann", r.with(r.fields[0], quoted(string("cabcabB"[i]))))
			if i == 2 {
				defer r.call(t, "ann", "PATCH", made.path, toBody(r.example))
			}
			r.create(t, "bob", r.example)
		}
		orders := ann.orders(t, r.path)
		require.Equal(t, []string{"-created_at", "created_at", "-updated_at", "updated_at", "-" + r.fields[0], r.fields[0]}, orders)
		require.Equal(t, ann.ask(t, 200, r.path, "").body, ann.ask(t, 200, r.path, "?sort=-created_at").body)
		for _, order := range orders {
			whole := ann.ask(t, 200, r.path, "?sort="+order)
			require.Len(t, rowsOf(t, whole), rows)
			require.Empty(t, whole.Header.Get("Link"))
			field, descending := strings.CutPrefix(order, "-")
			keys := make([]string, rows)
			for i, row := range rowsOf(t, whole) {
				members := toMembers(t, []byte(row))
				keys[i] = fmt.Sprintf("%s %09s", members[field], members["id"])
			}
			if descending {
				slices.Reverse(keys)
			}
			require.True(t, slices.IsSorted(keys), "%s: %v", order, keys)
			for _, limit := range []int{1, 2, rows - 1, rows, rows + 1, 500} {
				pages := ann.walk(t, r.path, fmt.Sprintf("?sort=%s&limit=%d", order, limit))
				require.Equal(t, rowsOf(t, whole), slices.Concat(pages...), "%s by %d", order, limit)
				require.Len(t, pages, (rows+limit-1)/limit, "%s by %d", order, limit)
				for _, page := range pages[:len(pages)-1] {
					require.Len(t, page, limit)
				}
			}
		}
	})
}

func TestAListIsWholeUnlessALimitOrACursorPagesIt(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		ann := s.as("ann")
		createTasks(t, s, "ann", numbered(1001)...)
		whole := ann.ask(t, 200, "/api/tasks", "")
		require.Len(t, rowsOf(t, whole), 1001)
		require.Empty(t, whole.Header.Get("Link"))
		require.Empty(t, whole.Header.Get("X-Total-Count"))
		pages := ann.walk(t, "/api/tasks", "?limit=500")
		require.Equal(t, []int{500, 500, 1}, []int{len(pages[0]), len(pages[1]), len(pages[2])})
		first := ann.ask(t, 200, "/api/tasks", "?limit=1")
		next, err := url.ParseQuery(nextQuery(t, first)[1:])
		require.NoError(t, err)
		pages = ann.walk(t, "/api/tasks", "?cursor="+next.Get("cursor"))
		require.Len(t, pages, 10)
		for _, page := range pages {
			require.Len(t, page, 100)
		}
		require.Equal(t, rowsOf(t, whole), append(rowsOf(t, first), slices.Concat(pages...)...))
	})
}

func TestTheLinkKeepsAllOtherParametersAndHoldsBehindAMountPoint(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		createTasks(t, s, "ann", numbered(5)...)
		sent := "?%6Cimit=4&limit=2&count=true&status=pending&sort=title&q=ask" +
			"&x=a+b%26c%3Dd%2B&x=%3E%3B%20%22%23&flag&empty=&%C3%A9=%E2%82%AC&100%&cursor=bad"
		first := s.as("ann").ask(t, 400, "/api/tasks", sent)
		require.Equal(t, `{"detail":"Invalid cursor"}`, string(first.body))
		sent = strings.TrimSuffix(sent, "&cursor=bad")
		first = s.as("ann").ask(t, 200, "/api/tasks", sent)
		require.Equal(t, "5", first.Header.Get("X-Total-Count"))
		require.Len(t, rowsOf(t, first), 2)
		got, err := url.ParseQuery(nextQuery(t, first)[1:])
		require.NoError(t, err)
		require.NotEmpty(t, got["cursor"])
		delete(got, "cursor")
		require.Equal(t, url.Values{
			"limit": {"2"}, "count": {"true"}, "status": {"pending"}, "sort": {"title"}, "q": {"ask"}, "x": {"a b&c=d+", `>; "#`},
			"flag": {""}, "empty": {""}, "é": {"€"}, "100%": {""},
		}, got)
		at, err := url.Parse("https://app.example.com/backend/api/tasks" + nextQuery(t, first)) // the answer of a mount point
		require.NoError(t, err)
		base, err := url.Parse("https://app.example.com/backend/api/tasks?limit=2")
		require.NoError(t, err)
		resolved, err := base.Parse(nextQuery(t, first))
		require.NoError(t, err)
		require.Equal(t, at.String(), resolved.String())
		second := s.as("ann").ask(t, 200, "/api/tasks", nextQuery(t, first))
		require.Equal(t, "5", second.Header.Get("X-Total-Count"), "whatever the page")
		third := s.as("ann").ask(t, 200, "/api/tasks", nextQuery(t, second))
		require.Len(t, rowsOf(t, third), 1)
		require.Empty(t, third.Header.Get("Link"))
	})
}

func TestOfARepeatedParameterTheLastCountsAndUnknownOnesAreIgnored(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		createTasks(t, s, "ann", "c", "a", "b")
		for query, want := range map[string]string{
			"?limit=0&limit=2": "ba", "?sort=x&sort=title": "abc", "?q=c&q=a": "a", "?q=c&q=": "bac", "?Limit=1&LIMIT=0&offset=1&page=x": "bac",
			"?limit=2&count=x&count=false": "ba", "?cursor=x&cursor=" + cursorOf(t, s.as("ann"), "?limit=1"): "ac",
		} {
			got := s.as("ann").ask(t, 200, "/api/tasks", query)
			require.Equal(t, want, strings.Join(titles(decode[[]task](t, got)), ""), query)
			require.Empty(t, got.Header.Get("X-Total-Count"))
		}
	})
}

// cursorOf returns the cursor of the page after a list of tasks.
func cursorOf(t testing.TB, c *client, query string) string {
	t.Helper()
	next, err := url.ParseQuery(strings.TrimPrefix(nextQuery(t, c.ask(t, 200, "/api/tasks", query)), "?"))
	require.NoError(t, err)
	require.NotEmpty(t, next.Get("cursor"))
	return next.Get("cursor")
}

func TestTheCountIsThatOfAllMatchesAndComesOnlyWhenItIsAskedFor(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		ann := s.as("ann")
		createTasks(t, s, "ann", "apple", "pear", "pineapple")
		createTasks(t, s, "bob", "apple")
		ann.call(t, 200, "PATCH", path(ann.list(t)[0].ID)+"/complete")
		for query, want := range map[string]int{
			"": 3, "&limit=1": 3, "&q=apple": 2, "&q=apple&status=pending": 1, "&q=nothing": 0, "&limit=1&cursor=" + cursorOf(t, ann, "?limit=2"): 3,
		} {
			for _, method := range []string{"GET", "HEAD"} {
				got := s.send(t, request{method: method, path: "/api/tasks?count=true" + query, user: "ann"})
				require.Equal(t, strconv.Itoa(want), got.Header.Get("X-Total-Count"), query)
			}
			require.NotContains(t, ann.ask(t, 200, "/api/tasks", "?count=false"+query).Header, "X-Total-Count")
		}
	})
}

func TestHeadAnswersAsGetWithoutTheBody(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		createTasks(t, s, "ann", numbered(5)...)
		for _, query := range []string{"?limit=2&count=true", "?limit=5", "?sort=title&q=3", "?limit=0", "?cursor=x", "?status=x"} {
			get := s.send(t, request{method: "GET", path: "/api/tasks" + query, user: "ann"})
			head := s.send(t, request{method: "HEAD", path: "/api/tasks" + query, user: "ann"})
			require.Empty(t, head.body)
			head.body = get.body
			require.Empty(t, difference(head, get), query)
		}
	})
}
