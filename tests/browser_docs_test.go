package tests

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"taskapi/middleware/token"
)

// triedOut are the settings of somebody who tries the server out: those of a first start.
var triedOut = []string{
	"ENVIRONMENT", "development", "BETTER_AUTH_SECRET", "made-for-development-2Vt1xq0Jz5cYk8WmRb7e", "CORS_ORIGINS", "",
}

// demoOnly is what only the page for somebody who tries the server out shows.
const demoOnly = `//*[@role="status"][contains(., "token for the user demo")]`

func testReadyDocsPage(t *testing.T, browser context.Context) {
	s := newServer(t, newSQLite(t), triedOut...)
	address := s.listen(t)
	w := &watch{host: strings.TrimPrefix(address, "http://")}
	p := openPage(t, browser, w.listen)
	defer w.requireNoFault(t)

	p.do("a taller window", chromedp.EmulateViewport(1280, 1350))
	p.visit(address + "/docs/")
	p.see(demoOnly)
	p.see(`//summary[contains(., "Conventions")]`)
	p.see(operation("create_task"))
	p.shoot("docs-page.png")
	p.unfold("create_task")
	p.execute("create_task", "201", `"user_id": "demo"`)
	p.execute("create_task", "201", `"id": 2,`)
	p.unfold("list_tasks")
	p.execute("list_tasks", "200", `"id": 1,`)
	p.unfold("get_task")
	p.execute("get_task", "200", `"id": 2,`)

	p.do("reload", chromedp.Reload())
	p.see(demoOnly)
	p.unfold("toggle_task_completion")
	p.execute("toggle_task_completion", "200", `"id": 2,`)
	p.unfold("patch_task")
	p.execute("patch_task", "200", `"id": 2,`)
	p.unfold("delete_task")
	p.press(operation("delete_task") + `//button[contains(@class, "execute")]`)
	p.see(operation("delete_task") + `//td[contains(@class, "response-col_status")][contains(., "204")]`)

	// Who signs in as somebody else stays so.
	p.press(`//button[contains(@class, "authorize")]`)
	p.press(`//*[contains(@class, "auth-container")]//button[text()="Logout"]`)
	ann, err := token.Sign(s.cfg.Secret, "ann", time.Hour)
	require.NoError(t, err)
	p.write(`//input[@id="auth-bearer-value"]`, ann)
	p.press(`//*[contains(@class, "auth-container")]//button[@type="submit"]`)
	p.see(`//*[contains(@class, "auth-container")]//button[text()="Logout"]`)
	p.press(`//*[contains(@class, "auth-container")]//button[contains(@class, "btn-done")]`)
	p.do("reload", chromedp.Reload())
	p.unfold("create_task")
	p.execute("create_task", "201", `"user_id": "ann"`)
	p.lack(demoOnly)
}

func TestTheDocsPageHasATokenOnlyForWhoTriesTheServerOut(t *testing.T) {
	t.Parallel()
	const local = "127.0.0.1:8000"
	for name, row := range map[string]struct {
		settings     []string
		host, header string // the header is a line
		token        bool
	}{
		"a first start, by address":   {host: local, token: true},
		"a first start, by name":      {host: "LocalHost:8000", token: true},
		"a first start, by IPv6":      {host: "[::1]:8000", token: true},
		"without a port":              {host: "localhost", token: true},
		"a page of another port asks": {host: local, header: "Origin: http://localhost:3000", token: true},
		"listening on localhost":      {host: local, settings: []string{"HOST", "localhost"}, token: true},
		"production":                  {host: local, settings: []string{"ENVIRONMENT", "production", "HOST", "127.0.0.1"}},
		"on every interface":          {host: local, settings: []string{"HOST", "0.0.0.0"}},
		"on every interface, IPv6":    {host: local, settings: []string{"HOST", "[::]"}},
		"a secret of the user's":      {host: local, settings: []string{"BETTER_AUTH_SECRET", testSecret}},
		"a rotated secret":            {host: local, settings: []string{"BETTER_AUTH_SECRETS", "2:" + triedOut[3] + ",1:old"}},
		"an issuer":                   {host: local, settings: []string{"BETTER_AUTH_URL", "http://127.0.0.1:1"}},
		"a key set": {host: local, settings: []string{
			"JWKS_URL", "http://[::1]:1", "JWT_ISSUER", "a", "JWT_AUDIENCE", "b",
		}},
		"accounts":                     {host: local, settings: []string{"AUTH_USERS_TABLE", "user"}},
		"a rebound name":               {host: "rebound.example.com:8000"},
		"a name like the address":      {host: "127.0.0.1.example.com"},
		"a name like localhost":        {host: "localhost.example.com"},
		"an address of the network":    {host: "192.168.0.7:8000"},
		"the unspecified address":      {host: "0.0.0.0:8000"},
		"passed on: Forwarded":         {host: local, header: "Forwarded: for=10.0.0.1"},
		"passed on: X-Forwarded-For":   {host: local, header: "X-Forwarded-For: 10.0.0.1"},
		"passed on: X-Forwarded-Proto": {host: local, header: "x-forwarded-proto: https"},
		"passed on: a new one":         {host: local, header: "X-Forwarded-Anything: 1"},
		"passed on: Via":               {host: local, header: "Via: 1.1 proxy"},
		"passed on: X-Real-IP":         {host: local, header: "X-Real-IP: 10.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			databaseURL := newSQLite(t)
			newAccounts(t, databaseURL, "user")
			s := newServer(t, databaseURL, append(triedOut[:len(triedOut):len(triedOut)], row.settings...)...)
			header := map[string]string{"Host": row.host}
			if name, value, found := strings.Cut(row.header, ": "); found {
				header[name] = value
			}
			for _, path := range []string{"/docs/", "/docs/index.html"} {
				page := s.send(t, request{method: "GET", path: path, header: header})
				require.Equal(t, http.StatusOK, page.StatusCode)
				require.Equal(t, "no-store", page.Header.Get("Cache-Control"))
				for name := range page.Header {
					require.False(t, strings.HasPrefix(name, "Access-Control-"), name)
				}
				require.Equal(t, row.token, strings.Contains(string(page.body), "demo"))
				minted := regexp.MustCompile(`[\w-]+\.[\w-]+\.[\w-]{43}\b`).FindAllString(string(page.body), -1)
				if !row.token {
					require.Empty(t, minted)
					continue
				}
				require.Len(t, minted, 1)
				var said jwt.RegisteredClaims
				_, _, err := jwt.NewParser().ParseUnverified(minted[0], &said)
				require.NoError(t, err)
				require.InDelta(t, 3600, said.ExpiresAt.Sub(said.IssuedAt.Time).Seconds(), 1)
				created := s.send(t, request{method: "POST", path: "/api/tasks", body: `{"title": "Cook"}`, header: bearer(minted[0])})
				require.Equal(t, "demo", decode[task](t, created).UserID)
				require.NotContains(t, s.logs.String(), minted[0])
			}
		})
	}
}

func TestATargetDoesNotStandInForTheHostOfTheDocsPage(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t), triedOut...)
	s.listen(t)
	for line, marked := range map[string]bool{
		"GET /docs/ HTTP/1.1\r\nHost: 127.0.0.1":                           true,
		"GET http://localhost/docs/ HTTP/1.1\r\nHost: rebound.example.com": false,
		"GET //localhost/docs/?:// HTTP/1.1\r\nHost: rebound.example.com":  false,
		"GET //localhost/docs/ HTTP/1.0":                                   false,
		"GET /docs/ HTTP/1.0\r\nHost: 127.0.0.1":                           false, // a proxy, perhaps
	} {
		answer := s.sendRaw(t, line+"\r\nConnection: close\r\n\r\n")
		require.Equal(t, marked, strings.Contains(answer, "a token for the user demo"), line)
	}
}
