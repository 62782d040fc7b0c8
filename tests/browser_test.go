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
		"APageOfAListedOriginReadsEveryAnswer":         testListedOrigin,
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
		require.NotEmpty(t, got.RequestID, "%s %s: X-Request-ID is not exposed", method, path)
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

func testUnlistedOrigin(t *testing.T, browser context.Context) {
	s := newServer(t, newSQLite(t), "CORS_ORIGINS", serveOrigin(t))
	api, ann := s.listen(t), tokenOf(t, "ann")
	p := openPage(t, browser)
	p.visit(serveOrigin(t))
	for method, body := range map[string]string{"POST": `{"title": "Buy groceries"}`, "GET": ""} {
		require.Equal(t, fetched{Error: "TypeError"}, p.fetch(method, api+"/api/tasks", ann, body), method)
	}
	reached := s.logs.lines(t, "request")
	require.Len(t, reached, 2)
	for _, preflight := range reached {
		require.Equal(t, "OPTIONS", preflight["method"])
	}
	require.Empty(t, s.as("ann").list(t))
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
