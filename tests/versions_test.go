package tests

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	preconditionFailed = `{"detail":"Precondition Failed"}`
	badIfMatch         = `{"detail":"Invalid If-Match header"}`
)

// demand sends a request, through a proxy perhaps, and demands a status.
func (s *server) demand(t testing.TB, status int, r request) answer {
	t.Helper()
	got := s.sendUnchecked(t, r)
	require.Equal(t, status, got.StatusCode, "%s %s %q: %s", r.method, r.path, r.header, got.body)
	return got
}

// ask sends a request, checks both against the OpenAPI document, and demands a status.
func (s *server) ask(t testing.TB, status int, r request) answer {
	t.Helper()
	got := s.send(t, r)
	require.Equal(t, status, got.StatusCode, "%s %s %q: %s", r.method, r.path, r.header, got.body)
	return got
}

// writes returns a request for each way to change a row, and one that changes nothing. The last one deletes the row.
func (r *resource) writes(user string, of row) (all []request) {
	all = append(all, request{method: "PATCH", path: of.path, user: user, body: "{}"})
	for _, route := range r.s.app.GetRoutes(true) {
		suffix, found := strings.CutPrefix(route.Path, r.path+"/:id")
		if !found || !slices.Contains([]string{http.MethodPut, http.MethodPatch}, route.Method) {
			continue
		}
		write := request{method: route.Method, path: of.path + suffix, user: user}
		if suffix == "" {
			write.body = toBody(r.example)
		}
		all = append(all, write)
	}
	return append(all, request{method: "DELETE", path: of.path, user: user})
}

// changedOnce makes a row of ann's and changes it, so that its version is 2.
func (r *resource) changedOnce(t testing.TB) row {
	t.Helper()
	return r.call(t, "ann", "PUT", r.create(t, "ann", r.example).path, toBody(r.example))
}

func TestEveryAnswerThatHoldsOneRowHasItsVersionAsItsTag(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		created := r.s.as("ann").call(t, 201, "POST", r.path, toBody(r.example))
		require.Equal(t, []string{`"1"`}, created.Header.Values("ETag"))
		of, tag := r.toRow(t, created), `"1"`
		writes := r.writes("ann", of)
		for i, write := range writes[:len(writes)-1] {
			if i > 0 { // the first one changes nothing
				tag = []string{`"1"`, `"2"`, `"3"`, `"4"`}[i]
			}
			require.Equal(t, []string{tag}, r.s.ask(t, 200, write).Header.Values("ETag"), "%s %s", write.method, write.path)
			for _, method := range []string{"GET", "HEAD"} {
				require.Equal(t, []string{tag}, r.s.ask(t, 200, request{method: method, path: of.path, user: "ann"}).Header.Values("ETag"))
			}
		}
		require.Empty(t, r.s.ask(t, 204, writes[len(writes)-1]).Header.Values("ETag"))
		require.Empty(t, r.s.ask(t, 404, request{method: "GET", path: of.path, user: "ann"}).Header.Values("ETag"))
	})
}

// tagsOfTwo are values of If-Match that match a row whose version is 2.
var tagsOfTwo = []string{
	`*`, " * ", `"2"`, "\t\"2\" ", `W/"2"`, `"1", "2"`, `"1","2"`, "\"1\"\t,\t\"2\"",
	"\"1\"\r\n\"2\"", "\"2\"\r\nW/\"x\"", `"a,b", "2"`, `",", W/"2"`,
	`,, "2" ,`, `, ,"2"`, `"", "2"`, `"2", "2"`, `"9223372036854775808", "2"`,
	`"é\", "2"`, "\"\xff\",\"2\"", strings.Repeat(`"1", `, 2000) + `"2"`,
}

// otherTags are values of If-Match that do not.
var otherTags = []string{
	`"1"`, `"3"`, `W/"1"`, `"02"`, `"+2"`, `"-2"`, `"0"`, `"0x2"`, `"2.0"`,
	`"２"`, `"1","3"`, `"1,2"`, `"*"`, `""`, `"W/2"`, `"9223372036854775807"`,
	`"9223372036854775808"`, `"` + strings.Repeat("2", 300) + `"`, `"18446744073709551618"`, "\"1\"\r\n\"3\"", strings.Repeat(`"3",`, 3000),
}

// noTags are values of If-Match and If-None-Match that are malformed.
var noTags = []string{
	"", ",", `2`, `"2`, `2"`, `w/"2"`, `W/2`, `W/ "2"`, `"2" "3"`, `"2";"3"`, `*, "2"`, `"2", *`,
	"*\r\n*", "\"2\"\r\n*", `**`, `"2"x`, `"a b"`, "\"2\"\r\n2", `'2'`, `"""`,
}

func TestIfMatchLetsThroughWhatNamesTheVersion(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		for _, match := range tagsOfTwo {
			for i := range r.writes("ann", row{}) {
				of := r.changedOnce(t)
				write := r.writes("ann", of)[i].withHeader("If-Match", match)
				if write.method == http.MethodDelete {
					r.s.ask(t, 204, write)
					r.s.ask(t, 404, write)
				} else {
					r.s.ask(t, 200, write)
				}
			}
		}
	})
}

func TestIfMatchRefusesWhatDoesNotNameTheVersion(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		of := r.changedOnce(t)
		for _, write := range r.writes("ann", of) {
			for _, match := range otherTags {
				got := r.s.ask(t, 412, write.withHeader("If-Match", match))
				require.Equal(t, preconditionFailed, string(got.body))
				require.Equal(t, "no-store", got.Header.Get("Cache-Control"))
				require.Empty(t, got.Header.Get("ETag"))
			}
			for _, match := range noTags {
				require.Equal(t, badIfMatch, string(r.s.ask(t, 400, write.withHeader("If-Match", match)).body))
			}
		}
		require.Equal(t, of.text, r.call(t, "ann", "GET", of.path).text, "a refused request changed the row")
		require.EqualValues(t, 2, r.version(t, of))
	})
}

func TestIfMatchOnAMissingRowAndOnAnotherUsersIsThe404AsEver(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		of := r.create(t, "ann", r.example)
		theirs, missing := r.writes("bob", of), r.writes("bob", row{path: r.path + "/4711"})
		for i := range theirs {
			plain := r.s.ask(t, 404, theirs[i])
			for _, match := range []string{`*`, `"1"`, `"7"`, `W/"1", "2"`} {
				require.Empty(t, difference(r.s.ask(t, 404, theirs[i].withHeader("If-Match", match)), plain))
				require.Empty(t, difference(r.s.ask(t, 404, missing[i].withHeader("If-Match", match)), plain))
			}
		}
		require.Equal(t, of.text, r.call(t, "ann", "GET", of.path).text)
	})
}

func TestOfSeveralFaultsTheFirstInTheOrderIsTold(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		of := r.create(t, "ann", r.example)
		good := toBody(r.example)
		for _, method := range []string{"PUT", "PATCH"} {
			for _, c := range []struct {
				status                        int
				user, kind, match, path, body string
			}{
				{401, "", "text/plain", "x", "/x", "["},
				{415, "ann", "text/plain", "x", "/x", "["},
				{400, "ann", "application/json", "x", "/x", "["},
				{422, "ann", "application/json", `"7"`, "/x", "["},
				{422, "ann", "application/json", `"7"`, "/x", good},
				{422, "ann", "application/json", `"7"`, "/0", "["},
				{404, "ann", "application/json", `"7"`, "/0", good},
				{412, "ann", "application/json", `"7"`, of.path[len(r.path):], good},
			} {
				r.s.ask(t, c.status, request{method, r.path + c.path, c.user, c.body, map[string]string{"Content-Type": c.kind, "If-Match": c.match}})
			}
		}
		for _, c := range []struct {
			status                int
			user, kind, key, body string
		}{
			{401, "", "text/plain", "a b", "["}, {415, "ann", "text/plain", "a b", "["}, {400, "ann", "application/json", "a b", "["},
			{422, "ann", "application/json", "a", "["}, {201, "ann", "application/json", "a", good},
			{422, "ann", "application/json", "a", good + " "},
		} {
			r.s.ask(t, c.status, request{"POST", r.path, c.user, c.body, map[string]string{"Content-Type": c.kind, "Idempotency-Key": c.key}})
		}
		for _, c := range []struct {
			status            int
			user, path, known string
		}{
			{401, "", "?limit=0", "x"}, {400, "ann", "?limit=0", "x"}, {400, "ann", "?limit=0&cursor=x", `"x"`}, {422, "ann", "?limit=0", "*"},
			{304, "ann", "", "*"},
			{401, "", "/x", "x"}, {400, "ann", "/x", "x"}, {422, "ann", "/x", "*"}, {404, "ann", "/0", "*"},
			{304, "ann", of.path[len(r.path):], "*"},
		} {
			r.s.ask(t, c.status, request{"GET", r.path + c.path, c.user, nil, map[string]string{"If-None-Match": c.known}})
		}
	})
}
