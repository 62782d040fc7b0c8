package tests

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func ambiguousHeads() map[string]string {
	attacks := map[string]string{}
	chunks := "11\r\n" + outer + "\r\n0\r\n\r\n"
	for kind, framings := range map[string]map[string][2]string{
		"length and coding": {
			"a length twice":                        {"Content-Length: 17\r\nContent-Length: 17\r\n", outer},
			"two lengths":                           {"Content-Length: 17\r\nContent-Length: 0\r\n", outer},
			"two lengths in two cases":              {"Content-Length: 0\r\ncontent-length: 17\r\n", outer},
			"a length and a coding":                 {"Content-Length: 27\r\nTransfer-Encoding: chunked\r\n", chunks},
			"a coding and a length":                 {"Transfer-Encoding: chunked\r\nContent-Length: 27\r\n", chunks},
			"a length that hides the next":          {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"},
			"a length in small letters, and coding": {"content-length: 5\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"},
			"a length and no coding":                {"Content-Length: 17\r\nTransfer-Encoding: identity\r\n", outer},
		},
		"coding": {
			"no coding":                    {"Transfer-Encoding: identity\r\n", chunks},
			"no coding, no body":           {"Transfer-Encoding: identity\r\n", ""},
			"an empty one":                 {"Transfer-Encoding:\r\n", chunks},
			"two":                          {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunks},
			"two, of which one is none":    {"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", chunks},
			"none, then one":               {"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", chunks},
			"chunked twice":                {"Transfer-Encoding: chunked, chunked\r\n", chunks},
			"chunked, identity":            {"Transfer-Encoding: chunked, identity\r\n", chunks},
			"identity, chunked":            {"Transfer-Encoding: identity, chunked\r\n", chunks},
			"gzip, chunked":                {"Transfer-Encoding: gzip, chunked\r\n", chunks},
			"gzip":                         {"Transfer-Encoding: gzip\r\n", chunks},
			"a made-up one":                {"Transfer-Encoding: xchunked\r\n", chunks},
			"a cut one":                    {"Transfer-Encoding: chunke\r\n", chunks},
			"quotes":                       {"Transfer-Encoding: \"chunked\"\r\n", chunks},
			"a parameter":                  {"Transfer-Encoding: chunked;q=1\r\n", chunks},
			"a comma behind it":            {"Transfer-Encoding: chunked,\r\n", chunks},
			"a vertical tab behind it":     {"Transfer-Encoding: chunked\x0b\r\n", chunks},
			"a vertical tab before it":     {"Transfer-Encoding: \x0bchunked\r\n", chunks},
			"a NUL behind it":              {"Transfer-Encoding: chunked\x00\r\n", chunks},
			"a CR behind it":               {"Transfer-Encoding: chunked\r\r\n", chunks},
			"a space before the colon":     {"Transfer-Encoding : chunked\r\n", chunks},
			"a tab before the colon":       {"Transfer-Encoding\t: chunked\r\n", chunks},
			"a space in its name":          {"Transfer Encoding: chunked\r\n", chunks},
			"a line of its own":            {"Transfer-Encoding:\r\n chunked\r\n", chunks},
			"a line of its own, after tab": {"Transfer-Encoding:\r\n\tchunked\r\n", chunks},
			"on the line of another":       {"X: 1\r\n Transfer-Encoding: chunked\r\n", chunks},
			"behind a bare LF":             {"X: 1\nTransfer-Encoding: chunked\r\n", chunks},
			"behind a bare CR":             {"X: 1\rTransfer-Encoding: chunked\r\n", chunks},
		},
		"lines": {
			"a space before the colon of a length": {"Content-Length : 17\r\n", outer},
			"a space in the name of a length":      {"Content Length: 17\r\n", outer},
			"a space before a name":                {" Content-Length: 17\r\n", outer},
			"a folded length":                      {"Content-Length:\r\n 17\r\n", outer},
			"a length in two lines":                {"Content-Length: 1\r\n 7\r\n", outer},
			"a folded line":                        {"X: a\r\n b\r\nContent-Length: 17\r\n", outer},
			"a folded line that is blank":          {"X: a\r\n \r\nContent-Length: 17\r\n", outer},
			"a bare LF":                            {"Content-Length: 17\n", outer},
			"an empty line that is a bare LF":      {"Content-Length: 17\r\n\n", outer},
			"an early end of bare LFs":             {"X: 1\n\n", outer},
			"a CR in a value":                      {"X: a\rb\r\nContent-Length: 17\r\n", outer},
			"a NUL in a value":                     {"X: a\x00b\r\nContent-Length: 17\r\n", outer},
			"a control character in a value":       {"X: a\x01b\r\nContent-Length: 17\r\n", outer},
			"a DEL in a value":                     {"X: a\x7fb\r\nContent-Length: 17\r\n", outer},
			"a NUL in a name":                      {"X\x00Y: a\r\nContent-Length: 17\r\n", outer},
			"a CR in a name":                       {"X\rY: a\r\nContent-Length: 17\r\n", outer},
			"a space in a name":                    {"X Y: a\r\nContent-Length: 17\r\n", outer},
			"a letter in a name that is not ASCII": {"X\xe9: a\r\nContent-Length: 17\r\n", outer},
			"no name":                              {": a\r\nContent-Length: 17\r\n", outer},
			"no colon":                             {"broken\r\nContent-Length: 17\r\n", outer},
			"a second host":                        {"Host: y\r\nContent-Length: 17\r\n", outer},
			"the same host again":                  {"Host: x\r\nContent-Length: 17\r\n", outer},
		},
	} {
		for name, framing := range framings {
			attacks[kind+": "+name] = rawCreate(framing[0], framing[1])
		}
	}
	return attacks
}

func TestAHeadThatCouldBeReadInTwoWaysIsRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	s.listen(t)
	requireNothingHidden(t, s, 400, ambiguousHeads())
}

func ambiguousLines() map[string]string {
	good := sized(outer)
	withLine := func(line string) string { return strings.Replace(good, "POST /api/tasks HTTP/1.1", line, 1) }
	withHost := func(lines string) string { return strings.Replace(good, "Host: x\r\n", lines, 1) }
	return map[string]string{
		"no version":                           withLine("POST /api/tasks"),
		"a space and no version":               withLine("POST /api/tasks "),
		"HTTP/0.9":                             withLine("POST /api/tasks HTTP/0.9"),
		"HTTP/1.2":                             withLine("POST /api/tasks HTTP/1.2"),
		"HTTP/2.0":                             withLine("POST /api/tasks HTTP/2.0"),
		"HTTP/1":                               withLine("POST /api/tasks HTTP/1"),
		"HTTP/1.10":                            withLine("POST /api/tasks HTTP/1.10"),
		"HTTP/01.1":                            withLine("POST /api/tasks HTTP/01.1"),
		"http/1.1":                             withLine("POST /api/tasks http/1.1"),
		"another protocol":                     withLine("POST /api/tasks HTTQ/1.1"),
		"a space behind the version":           withLine("POST /api/tasks HTTP/1.1 "),
		"two spaces before the target":         withLine("POST  /api/tasks HTTP/1.1"),
		"two spaces behind the target":         withLine("POST /api/tasks  HTTP/1.1"),
		"a space in the target":                withLine("POST /api/tasks x HTTP/1.1"),
		"a space before the method":            withLine(" POST /api/tasks HTTP/1.1"),
		"a tab for a space":                    withLine("POST\t/api/tasks HTTP/1.1"),
		"a tab for the other":                  withLine("POST /api/tasks\tHTTP/1.1"),
		"a NUL in the target":                  withLine("POST /api/tasks\x00 HTTP/1.1"),
		"a CR in the target":                   withLine("POST /api/tasks\r HTTP/1.1"),
		"no target":                            withLine("POST HTTP/1.1"),
		"a target without a slash":             withLine("POST api/tasks HTTP/1.1"),
		"an asterisk":                          withLine("POST * HTTP/1.1"),
		"an authority":                         withLine("POST x:80 HTTP/1.1"),
		"a colon in the method":                withLine("PO:ST /api/tasks HTTP/1.1"),
		"no host":                              withHost(""),
		"an empty host":                        withHost("Host:\r\n"),
		"two hosts":                            withHost("Host: x\r\nHost: y\r\n"),
		"a host with a space":                  withHost("Host: x y\r\n"),
		"a host with user information":         withHost("Host: u@x\r\n"),
		"a host with a password":               withHost("Host: u:p@x\r\n"),
		"a host with a path":                   withHost("Host: x/y\r\n"),
		"a host with a query":                  withHost("Host: x?y\r\n"),
		"a host with a fragment":               withHost("Host: x#y\r\n"),
		"a host with a backslash":              withHost("Host: x\\y\r\n"),
		"a host with a scheme":                 withHost("Host: http://x\r\n"),
		"a host whose port is no number":       withHost("Host: x:http\r\n"),
		"a host of two":                        withHost("Host: x, y\r\n"),
		"a host in small letters with user":    withHost("host: u@x\r\n"),
		"a bare LF behind the line":            withLine("POST /api/tasks HTTP/1.1\n" + "X: y"),
		"a bare LF behind it in HTTP/1.0":      withLine("POST /api/tasks HTTP/1.0\n" + "X: y"),
		"a bare LF, and one in the body":       strings.Replace(sized("x HTTP/1.1\n"), " HTTP/1.1\r\n", " HTTP/1.1\n", 1),
		"a fragment":                           withLine("POST /api/tasks#x HTTP/1.1"),
		"an empty fragment":                    withLine("POST /api/tasks# HTTP/1.1"),
		"a fragment behind a query":            withLine("POST /api/tasks?a#x HTTP/1.1"),
		"a fragment of an absolute target":     withLine("POST http://x/api/tasks#x HTTP/1.1"),
		"user information in the target":       withLine("POST http://u@x/api/tasks HTTP/1.1"),
		"user information, no path":            withLine("POST http://u:p@x?/ HTTP/1.1"),
		"a host before the path":               withLine("POST //x/api/tasks?:// HTTP/1.1"),
		"a user before the path":               withLine("POST //u@x/api/tasks?a=:// HTTP/1.1"),
		"a host before the path, and no other": strings.Replace(withLine("POST //x/api/tasks HTTP/1.0"), "Host: x\r\n", "", 1),
		"a coding in HTTP/1.0": strings.Replace(rawCreate("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
			"HTTP/1.1", "HTTP/1.0", 1),
		"a coding and a length in HTTP/1.0": strings.Replace(rawCreate("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
			"HTTP/1.1", "HTTP/1.0", 1),
		"the preface of HTTP/2":         "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"TLS":                           "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\r\n\r\n",
		"a command of another protocol": "EHLO x\r\n\r\n",
	}
}

func TestARequestLineThatCouldBeReadInTwoWaysIsRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	s.listen(t)
	requireNothingHidden(t, s, 400, ambiguousLines())
	require.Equal(t, []int{201}, statuses(s.exchange(t, sized(outer))), "the request that they are made of is a good one")
}

// unusual is a valid request, and the statuses of its answer and of the next one, GET /health.
type unusual struct {
	raw      string
	statuses []int
}

func unusualRequests() map[string]unusual {
	replace := func(from, to string) string { return strings.Replace(sized(outer), from, to, 1) }
	return map[string]unusual{
		"an absolute target":                {replace("/api/tasks", "http://other.example/api/tasks"), []int{201, 200}},
		"an absolute target without a path": {replace("/api/tasks", "http://other.example"), []int{405, 200}},
		"an empty line before it":           {"\r\n" + sized(outer), []int{201, 200}},
		"request lines in a body":           {sized(`{"a":"x HTTP/1.1"` + "\n" + `,"title":"POST / HTTP/1.1"}`), []int{201, 200}},
		"a bare LF after one, in a body":    {sized("GET / HTTP/1.1\nHost: x\n\nGET / HTTP/1.0\n\n"), []int{422, 200}}, // no JSON, but no attack
		"a host with a port":                {replace("Host: x", "Host: x-1._tcp.example.com:8000"), []int{201, 200}},
		"a host that is an IPv6 address":    {replace("Host: x", "Host: [2001:db8::1]:8000"), []int{201, 200}},
		"an at sign in the path":            {"GET /@a:b@c HTTP/1.1\r\nHost: x\r\n\r\n", []int{404, 200}},
		"two slashes":                       {"GET //health HTTP/1.1\r\nHost: x\r\n\r\n", []int{404, 200}},
		"a URL in the query":                {"GET /health?u=http://u@h/%23 HTTP/1.1\r\nHost: x\r\n\r\n", []int{200, 200}},
		"HTTP/1.0":                          {replace("HTTP/1.1", "HTTP/1.0"), []int{201}},
		"HTTP/1.0 that stays":               {replace("HTTP/1.1\r\n", "HTTP/1.0\r\nConnection: keep-alive\r\n"), []int{201, 200}},
		"HTTP/1.0 without a host":           {replace("HTTP/1.1\r\nHost: x", "HTTP/1.0"), []int{201}},
		"tabs and spaces around values":     {replace("Host: x", "Host:\t x \t"), []int{201, 200}},
		"a wish to continue":                {replace("Host: x", "Host: x\r\nExpect: 100-continue"), []int{201, 200}},
		"an expectation of another kind":    {replace("Host: x", "Host: x\r\nExpect: the-moon"), []int{201, 200}},
		"a wish for HTTP/2": {
			replace("Host: x", "Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
			[]int{201, 200},
		},
		"a wish for a web socket": {
			replace("Host: x", "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
				"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
			[]int{201, 200},
		},
		"a method to be overridden": {replace("Host: x", "Host: x\r\nX-HTTP-Method-Override: DELETE"), []int{201, 200}},
		"CONNECT":                   {"CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n", []int{404, 200}},
		"CONNECT to a path":         {"CONNECT /api/tasks HTTP/1.1\r\nHost: x\r\n\r\n", []int{405, 200}},
		"OPTIONS of everything":     {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", []int{404, 200}},
	}
}

func TestUnusualRequestsThatAreClearAreAnswered(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	s.listen(t)
	for name, want := range unusualRequests() {
		t.Run(name, func(t *testing.T) {
			got := s.exchange(t, want.raw+"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
			require.Equal(t, want.statuses, statuses(got))
		})
	}
}
