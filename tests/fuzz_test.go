package tests

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"taskapi/models"
)

// The fuzz targets hold for any bytes: an answer that the document describes, never a 5xx, never a hang.

func FuzzBody(f *testing.F) {
	s := newServer(f, newSQLite(f))
	for body := range bodies {
		f.Add([]byte(body))
	}
	for _, body := range []string{
		`{"title":"x"}`, `{"title":"x","description":"\ud83d\ude00"}`, `{"title":"a","title":"b"}`,
		"{\"title\":\"\xff\"}", strings.Repeat("[", 70000), `{"title":"x"}{}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got := s.send(t, request{method: "POST", path: "/api/tasks", user: "ann", body: body})
		switch got.StatusCode {
		case 201:
			created := decode[task](t, got)
			var sent struct{ Title string }
			require.NoError(t, json.Unmarshal(body, &sent))
			require.True(t, utf8.Valid(body))
			require.Equal(t, string(got.body), string(s.send(t, request{method: "GET", path: path(created.ID), user: "ann"}).body))
			require.Equal(t, 204, s.send(t, request{method: "DELETE", path: path(created.ID), user: "ann"}).StatusCode)
		case 422, 413:
			require.True(t, json.Valid(got.body))
		default:
			t.Fatalf("%d %s", got.StatusCode, got.body)
		}
	})
}

// FuzzGadget sends any bytes as a whole and as a partial body. What is accepted is found again, whatever its kind.
func FuzzGadget(f *testing.F) {
	s := newServerWith(f, newSQLite(f), gadgets)
	r := s.resources(f)[slices.IndexFunc(s.resources(f), func(r *resource) bool { return r.path == "/api/gadgets" })]
	for _, row := range kinds {
		f.Add([]byte(toBody(r.with(row.field, row.value))))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		kept := r.create(t, "ann", r.example)
		for method, path := range map[string]string{"POST": r.path, "PATCH": kept.path} {
			got := s.send(t, request{method: method, path: path, user: "ann", body: body})
			switch got.StatusCode {
			case 200, 201:
				require.True(t, utf8.Valid(body))
				require.Equal(t, string(got.body), r.call(t, "ann", "GET", r.toRow(t, got).path).text)
				require.Equal(t, 204, s.send(t, request{method: "DELETE", path: r.toRow(t, got).path, user: "ann"}).StatusCode)
			case 422, 413:
				require.True(t, json.Valid(got.body))
			default:
				t.Fatalf("%s %d %s", method, got.StatusCode, got.body)
			}
		}
		_ = s.send(t, request{method: "DELETE", path: kept.path, user: "ann"})
	})
}

func FuzzAuthorization(f *testing.F) {
	s := newServer(f, newSQLite(f))
	good := "Bearer " + tokenOf(f, "ann")
	for _, seed := range []string{
		"", "Bearer", "Bearer ", "Bearer a.b.c", "Bearer ..", "Basic YTpi",
		"bearer " + strings.Repeat("a.", 4000), good[:len(good)-1], good + "A", "Bearer " + forge(`{"alg":"none"}`, `{}`),
		"Bearer " + forge(`{"alg":"HS256"}`, `{"user_id":{}}`), "Bearer " + forge(`{"alg":"HS256","crit":1}`, `[`),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, authorization string) {
		if strings.ContainsFunc(authorization, func(r rune) bool { return r < ' ' || r == 0x7f }) || len(authorization) > 12<<10 {
			t.Skip("no HTTP client can send it")
		}
		got := s.send(t, request{method: "GET", path: "/api/tasks", header: map[string]string{"Authorization": authorization}})
		require.Equal(t, 401, got.StatusCode, "%q", authorization)
	})
}

func FuzzPathID(f *testing.F) {
	s := newServer(f, newSQLite(f))
	mine := s.as("ann").create(f, "mine")
	for _, seed := range []string{
		"0", "-1", "1.0", "abc", "9223372036854775808", "1/complete", "../tasks",
		"1 OR 1=1", "\x00", "\xff", "%", "１", "1?status=all", "1;2", "//",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		got := s.send(t, request{method: "PUT", path: "/api/tasks/" + url.PathEscape(id), user: "bob", body: `{"title":"stolen"}`})
		require.Contains(t, []int{404, 405, 422, 431}, got.StatusCode, "%q", id)
		require.True(t, json.Valid(got.body))
		require.Equal(t, []task{mine}, s.as("ann").list(t))
	})
}

func FuzzQuery(f *testing.F) {
	s := newServer(f, newSQLite(f))
	for _, seed := range []string{
		"status=all", "status=pending&status=completed", "status=%00", "status", "=",
		"&&&", "status[]=all", "STATUS=all", "status=all%", "status=' OR 1=1--", "+=+",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		target := &url.URL{Path: "/api/tasks", RawQuery: query}
		if _, err := url.Parse("http://x" + target.String()); err != nil || strings.ContainsAny(query, " \r\n\t\x00") {
			t.Skip("no HTTP client can send it")
		}
		got := s.send(t, request{method: "GET", path: target.String(), user: "ann"})
		require.Contains(t, []int{200, 400, 422, 431}, got.StatusCode, "%q", query)
	})
}

// sendable reports whether an HTTP client can send the text as the value of a header.
func sendable(value string) bool {
	control := func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
	return !strings.ContainsFunc(value, control) && len(value) <= 12<<10
}

func FuzzPreconditions(f *testing.F) {
	s := newServerWith(f, newSQLite(f), gadgets)
	var rows []row
	resources := s.resources(f)
	for _, r := range resources {
		rows = append(rows, r.create(f, "ann", r.example))
	}
	for _, tags := range [][]string{tagsOfTwo, otherTags, noTags} {
		for _, tag := range tags {
			f.Add(tag)
		}
	}
	f.Fuzz(func(t *testing.T, value string) {
		if !sendable(value) {
			t.Skip("no HTTP client can send it")
		}
		for i, r := range resources {
			writes := r.writes("ann", rows[i])
			for _, write := range writes[:len(writes)-1] {
				require.Contains(t, []int{200, 400, 412}, s.sendUnchecked(t, write.withHeader("If-Match", value)).StatusCode, "%q", value)
			}
			for _, path := range []string{r.path, rows[i].path} {
				got := s.sendUnchecked(t, request{method: "GET", path: path, user: "ann", header: map[string]string{"If-None-Match": value}})
				require.Contains(t, []int{200, 304, 400}, got.StatusCode, "%q", value)
			}
			missing := request{method: "DELETE", path: r.path + "/0", user: "ann", header: map[string]string{"If-Match": value}}
			require.Contains(t, []int{400, 404}, s.sendUnchecked(t, missing).StatusCode, "%q", value)
		}
	})
}

func FuzzIdempotencyKey(f *testing.F) {
	s := newServer(f, newSQLite(f))
	r := s.resources(f)[0]
	for _, seed := range []string{
		"", `"a"`, "a", `"a`, `"a\"b"`, `"a";b=1`, "a, b", "?1", "1.5", ":YQ==:", "é", `"\\"`,
		strings.Repeat("k", 256), `"` + strings.Repeat("k", 255) + `"`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if !sendable(value) {
			t.Skip("no HTTP client can send it")
		}
		first := s.sendUnchecked(t, r.keyed("ann", value))
		require.Contains(t, []int{201, 400}, first.StatusCode, "%q", value)
		if first.StatusCode == 201 {
			again := s.sendUnchecked(t, r.keyed("ann", value))
			first.Header.Del("Idempotency-Replayed") // of a key that was tried before
			requireReplay(t, first, again)
		}
	})
}

// FuzzRequest sends any bytes over a connection, TOKEN standing for a token of ann's. Go's own server counts: of what it
// would not take for a request to create a task, none may be created.
func FuzzRequest(f *testing.F) {
	s := newServer(f, newSQLite(f))
	s.listen(f)
	kept := s.as("bob").create(f, "bob's")
	for _, seeds := range []map[string]string{badLengths(), badChunks(), ambiguousHeads(), ambiguousLines()} {
		for _, raw := range seeds {
			f.Add([]byte(raw + sized(`{"title":"smuggled"}`)))
		}
	}
	for _, request := range unusualRequests() {
		f.Add([]byte(request.raw + sized(outer)))
	}
	for _, body := range goodChunks {
		f.Add([]byte(rawCreate("Transfer-Encoding: chunked\r\n", body) + sized(outer)))
	}
	for _, line := range []string{
		"GET /api/tasks?status=all", "PATCH /api/tasks/1/complete", "DELETE /api/tasks/1", "PUT /api/tasks/1", "GET /docs/", "OPTIONS /api/tasks",
	} {
		f.Add([]byte(line + " HTTP/1.1\r\nHost: x\r\nOrigin: https://app.example.com\r\nAuthorization: Bearer TOKEN\r\n" +
			"Content-Length: 2\r\n\r\n{}" + sized(outer)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if bytes.Contains(raw, []byte("HEAD ")) {
			t.Skip("its answer has a length and no body: where the next one begins is not to be seen")
		}
		s.exchange(t, string(raw))
		tasks := models.AcrossOwners(s.db).Session(&gorm.Session{})
		var found []models.Task
		require.NoError(t, tasks.Find(&found, "id <> ?", kept.ID).Error)
		require.NoError(t, tasks.Delete(&models.Task{}, "id <> ?", kept.ID).Error)
		for _, task := range found {
			require.Equal(t, "ann", task.UserID)
		}
		require.LessOrEqual(t, len(found), creations(t, withToken(t, string(raw))))
		require.Equal(t, []task{kept}, s.as("bob").list(t))
	})
}

// creations counts the requests that might create a task, as Go's own server reads them.
func creations(t testing.TB, raw string) (count int) {
	t.Helper()
	for left := bufio.NewReader(strings.NewReader(raw)); ; {
		for next, _ := left.Peek(1); len(next) > 0 && strings.ContainsAny(string(next), "\r\n"); next, _ = left.Peek(1) {
			_, _ = left.Discard(1) // empty lines before a request, which it would not take
		}
		request, err := http.ReadRequest(left)
		if err != nil {
			return count
		}
		if _, err := io.Copy(io.Discard, request.Body); err != nil && !strings.Contains(err.Error(), "trailer") { // its body is whole
			return count
		}
		if request.Method == "POST" {
			count++
		}
	}
}
