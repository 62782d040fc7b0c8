package tests

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"taskapi/models"
)

// metrics returns the metrics of the server as text.
func (s *server) metrics(t testing.TB) string {
	t.Helper()
	got := httptest.NewRecorder()
	s.deps.Metrics.Handler().ServeHTTP(got, httptest.NewRequest("GET", "/metrics", nil))
	require.Equal(t, 200, got.Code)
	return got.Body.String()
}

func TestMetricsTellOfRequestsRefusalsTripsAndThePool(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		created := s.as("zoe-7").create(t, "x")
		s.as("zoe-7").call(t, 200, "GET", path(created.ID))
		s.as("bob").call(t, 404, "GET", path(created.ID))
		s.send(t, request{method: "GET", path: "/api/tasks"})
		s.send(t, request{method: "GET", path: "/api/tasks", header: bearer("abc")})
		s.send(t, request{method: "GET", path: "/nowhere/private-path"})
		s.send(t, request{method: "DELETE", path: "/health"})
		require.ErrorIs(t, s.db.Find(&[]models.Task{}).Error, models.ErrNotConfined)
		require.ErrorIs(t, s.db.Scopes(models.OwnedBy("")).Find(&[]models.Task{}).Error, models.ErrNoOwner)
		require.ErrorIs(t, s.db.Create(&models.Task{TaskInput: models.TaskInput{Title: "x"}}).Error, models.ErrNoOwner)

		text := s.metrics(t)
		for _, line := range []string{
			`taskapi_http_request_duration_seconds_count\{method="POST",route="/api/tasks",status="201"\} 1`,
			`taskapi_http_request_duration_seconds_count\{method="GET",route="/api/tasks/:id",status="200"\} 1`,
			`taskapi_http_request_duration_seconds_count\{method="GET",route="/api/tasks/:id",status="404"\} 1`,
			`taskapi_http_request_duration_seconds_count\{method="GET",route="/api/tasks",status="401"\} 2`,
			`taskapi_http_request_duration_seconds_count\{method="GET",route="none",status="404"\} 1`,
			`taskapi_http_request_duration_seconds_count\{method="DELETE",route="none",status="405"\} 1`,
			`taskapi_http_request_duration_seconds_bucket\{method="POST",route="/api/tasks",status="201",le="10"\} 1`,
			`taskapi_http_requests_in_flight 0`,
			`taskapi_auth_refusals_total\{reason="no_token"\} 1`,
			`taskapi_auth_refusals_total\{reason="malformed"\} 1`,
			`taskapi_isolation_guard_trips_total 3`,
			`go_sql_max_open_connections\{db_name="tasks"\} \d+`,
			`go_build_info\{.*path="taskapi.*\} 1`,
			`go_goroutines \d+`,
			`process_open_fds \d+`,
		} {
			require.Regexp(t, `(?m)^`+line+`$`, text)
		}
		require.NotContains(t, text, "private-path", "a path is in the metrics")
		require.NotContains(t, text, "zoe-7", "a user is in the metrics")
		require.Equal(t, "none", s.logs.lines(t, "request")[5]["route"])
	})
}

func TestMetricsCountWhatClientsSaveAndWhatTheyWouldHaveOverwritten(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		counts := func() (found []int) {
			for _, name := range []string{"idempotency_replays", "not_modified", "precondition_failures"} {
				value := regexp.MustCompile(`(?m)^taskapi_` + name + `_total (\d+)$`).FindStringSubmatch(r.s.metrics(t))
				require.NotNil(t, value, name)
				count, err := strconv.Atoi(value[1])
				require.NoError(t, err)
				found = append(found, count)
			}
			return found
		}
		before := counts()
		of := r.toRow(t, r.once(t, "ann", "k"))
		read := request{method: "GET", path: of.path, user: "ann"}
		r.s.ask(t, 200, read.withHeader("If-None-Match", `"2"`))
		for _, write := range r.writes("ann", row{path: r.path + "/0"}) {
			r.s.ask(t, 404, write.withHeader("If-Match", `*`))
		}
		require.Equal(t, before, counts(), "nothing was saved or refused")
		r.s.ask(t, 201, r.keyed("ann", "k"))
		for range 2 {
			r.s.ask(t, 304, read.withHeader("If-None-Match", `"1"`))
		}
		for range 3 {
			r.s.ask(t, 412, r.writes("ann", of)[0].withHeader("If-Match", `"2"`))
		}
		require.Equal(t, []int{before[0] + 1, before[1] + 2, before[2] + 3}, counts())
	})
}

func TestMetricsAreOnAListenerOfTheirOwn(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	p := newHome(t).start(t, append(inDevelopment, "METRICS_ADDR=127.0.0.1:0")...)
	p.call(t, 200, "GET", "/api/tasks", tokenOf(t, "ann"), "")
	found := regexp.MustCompile(`msg=metrics address=(\S+)`).FindStringSubmatch(p.stderr.String())
	require.NotNil(t, found, &p.stderr)
	get := func(address, path string) int {
		got, err := http.Get("http://" + address + path)
		require.NoError(t, err)
		require.NoError(t, got.Body.Close())
		return got.StatusCode
	}
	require.Equal(t, 200, get(found[1], "/metrics"))
	for _, path := range []string{"/", "/api/tasks", "/health", "/debug/pprof/"} {
		require.Equal(t, 404, get(found[1], path), path)
	}
	require.Equal(t, 404, get(p.address, "/metrics"))

	off := newHome(t).start(t, inDevelopment...)
	require.NotContains(t, off.stderr.String(), "metrics")
	got := newHome(t).run(t, append(inDevelopment, "PORT=0", "METRICS_ADDR="+p.address))
	refused(t, got, 1)
	require.Contains(t, got.stderr, "METRICS_ADDR: ")
}

func TestABadMetricsAddressOrRateLimitIsNamed(t *testing.T) {
	t.Parallel()
	for name, values := range map[string][]string{
		"METRICS_ADDR": {"9090", "localhost", ":8000", "127.0.0.1:8000"},
		"RATE_LIMIT":   {"-1", "ten", "1.5"},
	} {
		for _, value := range values {
			t.Run(name+"="+value, func(t *testing.T) {
				cfg, err := parse(name, value)
				requireFaults(t, cfg, err, name)
			})
		}
	}
	for _, value := range []string{":9090", "[::1]:9090", "127.0.0.1:0"} {
		_, err := parse("METRICS_ADDR", value)
		require.NoError(t, err)
	}
}
