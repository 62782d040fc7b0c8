package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var installQuery = sync.OnceValue(func() error { return installPackages("spa") })

// spa is the code of docs/spa.md and a program that it calls.
type spa struct {
	*process
	code   string // its directory
	driver string // the directory of the driver.mjs that runs it
}

func TestTheCodeForSinglePageAppsDoesWhatItsPageSays(t *testing.T) {
	buildProgram(t)
	requirePackages(t, "TanStack Query", installQuery())
	code, _ := spaCode(t)
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		settings := append(inDevelopment, "DATABASE_URL="+databaseURL, "ENVIRONMENT=production", "RATE_LIMIT=60")
		s := spa{newHome(t).start(t, settings...), code, "spa"}
		for name, test := range map[string]func(*testing.T, spa){
			"AnExpiredTokenIsReplacedAndErrorsAreReadByField": testErrors,
			"AnUnchangedPollIs304":                            testPoll,
			"ALostUpdateIsRefusedShownAndResolved":            testConflict,
			"AChangeWhoseAnswerWasLostIsMadeOnce":             testLostChange,
			"ARowIsCreatedOnceHoweverManyAnswersAreLost":      testCreate,
			"EveryRowIsScrolledOnce":                          testScroll,
			"APageOverTheRateLimitWaitsAsLongAsItIsTold":      testLimit,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, s)
			})
		}
	})
}

// run has a scenario of the driver played by a user of its name, and returns the requests that the page sent.
func (s spa) run(t *testing.T, scenario string, result any) (sent []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	defer cancel()
	driver := exec.CommandContext(ctx, "node", "driver.mjs", s.code, scenario, s.url+"/", tokenOf(t, scenario))
	driver.Dir = s.driver
	var stderr bytes.Buffer
	driver.Stderr = &stderr
	out, err := driver.Output()
	require.NoError(t, err, "%s", &stderr)
	require.NoError(t, json.Unmarshal(out, result), "%s", out)
	var page struct{ Sent []string }
	require.NoError(t, json.Unmarshal(out, &page), "%s", out)
	return page.Sent
}

// rows returns what the user of a scenario has, newest first.
func (s spa) rows(t *testing.T, scenario string) []task {
	t.Helper()
	return decode[[]task](t, s.call(t, 200, "GET", "/api/tasks", tokenOf(t, scenario), ""))
}

// seen counts the requests of a scenario's user that the server answered with a status.
func (s spa) seen(t *testing.T, scenario string, status int) (count int) {
	t.Helper()
	for _, line := range s.stderr.lines(t, "request") {
		if line["user_id"] == scenario && line["status"] == float64(status) {
			count++
		}
	}
	return count
}

func testErrors(t *testing.T, s spa) {
	var got struct {
		Fields             map[string][]string
		Message, RequestID string
	}
	sent := s.run(t, "errors", &got)
	require.Equal(t, []string{"POST 401", "POST 422", "GET 401", "GET 404"}, sent)
	require.Equal(t, map[string][]string{
		"title": {"String should have at least 1 character"}, "description": {"Input should be a valid string"},
	}, got.Fields)
	require.Equal(t, "Task not found", got.Message)
	require.Contains(t, s.stderr.String(), `"request_id":"`+got.RequestID+`"`)
}

func testPoll(t *testing.T, s spa) {
	var got struct{ Shown []int }
	sent := s.run(t, "poll", &got)
	require.Equal(t, []string{"GET 200", "GET 304", "GET 304"}, sent[:3])
	require.Equal(t, []int{0, 1}, got.Shown, "what is unchanged is shown anew")
	require.Contains(t, sent[3:], "GET 200")
	unchanged := 0
	for _, answer := range sent {
		if answer == "GET 304" {
			unchanged++
		}
	}
	require.GreaterOrEqual(t, s.seen(t, "poll", 304), unchanged)
}

func testConflict(t *testing.T, s spa) {
	var got struct {
		Shown              []string
		Theirs, Afterwards string
	}
	sent := s.run(t, "conflict", &got)
	sent = slices.DeleteFunc(sent, func(answer string) bool { return answer == "GET 304" }) // of the poll after the mutation
	require.Equal(t, []string{"GET 200", "PATCH 412", "GET 200", "PATCH 200"}, sent)
	require.Equal(t, "Theirs, null", got.Afterwards, "a refused change changes nothing")
	require.Equal(t, "Theirs, null", got.Theirs)
	require.Equal(t, []string{"Old, null", "Old, mine", "Theirs, null", "Theirs, mine"}, slices.Compact(got.Shown),
		"first as if the change were made")
	rows := s.rows(t, "conflict")
	require.Len(t, rows, 1)
	require.Equal(t, "Theirs", rows[0].Title)
	require.Equal(t, "mine", *rows[0].Description)
}

func testLostChange(t *testing.T, s spa) {
	var got struct {
		Completed   bool
		Description *string
		Title, ETag string
	}
	sent := s.run(t, "lostChange", &got)
	require.Equal(t, []string{"GET 200", "PATCH 200", "PATCH 412", "GET 200"}, sent)
	require.Equal(t, `"2"`, got.ETag, "it was changed once")
	require.True(t, got.Completed)
	require.Nil(t, got.Description, "null clears")
	require.Equal(t, "Old", got.Title, "an absent field stays")
}

func testCreate(t *testing.T, s spa) {
	var got struct {
		ID              int64
		PressedAgain    bool
		Unsent, Refused *struct{}
		Reused          map[string][]string
	}
	sent := s.run(t, "create", &got)
	require.Equal(t, []string{
		"POST 201", "POST 201 replayed", // a retry
		"POST 201", "POST 201 replayed", // after a reload
		"POST 201", "POST 422", "POST 422",
	}, sent)
	require.True(t, got.PressedAgain, "the same input has another key")
	require.Nil(t, got.Unsent, "a created task is kept")
	require.Nil(t, got.Refused, "a refused task is kept")
	require.Contains(t, got.Reused, "Idempotency-Key")
	var titles []string
	for _, row := range s.rows(t, "create") {
		titles = append(titles, row.Title)
	}
	require.Equal(t, []string{"Reloaded", "Reloaded", "Retried"}, titles)
	require.Equal(t, got.ID, s.rows(t, "create")[2].ID)
}

func testScroll(t *testing.T, s spa) {
	var got struct {
		Titles        string
		Totals, Sizes []int
	}
	s.run(t, "scroll", &got)
	require.Equal(t, "jihgfedcba", got.Titles)
	require.Equal(t, []int{3, 3, 3, 1}, got.Sizes)
	require.Equal(t, []int{10, 0, 0, 0}, got.Totals, "counted once")
}

func testLimit(t *testing.T, s spa) {
	var got struct {
		Waits []float64 // milliseconds
		Same  bool
	}
	sent := s.run(t, "limit", &got)
	require.GreaterOrEqual(t, slices.Index(sent, "GET 429"), 60)
	require.Equal(t, "GET 200", sent[len(sent)-1])
	require.GreaterOrEqual(t, slices.Min(got.Waits), float64(time.Second.Milliseconds()), "the page asks again too early")
	require.True(t, got.Same)
}
