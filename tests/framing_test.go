package tests

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// withToken replaces TOKEN in raw requests by a token of ann's.
func withToken(t testing.TB, raw string) string {
	t.Helper()
	return strings.ReplaceAll(raw, "TOKEN", tokenOf(t, "ann"))
}

// exchange sends raw requests, with their TOKEN replaced, on one connection and returns all answers but 100 Continue until the
// server closes it. It requires that each answer is HTTP and that errors have the shape of the contract.
func (s *server) exchange(t testing.TB, raw string) (answers []answer) {
	t.Helper()
	raw = withToken(t, raw)
	conn, err := net.Dial("tcp", s.address)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(waitLimit)))
	_, _ = io.WriteString(conn, raw) // the server may close the connection before all is sent
	_ = conn.(*net.TCPConn).CloseWrite()
	received, err := io.ReadAll(conn)
	var fault net.Error
	require.False(t, errors.As(err, &fault) && fault.Timeout(), "still open after %q", raw)
	for left := bufio.NewReader(bytes.NewReader(received)); ; {
		if _, err := left.Peek(1); err != nil {
			return answers
		}
		response, err := http.ReadResponse(left, nil)
		require.NoError(t, err, "%q: %q", raw, received)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err, "%q: %q", raw, received)
		if response.StatusCode == 100 {
			continue
		}
		got := answer{response, body}
		answers = append(answers, got)
		require.Less(t, got.StatusCode, 500, "%q", raw)
		require.NotEmpty(t, got.Header.Get("X-Request-ID"), "%q", raw)
		require.Equal(t, "nosniff", got.Header.Get("X-Content-Type-Options"), "%q", raw)
		if got.StatusCode >= 400 && len(body) > 0 {
			require.Equal(t, "application/json", got.Header.Get("Content-Type"), "%q", raw)
			decode[struct {
				Detail any `json:"detail"`
			}](t, got)
		}
	}
}

func statuses(answers []answer) (codes []int) {
	for _, a := range answers {
		codes = append(codes, a.StatusCode)
	}
	return codes
}

// rawCreate is a raw POST of a task. The lines in framing describe the body.
func rawCreate(framing, body string) string {
	return "POST /api/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n" + framing + "\r\n" + body
}

// sized is rawCreate with the right Content-Length.
func sized(body string) string {
	return rawCreate("Content-Length: "+strconv.Itoa(len(body))+"\r\n", body)
}

// outer is the body of a request that may hide another one. It has 17 bytes, 11 in hexadecimal.
const outer = `{"title":"outer"}`

// requireNothingHidden sends each attack with another request after it. It requires that the attack is refused with status,
// that the connection is closed, and that neither request creates a task.
func requireNothingHidden(t *testing.T, s *server, status int, attacks map[string]string) {
	t.Helper()
	detail := fmt.Sprintf(`{"detail":"%s"}`, http.StatusText(status))
	for name, raw := range attacks {
		t.Run(name, func(t *testing.T) {
			got := s.exchange(t, raw+sized(`{"title":"smuggled"}`))
			require.Equal(t, []int{status}, statuses(got))
			require.JSONEq(t, detail, string(got[0].body))
			require.True(t, got[0].Close, "the connection stays open")
		})
	}
	require.Empty(t, s.as("ann").list(t), "a refused request was executed")
}

func badLengths() map[string]string {
	attacks := map[string]string{}
	for _, length := range []string{
		"", "+17", "-17", "-0", "0x11", "17, 17", "17,17", "17 17", "17;", "17.0", "1e1", "1_7", "'17'", "１７", "abc", "9223372036854775808",
		"18446744073709551633", // 17 + 2^64
		"99999999999999999999999999",
	} {
		attacks[length] = rawCreate("Content-Length: "+length+"\r\n", outer)
	}
	return attacks
}

func TestAContentLengthThatIsNoneOrTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	s.listen(t)
	requireNothingHidden(t, s, 400, badLengths())
	requireNothingHidden(t, s, 413, map[string]string{
		"more than is allowed": rawCreate("Content-Length: 131073\r\n", outer),
		"the largest":          rawCreate("Content-Length: 9223372036854775807\r\n", outer),
	})
}

func badChunks() map[string]string {
	attacks := map[string]string{}
	for name, body := range map[string]string{
		"no size":                       "\r\n" + outer + "\r\n0\r\n\r\n",
		"a size that is no number":      "g\r\n" + outer + "\r\n0\r\n\r\n",
		"a negative size":               "-11\r\n" + outer + "\r\n0\r\n\r\n",
		"a size with a plus":            "+11\r\n" + outer + "\r\n0\r\n\r\n",
		"a size with 0x":                "0x11\r\n" + outer + "\r\n0\r\n\r\n",
		"a space before the size":       " 11\r\n" + outer + "\r\n0\r\n\r\n",
		"a space inside the size":       "1 1\r\n" + outer + "\r\n0\r\n\r\n",
		"a size of -1 in 64 bits":       "ffffffffffffffff\r\n" + outer + "\r\n0\r\n\r\n",
		"a size of 17 beyond 64 bits":   "10000000000000011\r\n" + outer + "\r\n0\r\n\r\n",
		"a size that ends in a LF":      "11\n" + outer + "\r\n0\r\n\r\n",
		"a size that ends in a CR":      "11\r" + outer + "\r\n0\r\n\r\n",
		"an extension with a LF":        "11;a\n" + outer + "\r\n0\r\n\r\n",
		"an extension after a space":    "11 ;a\r\n" + outer + "\r\n0\r\n\r\n",
		"a chunk longer than its size":  "10\r\n" + outer + "\r\n0\r\n\r\n",
		"a chunk shorter than its size": "12\r\n" + outer + "\r\n0\r\n\r\n",
		"a chunk that ends in a LF":     "11\r\n" + outer + "\n0\r\n\r\n",
		"a trailer without a colon":     "11\r\n" + outer + "\r\n0\r\nbroken\r\n\r\n",
		"a trailer that sets a length":  "11\r\n" + outer + "\r\n0\r\nContent-Length: 0\r\n\r\n",
		"a trailer that sets a coding":  "11\r\n" + outer + "\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
		"a trailer that sets a token":   "11\r\n" + outer + "\r\n0\r\nAuthorization: x\r\n\r\n",
		"a trailer that sets a host":    "11\r\n" + outer + "\r\n0\r\nHost: x\r\n\r\n",
	} {
		attacks[name] = rawCreate("Transfer-Encoding: chunked\r\n", body)
	}
	return attacks
}

func TestChunksThatAreNotWellFormedAreRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	s.listen(t)
	requireNothingHidden(t, s, 400, badChunks())
	requireNothingHidden(t, s, 413, map[string]string{
		"a size over the limit": rawCreate("Transfer-Encoding: chunked\r\n", "20001\r\n"+outer),
		"the largest size":      rawCreate("Transfer-Encoding: chunked\r\n", "7ffffffffffffff\r\n"+outer),
		"many chunks without an end": rawCreate("Transfer-Encoding: chunked\r\n",
			strings.Repeat("1000\r\n"+strings.Repeat(" ", 0x1000)+"\r\n", 40)),
		"a body just above 64 KiB": rawCreate("Transfer-Encoding: chunked\r\nConnection: close\r\n",
			strings.Repeat("1\r\n \r\n", 64<<10+1)+"0\r\n\r\n"),
	})
}

// goodChunks are encodings of one body. Some break the grammar but are accepted.
var goodChunks = map[string]string{
	"plain":                            "11\r\n" + outer + "\r\n0\r\n\r\n",
	"two chunks":                       "1\r\n{\r\n10\r\n\"title\":\"outer\"}\r\n0\r\n\r\n",
	"upper case and zeros":             "00011\r\n" + outer + "\r\n000\r\n\r\n",
	"extensions":                       "11;a;b=c;d=\"e f\"\r\n" + outer + "\r\n0;z\r\n\r\n",
	"a trailer":                        "11\r\n" + outer + "\r\n0\r\nX-Sum: 1\r\n\r\n",
	"a space after the size":           "11 \r\n" + outer + "\r\n0\r\n\r\n",
	"an end in a LF":                   "11\r\n" + outer + "\r\n0\r\n\n",
	"a trailer that ends in a LF":      "11\r\n" + outer + "\r\n0\r\nX-Sum: 1\n\n",
	"a trailer with a space in a name": "11\r\n" + outer + "\r\n0\r\nX Sum: 1\r\n\r\n",
	"a folded trailer":                 "11\r\n" + outer + "\r\n0\r\nX-Sum: 1\r\n 2\r\n\r\n",
}

func TestNothingBehindAChunkedBodyIsTakenForARequest(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	s.listen(t)
	created := 0
	for name, body := range goodChunks {
		for _, coding := range []string{"Transfer-Encoding: chunked", "transfer-encoding:\tCHUNKED "} {
			t.Run(name+", "+coding, func(t *testing.T) {
				got := s.exchange(t, rawCreate(coding+"\r\n", body)+sized(`{"title":"smuggled"}`))
				require.Equal(t, []int{201}, statuses(got))
				require.True(t, got[0].Close)
				created++
			})
		}
	}
	empty := s.exchange(t, rawCreate("Transfer-Encoding: chunked\r\n", "0\r\n\r\n")+sized(`{"title":"smuggled"}`))
	require.Equal(t, []int{422}, statuses(empty))
	list := s.as("ann").list(t)
	require.Len(t, list, created)
	for _, task := range list {
		require.Equal(t, "outer", task.Title)
	}
}

func TestABodyEndsWhereItsLengthSays(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	s.listen(t)
	second := sized(`{"title":"second"}`)

	require.Equal(t, []int{201, 201}, statuses(s.exchange(t, sized(outer)+second)), "pipelined")
	require.Equal(t, []int{201, 201}, statuses(s.exchange(t, rawCreate("Content-Length: 0017\r\n", outer)+second)), "zeros before the length")
	require.Equal(t, []int{201, 400}, statuses(s.exchange(t, sized(outer)+`{"title":"rest"}`+"\r\n\r\n"+second)),
		"more body than was announced is not skipped over")
	require.Equal(t, []int{422, 400}, statuses(s.exchange(t, rawCreate("Content-Length: 5\r\n", outer)+second)),
		"less is announced than is sent")
	require.Equal(t, []int{422, 400}, statuses(s.exchange(t, rawCreate("", outer)+second)), "no length is no body")
	require.Equal(t, []int{400}, statuses(s.exchange(t, rawCreate("Content-Length: 18\r\n", outer))), "more is announced than is sent")
	for _, cut := range []string{
		"", "11", "11\r\n", "11\r\n{", "11\r\n" + outer, "11\r\n" + outer + "\r\n", "11\r\n" + outer + "\r\n0", "11\r\n" + outer + "\r\n0\r",
	} {
		require.Subset(t, []int{400}, statuses(s.exchange(t, rawCreate("Transfer-Encoding: chunked\r\n", cut))), "%q is no whole body", cut)
	}
	require.Len(t, s.as("ann").list(t), 5)

	// Content-Length counts even if no handler reads the body.
	id := s.as("ann").create(t, "x").ID
	for method, target := range map[string]string{
		"GET": path(id), "PATCH": path(id) + "/complete", "OPTIONS": path(id),
		"TRACE": path(id), "get": path(id), "PURGE": path(id), "DELETE": path(id),
	} {
		hidden := withToken(t, sized(`{"title":"smuggled"}`))
		head := method + " " + target + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n"
		got := s.exchange(t, head+"Content-Length: "+strconv.Itoa(len(hidden))+"\r\n\r\n"+hidden+"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
		require.Len(t, got, 2, method)
		require.Equal(t, `{"status":"ok"}`, string(got[1].body), method)
	}
	require.Len(t, s.as("ann").list(t), 5)
}

func TestACompressedBodyIsRefusedWhateverIsInIt(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	s.listen(t)
	for _, coding := range []string{
		"gzip", "br", "deflate", "zstd", "compress", "x-gzip", "GZIP", "gzip, gzip", "identity, gzip", "gzip, identity", "made-up",
	} {
		for _, body := range []string{outer, "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"} {
			t.Run(fmt.Sprintf("%s, %.12q", coding, body), func(t *testing.T) {
				got := s.exchange(t, rawCreate("Content-Encoding: "+coding+"\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n", body))
				require.Equal(t, []int{415}, statuses(got))
			})
		}
	}
	require.Empty(t, s.as("ann").list(t))
}
