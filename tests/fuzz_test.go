package tests

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// The fuzz targets hold for any bytes: an answer that the document describes, never a 5xx, never a hang.

func FuzzBody(f *testing.F) {
	s := newServer(f, newSQLite(f))
	for body := range bodies {
		f.Add([]byte(body))
	}
	for _, body := range []string{`{"title":"x"}`, `{"title":"x","description":"\ud83d\ude00"}`, `{"title":"a","title":"b"}`, "{\"title\":\"\xff\"}", strings.Repeat("[", 70000), `{"title":"x"}{}`} {
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

func FuzzAuthorization(f *testing.F) {
	s := newServer(f, newSQLite(f))
	good := "Bearer " + token(f, "ann")
	for _, seed := range []string{"", "Bearer", "Bearer ", "Bearer a.b.c", "Bearer ..", "Basic YTpi", "bearer " + strings.Repeat("a.", 4000), good[:len(good)-1], good + "A",
		"Bearer " + forge(`{"alg":"none"}`, `{}`), "Bearer " + forge(`{"alg":"HS256"}`, `{"user_id":{}}`), "Bearer " + forge(`{"alg":"HS256","crit":1}`, `[`)} {
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
	for _, seed := range []string{"0", "-1", "1.0", "abc", "9223372036854775808", "1/complete", "../tasks", "1 OR 1=1", "\x00", "\xff", "%", "１", "1?status=all", "1;2", "//"} {
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
	for _, seed := range []string{"status=all", "status=pending&status=completed", "status=%00", "status", "=", "&&&", "status[]=all", "STATUS=all", "status=all%", "status=' OR 1=1--", "+=+"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		target := &url.URL{Path: "/api/tasks", RawQuery: query}
		if _, err := url.Parse("http://x" + target.String()); err != nil || strings.ContainsAny(query, " \r\n\t\x00") {
			t.Skip("no HTTP client can send it")
		}
		got := s.send(t, request{method: "GET", path: target.String(), user: "ann"})
		require.Contains(t, []int{200, 400, 431}, got.StatusCode, "%q", query)
	})
}
