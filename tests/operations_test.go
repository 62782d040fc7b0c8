package tests

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"taskapi/models/database"
)

func TestHealthNeverAsksTheDatabaseAndReadyDoes(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		health, ready := request{method: "GET", path: "/health"}, request{method: "GET", path: "/ready"}
		require.Equal(t, `{"status":"ok"}`, string(s.send(t, health).body))
		got := s.send(t, ready)
		require.Equal(t, 200, got.StatusCode)
		require.Equal(t, `{"status":"ready"}`, string(got.body))

		require.NoError(t, database.Close(s.db))
		require.Equal(t, 200, s.send(t, health).StatusCode)
		unavailable(t, s.send(t, ready))
	})
}

func TestThoseWhoAskForReadinessTakeOneConnection(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		pool, err := s.db.DB()
		require.NoError(t, err)
		pool.SetMaxOpenConns(1)
		held, err := pool.Conn(t.Context())
		require.NoError(t, err)
		var asked sync.WaitGroup
		for range 50 {
			asked.Go(func() { assert.Equal(t, 200, s.sendUnchecked(t, request{method: "GET", path: "/ready"}).StatusCode) })
		}
		require.Eventually(t, func() bool { return pool.Stats().WaitCount > 0 }, waitLimit, time.Millisecond)
		time.Sleep(100 * time.Millisecond) // for those that would wait as well
		require.NoError(t, held.Close())
		asked.Wait()
		require.LessOrEqual(t, pool.Stats().WaitCount, int64(5), "those that came later may have asked again")
	})
}

func TestARequestIDIsTheClientsIfItIsSafeAndNewIfNot(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		given := map[string]bool{
			"abc-DEF_123": true, strings.Repeat("x", 64): true, strings.Repeat("x", 65): false,
			"": false, "a b": false, "a.b": false, "é": false, "a\tb": false, "<x>": false,
		}
		for id, kept := range given {
			for _, r := range []request{{method: "GET", path: "/health"}, {method: "GET", path: "/nowhere"}, {method: "GET", path: "/api/tasks"}} {
				r.header = map[string]string{"X-Request-ID": id}
				got := s.send(t, r).Header.Get("X-Request-ID")
				if kept {
					require.Equal(t, id, got)
				} else {
					require.Regexp(t, `^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`, got)
				}
			}
		}
		ids := map[string]bool{}
		for range 100 {
			ids[s.send(t, request{method: "GET", path: "/health"}).Header.Get("X-Request-ID")] = true
		}
		require.Len(t, ids, 100)
	})
}

func TestTheAccessLogNamesTheTraceThatARequestBelongsTo(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	id := "4bf92f3577b34da6a3ce929d0e0e4736"
	for header, want := range map[string]string{
		"00-" + id + "-00f067aa0ba902b7-01": id, "": "", "01-" + id + "-00f067aa0ba902b7-01": "",
		"00-" + id + "-00f067aa0ba902b7-01-x": "", "secret": "",
	} {
		before := len(s.logs.lines(t, "request"))
		s.send(t, request{method: "GET", path: "/health", header: map[string]string{"traceparent": header}})
		require.Equal(t, want, s.logs.lines(t, "request")[before]["trace_id"])
	}
}

func TestTheAccessLogTellsOfEachRequestWithoutTokenPathOrBody(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		r := request{
			method: "PUT", path: "/api/tasks/987654?secret=query", user: "ann", body: `{"title":"private"}`,
			header: map[string]string{"X-Request-ID": "id-1"},
		}
		got := s.send(t, r)
		require.Equal(t, 404, got.StatusCode)
		line := s.logs.lines(t, "request")[0]
		for name, want := range map[string]any{
			"level": "INFO", "method": "PUT", "route": "/api/tasks/:id", "status": 404.0,
			"bytes": float64(len(got.body)), "request_id": "id-1", "user_id": "ann",
		} {
			require.Equal(t, want, line[name], name)
		}
		require.Greater(t, line["duration"], 0.0)
		for _, private := range []string{tokenOf(t, "ann")[:30], "private", "987654", "query"} {
			require.NotContains(t, s.logs.String(), private)
		}
	})
}

func TestUnknownPathsAre404AndOtherMethods405WithAllow(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		for _, user := range []string{"", "ann"} {
			for _, path := range []string{
				"/nowhere", "/api", "/api/task", "/api/tasks/1/complete/x", "/api/tasks/1/done",
				"/API/tasks", "/api/Tasks", "/docs/nothing.js", "/healthz",
			} {
				for _, method := range []string{"GET", "POST", "PROPFIND"} {
					if strings.HasPrefix(path, "/docs") && method != "GET" {
						continue
					}
					got := s.send(t, request{method: method, path: path, user: user})
					require.Equal(t, 404, got.StatusCode, "%s %s", method, path)
					require.Equal(t, `{"detail":"Not Found"}`, string(got.body))
				}
			}
			for path, allow := range map[string]string{
				"/api/tasks": "GET, HEAD, POST", "/api/tasks/1": "GET, HEAD, PUT, DELETE, PATCH",
				"/api/tasks/1/complete": "PATCH", "/health": "GET, HEAD", "/openapi.json": "GET, HEAD",
			} {
				for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"} {
					if strings.Contains(allow, method) {
						continue
					}
					got := s.send(t, request{method: method, path: path, user: user})
					require.Equal(t, 405, got.StatusCode, "%s %s", method, path)
					require.Equal(t, `{"detail":"Method Not Allowed"}`, string(got.body))
					require.Equal(t, allow, got.Header.Get("Allow"), "%s %s", method, path)
					require.Equal(t, "application/json", got.Header.Get("Content-Type"))
				}
			}
		}
		got := s.send(t, request{method: "HEAD", path: "/api/tasks", user: "ann"})
		require.Equal(t, 200, got.StatusCode)
		require.Empty(t, got.body)
		require.Equal(t, 401, s.send(t, request{method: "HEAD", path: "/api/tasks"}).StatusCode)
	})
}

func TestBrowsersOfListedOriginsMayCallAndReadEveryAnswer(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		s := newServer(t, databaseURL, "CORS_ORIGINS", "https://app.example.com, https://*.preview.example.com/")
		preflight := func(origin, method string) answer {
			return s.send(t, request{method: "OPTIONS", path: "/api/tasks/1", header: map[string]string{
				"Origin": origin, "Access-Control-Request-Method": method,
				"Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
			}})
		}
		for _, origin := range []string{"https://app.example.com", "https://one.preview.example.com"} {
			for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
				got := preflight(origin, method)
				require.Equal(t, 204, got.StatusCode)
				require.Equal(t, origin, got.Header.Get("Access-Control-Allow-Origin"))
				require.Contains(t, got.Header.Get("Access-Control-Allow-Methods"), method)
				require.Equal(t, "authorization,content-type,idempotency-key", got.Header.Get("Access-Control-Allow-Headers"))
				require.Equal(t, "true", got.Header.Get("Access-Control-Allow-Credentials"))
				require.Equal(t, "7200", got.Header.Get("Access-Control-Max-Age"))
			}
			for path, status := range map[string]int{"/api/tasks": 401, "/nowhere": 404, "/health": 200} {
				got := s.send(t, request{method: "GET", path: path, header: map[string]string{"Origin": origin}})
				require.Equal(t, status, got.StatusCode)
				require.Equal(t, origin, got.Header.Get("Access-Control-Allow-Origin"))
				require.Contains(t, got.Header.Values("Vary"), "Origin")
				require.Contains(t, got.Header.Get("Access-Control-Expose-Headers"), "X-Request-ID")
				require.Contains(t, got.Header.Get("Access-Control-Expose-Headers"), "Retry-After")
			}
			large := s.send(t, request{"POST", "/api/tasks", "ann", strings.Repeat(" ", 70<<10), map[string]string{"Origin": origin}})
			require.Equal(t, 413, large.StatusCode)
			require.Equal(t, origin, large.Header.Get("Access-Control-Allow-Origin"))
		}
		for _, origin := range []string{
			"https://evil.example", "http://app.example.com", "https://app.example.com.evil.example", "https://app.example.com:8443", "null",
		} {
			require.Empty(t, preflight(origin, "PUT").Header.Get("Access-Control-Allow-Origin"), origin)
		}
	})
}

func TestABrowserMayReadWhyItsRequestNeverReachedARoute(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	s.listen(t)
	for origin, allowed := range map[string]string{"https://app.example.com": "https://app.example.com", "https://evil.example": ""} {
		for lines, status := range map[string]int{
			"POST /api/tasks HTTP/1.1\r\nContent-Length: 100000000\r\n":   413,
			"POST /api/tasks HTTP/1.1\r\nTransfer-Encoding: identity\r\n": 400,
			"PROPFIND /api/tasks HTTP/1.1\r\n":                            405,
		} {
			got := s.exchange(t, lines+"Host: x\r\nOrigin: "+origin+"\r\n\r\n")
			require.Equal(t, []int{status}, statuses(got))
			require.Equal(t, allowed, got[0].Header.Get("Access-Control-Allow-Origin"), lines)
			require.Contains(t, got[0].Header.Values("Vary"), "Origin")
		}
	}
}

func TestEveryOriginOrNoneMayBeAllowed(t *testing.T) {
	t.Parallel()
	header := map[string]string{"Origin": "https://anywhere.example"}
	every := newServer(t, newSQLite(t), "CORS_ORIGINS", "*").send(t, request{method: "GET", path: "/health", header: header})
	require.Equal(t, "*", every.Header.Get("Access-Control-Allow-Origin"))
	require.Empty(t, every.Header.Get("Access-Control-Allow-Credentials"))
	none := newServer(t, newSQLite(t), "CORS_ORIGINS", "").send(t, request{method: "GET", path: "/health", header: header})
	require.Empty(t, none.Header.Get("Access-Control-Allow-Origin"))
}

// preflight asks whether pages of an origin may send a PUT.
func (s *server) preflight(t testing.TB, origin string) answer {
	t.Helper()
	header := map[string]string{"Origin": origin, "Access-Control-Request-Method": "PUT"}
	return s.sendUnchecked(t, request{method: "OPTIONS", path: "/api/tasks/1", header: header})
}

func TestOriginsOfAppsExtensionsAndPreviewsAreAllowed(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t), "CORS_ORIGINS", "tauri://localhost,capacitor://localhost,"+
		"chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb,safari-web-extension://0D7E4AD5-71A6-4A2E-9F6E-3E3F1F8B9C01,"+
		"https://app-*-team.vercel.app,https://*.preview.example.com,http://localhost:*")
	for origin, allowed := range map[string]bool{
		"tauri://localhost": true, "capacitor://localhost": true, "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb": true,
		"safari-web-extension://0D7E4AD5-71A6-4A2E-9F6E-3E3F1F8B9C01": true, // echoed byte by byte
		"https://app-git-main-team.vercel.app":                        true,
		"https://app-1a2b-team.vercel.app":                            true,
		"https://a.b.preview.example.com":                             true,
		"http://localhost":                                            true,
		"http://localhost:4321":                                       true,
		"tauri://localhost:1":                                         false,
		"https://localhost":                                           false,
		"chrome-extension://bapbdbdomjkkjkaonfhkkikfgjllcleb":         false,
		"https://app-x.evil-team.vercel.app":                          false,
		"https://app-x-team.vercel.app.evil.example":                  false,
		"https://evil.example/app-x-team.vercel.app":                  false,
		"https://evil-app-x-team.vercel.app":                          false,
		"http://app-x-team.vercel.app":                                false,
		"https://app-x-teamxvercel.app":                               false,
		"https://preview.example.com":                                 false,
		"https://evilpreview.example.com":                             false,
		"https://evil.example:443@x.preview.example.com":              false,
		"http://localhost:4321.evil.example":                          false,
		"http://localhost:":                                           false,
	} {
		t.Run(origin, func(t *testing.T) {
			t.Parallel()
			want := ""
			if allowed {
				want = origin
			}
			require.Equal(t, want, s.preflight(t, origin).Header.Get("Access-Control-Allow-Origin"))
		})
	}
}

func TestAnyPortOfTheMachineIsAnOriginInDevelopment(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t), "ENVIRONMENT", "development", "CORS_ORIGINS", "")
	for _, origin := range []string{
		"http://localhost:3000", "http://localhost:4173", "https://localhost:8443", "http://127.0.0.1:5500", "http://localhost",
	} {
		require.Equal(t, origin, s.preflight(t, origin).Header.Get("Access-Control-Allow-Origin"))
	}
	for _, origin := range []string{"http://localhost.evil.example:3000", "https://evil.example", "http://192.168.0.7:3000", "null"} {
		require.Empty(t, s.preflight(t, origin).Header.Get("Access-Control-Allow-Origin"))
	}
}

func TestARefusedPreflightNamesItsOriginInTheLogOnceAMinute(t *testing.T) {
	t.Parallel()
	const message = "an origin is refused that CORS_ORIGINS does not list"
	for _, origins := range []string{"", "https://app.example.com"} {
		s := newServer(t, newSQLite(t), "CORS_ORIGINS", origins)
		for range 3 {
			s.preflight(t, "https://preview.example.com")
			s.preflight(t, "null")
			s.send(t, request{method: "GET", path: "/health", header: map[string]string{"Origin": "https://read.example.com"}})
		}
		lines := s.logs.lines(t, message)
		require.Len(t, lines, 2)
		require.Equal(t, "https://preview.example.com", lines[0]["origin"])
		require.Equal(t, "null", lines[1]["origin"])
		for i := range 300 {
			s.preflight(t, fmt.Sprintf("https://%d.example.com/%s", i, strings.Repeat("x", 2000)))
		}
		require.Len(t, s.logs.lines(t, message), 100)
		require.NotContains(t, s.logs.String(), strings.Repeat("x", 201))
	}
	s := newServer(t, newSQLite(t))
	s.preflight(t, "https://app.example.com")
	require.Empty(t, s.logs.lines(t, message))
}

func TestWhatIsNotHTTPIsRefusedInTheSameShape(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	s.listen(t)
	for _, raw := range []string{
		"nonsense\r\n\r\n", "GET /api/tasks HTTP/1.1\r\nbroken header\r\nHost: x\r\n\r\n",
		"POST /api/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
	} {
		got := s.sendRaw(t, raw)
		response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(got)), nil)
		require.NoError(t, err, got)
		require.Equal(t, 400, response.StatusCode)
		require.Contains(t, got, `{"detail":"Bad Request"}`)
		require.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"))
		require.Equal(t, "no-store", response.Header.Get("Cache-Control"))
		logged := s.logs.lines(t, "request")
		last := logged[len(logged)-1]
		require.Equal(t, response.Header.Get("X-Request-ID"), last["request_id"])
		require.Equal(t, "none", last["route"])
		require.EqualValues(t, 400, last["status"])
		require.Equal(t, "application/json", response.Header.Get("Content-Type"))
	}
}

func TestNoConnectionMayStayForEver(t *testing.T) {
	t.Parallel()
	timeouts := newServer(t, newSQLite(t)).app.Config()
	for _, limit := range []time.Duration{timeouts.ReadTimeout, timeouts.WriteTimeout} {
		require.Positive(t, limit)
		require.LessOrEqual(t, limit, time.Minute)
	}
	require.Equal(t, 75*time.Second, timeouts.IdleTimeout, "longer than AWS's balancer, which reuses connections for 60 seconds")
}
