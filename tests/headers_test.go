package tests

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"taskapi/models/database"
)

// requireSecureHeaders requires the headers of SecureHeaders in an answer. Every answer in the tests is checked.
func requireSecureHeaders(t testing.TB, path string, header http.Header) {
	t.Helper()
	require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"), path)
	require.Equal(t, "no-referrer", header.Get("Referrer-Policy"), path)
	require.NotEmpty(t, header.Get("X-Request-ID"), path)
	require.Empty(t, header.Get("Server"), path)
	policy := header.Get("Content-Security-Policy")
	if path == "/docs/" || path == "/docs/index.html" {
		require.Regexp(t, `^default-src 'none'; .*; frame-ancestors 'none'; script-src 'self'( 'sha256-[^']+')+$`, policy, path)
	} else {
		require.Equal(t, "default-src 'none'; frame-ancestors 'none'", policy, path)
	}
	switch caching := header.Get("Cache-Control"); {
	case caching == "no-store":
	case strings.HasPrefix(path, "/docs/"):
		require.Equal(t, "public, max-age=3600", caching, path) // scripts and styles
	default: // what is read again on each use, and by its own user only
		require.Equal(t, "private, no-cache", caching, path)
		require.Contains(t, header.Get("Vary"), "Authorization", path)
		require.NotEmpty(t, header.Get("ETag"), path)
	}
}

// sendMalformed sends raw bytes to the listening app. It requires one answer, after which the connection is closed.
func (s *server) sendMalformed(t testing.TB, text string) (status int) {
	t.Helper()
	sent := bufio.NewReader(strings.NewReader(s.sendRaw(t, text)))
	response, err := http.ReadResponse(sent, nil)
	require.NoError(t, err, "%.200q", text)
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	rest, err := io.ReadAll(sent)
	require.NoError(t, err)
	require.Empty(t, string(rest), "a second answer to %.200q", text)
	requireSecureHeaders(t, text, response.Header)
	require.Equal(t, "application/json", response.Header.Get("Content-Type"))
	return response.StatusCode
}

func TestEveryAnswerHasTheHeadersThatKeepBrowsersInBounds(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		answers := map[int]request{ // send checks the headers
			404: {method: "GET", path: "/nowhere"},
			401: {method: "GET", path: "/api/tasks"},
			405: {method: "DELETE", path: "/health"},
			413: {method: "POST", path: "/api/tasks", user: "ann", body: strings.Repeat(" ", 70<<10)},
			415: {
				method: "POST", path: "/api/tasks", user: "ann", body: "title=x",
				header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
			},
			422: {method: "POST", path: "/api/tasks", user: "ann", body: "{}"},
			400: {method: "GET", path: "/api/tasks?status=done", user: "ann"},
			302: {method: "GET", path: "/"},
			204: {
				method: "OPTIONS", path: "/api/tasks",
				header: map[string]string{"Origin": "https://app.example.com", "Access-Control-Request-Method": "PUT"},
			},
		}
		for status, r := range answers {
			t.Run(strconv.Itoa(status), func(t *testing.T) { require.Equal(t, status, s.send(t, r).StatusCode) })
		}
		for _, path := range []string{
			"/health", "/ready", "/openapi.json", "/openapi.yaml", "/docs/", "/docs/index.html", "/docs/swagger-ui.css",
		} {
			t.Run(path, func(t *testing.T) {
				require.Equal(t, 200, s.send(t, request{method: "GET", path: path}).StatusCode)
				require.Equal(t, 200, s.send(t, request{method: "HEAD", path: path}).StatusCode)
			})
		}
		for _, r := range taskCalls(t, s) {
			s.send(t, r)
		}
		require.NoError(t, database.Close(s.db))
		require.Equal(t, 503, s.send(t, request{method: "GET", path: "/ready"}).StatusCode)
		require.NotEqual(t, 200, s.send(t, request{method: "GET", path: "/api/tasks", user: "ann"}).StatusCode)
	})
}

func TestWhatNeverReachesARouteIsAnsweredWithinBoundsToo(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	s.listen(t)
	for text, status := range map[string]int{
		"nonsense\r\n\r\n":                                                                    400,
		"GET / HTTP/1.1\r\nbroken header\r\n\r\n":                                             400,
		"GET / HTTP/1.1\r\n\r\n":                                                              400, // no Host
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":                                                    400,
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n":                                400, // TLS
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n":                     413,
		"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 20<<10) + "\r\n\r\n":         431,
		"GET /" + strings.Repeat("x", 20<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n":                431,
		"PROPFIND / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":                         405,
		"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n":                                         400,
		"POST /api/tasks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r": 400,
	} {
		t.Run(fmt.Sprintf("%.60q", text), func(t *testing.T) { require.Equal(t, status, s.sendMalformed(t, text)) })
	}
}

func TestASlowClientIsCutOff(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	s.listen(t)
	for name, start := range map[string]string{
		"in the head": "GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"in the body": "POST /api/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", s.address)
			require.NoError(t, err)
			defer conn.Close()
			_, err = io.WriteString(conn, start)
			require.NoError(t, err)
			ended := make(chan struct{})
			go func() { // single bytes must not keep the connection open
				defer close(ended)
				for err := error(nil); err == nil; time.Sleep(time.Second) {
					_, err = io.WriteString(conn, "x")
				}
			}()
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(waitLimit)))
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err, "the server does not time out")
			_ = conn.Close()
			<-ended
			require.Equal(t, 408, response.StatusCode)
			requireSecureHeaders(t, name, response.Header)
		})
	}
}
