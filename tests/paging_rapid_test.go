package tests

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// walked is a task while a list is walked through: its ids on the engines, what it is listed by, and whether it stayed so.
type walked struct {
	ids                [2]int64
	title              string
	completed          bool
	created, updated   int  // places in the order of the changes
	moved, gone, fresh bool // since the walk began: listed by something else, deleted, created
}

func (w *walked) matches(status, q string) bool {
	return (status == "all" || w.completed == (status == "completed")) && strings.Contains(strings.ToLower(w.title), q)
}

// key is what a task is listed by in an order.
func (w *walked) key(order string) string {
	switch strings.TrimPrefix(order, "-") {
	case "created_at":
		return fmt.Sprintf("%09d", w.created)
	case "updated_at":
		return fmt.Sprintf("%09d", w.updated)
	}
	return w.title
}

// walker changes the tasks of a user on both engines, between the pages of a list.
type walker struct {
	*rapid.T
	t             *testing.T
	engines       []*server
	user          string
	tasks         []*walked
	order, status string
	q             string
	changes       int
}

// change sends a request to both engines and keeps track of what it does to a task.
func (w *walker) change(task *walked, method, suffix string, body any, apply func()) {
	key, match := task.key(w.order), task.matches(w.status, w.q)
	w.changes++
	apply()
	task.moved = task.moved || key != task.key(w.order) || match != task.matches(w.status, w.q)
	for engine, s := range w.engines {
		got := s.sendUnchecked(w.t, request{method: method, path: path(task.ids[engine]) + suffix, user: w.user, body: body})
		require.Less(w, got.StatusCode, 300, "%s", got.body)
	}
}

var walkedTitles = rapid.SampledFrom([]string{"a", "A", "b", "ab", "B", "c", "aa", "é"})

func (w *walker) create(fresh bool) {
	w.changes++
	made := &walked{title: walkedTitles.Draw(w.T, "title"), created: w.changes, updated: w.changes, fresh: fresh}
	for engine, s := range w.engines {
		got := s.sendUnchecked(w.t, request{method: "POST", path: "/api/tasks", user: w.user, body: map[string]any{"title": made.title}})
		require.Equal(w, 201, got.StatusCode)
		made.ids[engine] = decode[task](w.t, got).ID
	}
	w.tasks = append(w.tasks, made)
}

// draw does something at random.
func (w *walker) draw(fresh bool) {
	var left []*walked
	for _, task := range w.tasks {
		if !task.gone {
			left = append(left, task)
		}
	}
	what := rapid.SampledFrom([]string{"create", "title", "toggle", "delete"}).Draw(w.T, "change")
	if len(left) == 0 || what == "create" {
		w.create(fresh)
		return
	}
	task := rapid.SampledFrom(left).Draw(w.T, "task")
	switch what {
	case "title":
		title := walkedTitles.Draw(w.T, "title")
		w.change(task, "PATCH", "", map[string]any{"title": title}, func() { task.title, task.updated = title, w.changes })
	case "toggle":
		w.change(task, "PATCH", "/complete", nil, func() { task.completed, task.updated = !task.completed, w.changes })
	case "delete":
		w.change(task, "DELETE", "", nil, func() { task.gone = true })
	}
}

// walk lists the tasks page by page and returns, for each engine, the places of the tasks that the pages showed.
func (w *walker) walk(limit int) (shown [2][]int) {
	first := fmt.Sprintf("?limit=%d&sort=%s&status=%s&q=%s", limit, w.order, w.status, w.q)
	for queries := []string{first, first}; queries[0] != ""; {
		for engine, s := range w.engines {
			got := s.as(w.user).ask(w.t, 200, "/api/tasks", queries[engine])
			for _, id := range ids(w.t, rowsOf(w.t, got)) {
				shown[engine] = append(shown[engine], slices.IndexFunc(w.tasks, func(task *walked) bool { return task.ids[engine] == id }))
			}
			queries[engine] = nextQuery(w.t, got)
		}
		require.Equal(w, queries[0] == "", queries[1] == "", "one engine has another page, the other has none")
		for range rapid.IntRange(0, 3).Draw(w.T, "changes") {
			w.draw(true)
		}
	}
	return shown
}

func TestPagesShowWhatDoesNotChangeOnceWhateverChangesAroundIt(t *testing.T) {
	t.Parallel()
	engines := []*server{newServer(t, newSQLite(t)), newServer(t, newPostgres(t))}
	orders := engines[0].as("ann").orders(t, "/api/tasks")
	users := 0
	rapid.Check(t, func(rt *rapid.T) {
		users++
		w := &walker{T: rt, t: t, engines: engines, user: fmt.Sprint("user ", users)}
		w.order = rapid.SampledFrom(orders).Draw(rt, "order")
		w.status = rapid.SampledFrom([]string{"all", "pending", "completed"}).Draw(rt, "status")
		w.q = rapid.SampledFrom([]string{"", "a", "b"}).Draw(rt, "q")
		for range rapid.IntRange(0, 12).Draw(rt, "before") {
			w.draw(false)
		}
		for _, task := range w.tasks {
			task.moved = false
		}
		shown := w.walk(rapid.IntRange(1, 4).Draw(rt, "limit"))
		require.Equal(rt, shown[0], shown[1], "the engines differ")
		times := map[int]int{}
		for _, place := range shown[0] {
			times[place]++
		}
		for place, task := range w.tasks {
			switch stayed := !task.moved && !task.gone; {
			case stayed && !task.fresh && task.matches(w.status, w.q):
				require.Equal(rt, 1, times[place], "%+v in %v", *task, shown[0])
			case !task.moved && !task.matches(w.status, w.q):
				require.Zero(rt, times[place], "%+v in %v", *task, shown[0])
			case !task.moved:
				require.LessOrEqual(rt, times[place], 1, "%+v in %v", *task, shown[0])
			}
		}
		for i, place := range shown[0][:max(0, len(shown[0])-1)] {
			a, b := w.tasks[place], w.tasks[shown[0][i+1]]
			if a.moved || b.moved {
				continue
			}
			if strings.HasPrefix(w.order, "-") {
				a, b = b, a
			}
			require.LessOrEqual(rt, fmt.Sprintf("%s %09d", a.key(w.order), a.created), fmt.Sprintf("%s %09d", b.key(w.order), b.created))
		}
	})
}
