package tests

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

func TestABrowserWorksWithTheServer(t *testing.T) {
	t.Parallel()
	browser := startBrowser(t)
	for name, test := range map[string]func(*testing.T, context.Context){
		"TheDocsPageRunsOperationsAndAsksNoOtherHost":  testDocsPage,
		"TheDocsPageIsReadyForWhoTriesTheServerOut":    testReadyDocsPage,
		"APageOfAListedOriginReadsEveryAnswer":         testListedOrigin,
		"APageOfAListedOriginReadsEveryExposedHeader":  testExposedHeaders,
		"APageOfAnotherOriginReadsAndChangesNothing":   testUnlistedOrigin,
		"TheDocsPageWorksBehindAPrefixThatNginxStrips": testStrippedPrefix,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, browser)
		})
	}
}

func testDocsPage(t *testing.T, browser context.Context) {
	s := newServer(t, newSQLite(t))
	address := s.listen(t)
	w := &watch{host: strings.TrimPrefix(address, "http://")}
	p := openPage(t, browser, w.listen)
	defer w.requireNoFault(t) // after a failure, too: it may tell the cause

	p.visit(address + "/docs/")
	p.press(`//button[contains(@class, "authorize")]`)
	p.write(`//input[@id="auth-bearer-value"]`, tokenOf(t, "ann"))
	p.press(`//*[contains(@class, "auth-container")]//button[@type="submit"]`)
	p.see(`//*[contains(@class, "auth-container")]//button[text()="Logout"]`)
	p.press(`//*[contains(@class, "auth-container")]//button[contains(@class, "btn-done")]`)

	p.lack(demoOnly)

	p.unfold("create_task")
	p.write(operation("create_task")+`//textarea`, `{"title": "Buy groceries"}`)
	p.execute("create_task", "201", "Buy groceries")
	tasks := s.as("ann").list(t)
	require.Len(t, tasks, 1)
	require.Equal(t, "Buy groceries", tasks[0].Title)
	p.unfold("list_tasks")
	p.execute("list_tasks", "200", "Buy groceries")
	p.shoot("docs.png")

	p.do("reload", chromedp.Reload())
	p.execute("list_tasks", "200", "Buy groceries") // unfolded by itself: the address names it

	p.visit("about:blank") // or the visit would change no more than the fragment
	p.visit(address + "/docs/#/tasks/get_task")
	id := `//tr[@data-param-name="id"]//input`
	p.write(operation("get_task")+id, fmt.Sprint(tasks[0].ID))
	p.execute("get_task", "200", "Buy groceries")
	p.unfold("toggle_task_completion")
	p.write(operation("toggle_task_completion")+id, fmt.Sprint(tasks[0].ID))
	p.execute("toggle_task_completion", "200", `"completed": true`)
	p.shoot("docs-deep-link.png")
}

func testListedOrigin(t *testing.T, browser context.Context) {
	origin := serveOrigin(t)
	s := newServer(t, newSQLite(t), "CORS_ORIGINS", "https://app.example.com,"+origin)
	api, ann := s.listen(t), tokenOf(t, "ann")
	p := openPage(t, browser)
	p.visit(origin)
	fetch := func(status int, method, path, token, body string) answer {
		t.Helper()
		got := p.fetch(method, api+path, token, body)
		require.Empty(t, got.Error, "%s %s", method, path)
		require.Equal(t, status, got.Status, "%s %s: %s", method, path, got.Body)
		require.NotEmpty(t, got.Header["x-request-id"], "%s %s: X-Request-ID is not exposed", method, path)
		return answer{body: []byte(got.Body)}
	}

	created := decode[task](t, fetch(201, "POST", "/api/tasks", ann, `{"title": "Buy groceries"}`))
	path := fmt.Sprintf("/api/tasks/%d", created.ID)
	require.Equal(t, created, decode[task](t, fetch(200, "GET", path, ann, "")))
	require.Equal(t, []task{created}, decode[[]task](t, fetch(200, "GET", "/api/tasks?status=pending", ann, "")))
	require.Equal(t, "Cook", decode[task](t, fetch(200, "PUT", path, ann, `{"title": "Cook"}`)).Title)
	require.True(t, decode[task](t, fetch(200, "PATCH", path+"/complete", ann, "")).Completed)

	require.JSONEq(t, `{"detail": "Invalid authentication credentials"}`, string(fetch(401, "GET", path, "no.such.token", "").body))
	require.JSONEq(t, `{"detail": "Task not found"}`, string(fetch(404, "GET", path, tokenOf(t, "bob"), "").body))
	require.JSONEq(t, `{"detail": [{"type": "missing", "loc": ["body", "title"], "msg": "Field required", "input": {}}]}`,
		string(fetch(422, "POST", "/api/tasks", ann, `{}`).body))

	require.Empty(t, fetch(204, "DELETE", path, ann, "").body)
	require.Empty(t, s.as("ann").list(t))
}

func testExposedHeaders(t *testing.T, browser context.Context) {
	origin := serveOrigin(t)
	s := newServer(t, newSQLite(t), "CORS_ORIGINS", origin, "RATE_LIMIT", "20")
	api, ann := s.listen(t)+"/api/tasks", tokenOf(t, "ann")
	p := openPage(t, browser)
	p.visit(origin)
	fetch := func(status int, method, address, body string, header map[string]string, readable ...string) map[string]string {
		t.Helper()
		got := p.fetch(method, address, ann, body, header)
		require.Empty(t, got.Error, "%s %s", method, address)
		require.Equal(t, status, got.Status, "%s %s: %s", method, address, got.Body)
		for _, name := range append(readable, "x-request-id", "ratelimit", "ratelimit-policy") {
			require.NotEmpty(t, got.Header[name], "%s %s: %s is not exposed", method, address, name)
		}
		return got.Header
	}

	key := map[string]string{"Idempotency-Key": `"8e03978e-40d5-43dd-bc93-6894a57f9324"`}
	created := fetch(201, "POST", api, `{"title": "Buy groceries"}`, key, "etag", "location")
	require.NotContains(t, created, "idempotency-replayed")
	replayed := fetch(201, "POST", api, `{"title": "Buy groceries"}`, key, "etag", "location", "idempotency-replayed")
	require.Equal(t, created["location"], replayed["location"])
	fetch(201, "POST", api, `{"title": "Cook"}`, nil, "etag", "location")

	first := api + "?limit=1&count=true"
	list := fetch(200, "GET", first, "", nil, "etag", "link", "x-total-count")
	require.Equal(t, "2", list["x-total-count"])
	known := map[string]string{"If-None-Match": list["etag"]}
	unchanged := fetch(304, "GET", first, "", known, "etag", "link", "x-total-count")
	require.Equal(t, list["link"], unchanged["link"])
	require.Equal(t, unchanged["etag"], list["etag"])
	row := fmt.Sprint(strings.TrimSuffix(api, "/api/tasks"), created["location"])
	fetch(304, "GET", row, "", map[string]string{"If-None-Match": created["etag"]}, "etag")
	fetch(200, "PATCH", row, `{"completed": true}`, map[string]string{"If-Match": created["etag"]}, "etag")
	fetch(412, "PATCH", row, `{"completed": true}`, map[string]string{"If-Match": created["etag"]})
	fetch(204, "DELETE", row, "", map[string]string{"If-Match": "*"})

	// What the browser's own cache knows to be unchanged comes to the page as a 200.
	shown := fetch(200, "GET", api, "", nil, "etag")
	require.Equal(t, shown["etag"], fetch(200, "GET", api, "", nil, "etag")["etag"])
	answers := s.logs.lines(t, "request")
	require.EqualValues(t, 304, answers[len(answers)-1]["status"])

	for range 20 {
		if p.fetch("GET", api, ann, "").Status == 429 {
			break
		}
	}
	fetch(429, "GET", api, "", nil, "retry-after")
}

func testUnlistedOrigin(t *testing.T, browser context.Context) {
	s := newServer(t, newSQLite(t), "CORS_ORIGINS", serveOrigin(t))
	api, ann := s.listen(t), tokenOf(t, "ann")
	kept := s.as("ann").create(t, "Buy groceries")
	before := len(s.logs.lines(t, "request"))
	p := openPage(t, browser)
	p.visit(serveOrigin(t))
	for _, r := range []request{
		{method: "GET", path: "/api/tasks"},
		{method: "GET", path: "/api/tasks?limit=1&count=true", header: map[string]string{"If-None-Match": "*"}},
		{method: "POST", path: "/api/tasks", body: `{"title": "Cook"}`, header: map[string]string{"Idempotency-Key": "a"}},
		{method: "PATCH", path: path(kept.ID), body: `{"title": "Cook"}`, header: map[string]string{"If-Match": "*"}},
		{method: "DELETE", path: path(kept.ID)},
	} {
		body, _ := r.body.(string)
		require.Equal(t, fetched{Error: "TypeError"}, p.fetch(r.method, api+r.path, ann, body, r.header), "%s %s", r.method, r.path)
	}
	reached := s.logs.lines(t, "request")[before:]
	require.Len(t, reached, 5)
	for _, preflight := range reached {
		require.Equal(t, "OPTIONS", preflight["method"])
	}
	require.Equal(t, []task{kept}, s.as("ann").list(t))
}

// serveOrigin serves an empty page on an origin of its own, which it returns.
func serveOrigin(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!DOCTYPE html><title>A client</title>"))
	}))
	t.Cleanup(server.Close)
	return server.URL
}
