package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"taskapi/routes"
)

// judge is an OpenAPI document that judges requests and answers.
type judge struct {
	doc    *openapi3.T
	router routers.Router
}

func newJudge(text []byte) (*judge, error) {
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	doc.Servers = nil // its "/" is wherever the document was loaded from
	router, err := legacy.NewRouter(doc)
	return &judge{doc, router}, err
}

// programJudge is the document of the program's own routes.
var programJudge = sync.OnceValues(func() (*judge, error) { return newJudge(routes.Document()) })

// document is the OpenAPI document of the program's own routes.
func document() (*openapi3.T, error) {
	j, err := programJudge()
	if err != nil {
		return nil, err
	}
	return j.doc, nil
}

// servedJudge is the document that an app serves.
func servedJudge(app *fiber.App) func() (*judge, error) {
	return sync.OnceValues(func() (*judge, error) {
		request, err := http.NewRequest(http.MethodGet, "http://localhost/openapi.yaml", http.NoBody)
		if err != nil {
			return nil, err
		}
		response, err := app.Test(request, -1)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			return nil, err
		}
		return newJudge(text)
	})
}

// seen counts the answers of each operation by "operationId status".
var seen = struct {
	sync.Mutex
	statuses map[string]int
}{statuses: map[string]int{}}

// check fails the test unless the answer is one that the document describes, and the document's judgement
// of the request is the server's: what it accepted is valid there, and what it found invalid is not.
func (j *judge) check(t testing.TB, req *http.Request, body []byte, got answer) {
	t.Helper()
	route, params, err := j.router.FindRoute(req)
	if err != nil || req.Method == http.MethodHead || got.StatusCode == 405 {
		described := strings.HasPrefix(req.URL.Path, "/api") && req.Method != http.MethodHead && req.Method != http.MethodOptions
		require.True(t, got.StatusCode >= 400 || !described, "a route that the document lacks: %s %s", req.Method, req.URL.Path)
		return
	}
	in := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route, Options: &openapi3filter.Options{
		IncludeResponseStatus: true, MultiError: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
	}}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: got.StatusCode, Header: got.Header, Options: in.Options,
		Body: io.NopCloser(bytes.NewReader(got.body)),
	})
	require.NoError(t, err, "the answer is not the document's: %d %s", got.StatusCode, got.body)

	req.Body = io.NopCloser(bytes.NewReader(body))
	if req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json") // what the server takes it for
	}
	invalid := openapi3filter.ValidateRequest(context.Background(), in)
	switch {
	case repeats(req.URL.Query()) || strings.Contains(req.URL.EscapedPath(), "%") || lowerCaseTime.Match(body):
		// A repeated parameter and an escaped slash are beyond the document, and the small letters of RFC 3339 beyond the check.
	case got.StatusCode < 300:
		require.NoError(t, invalid, "the server accepts what the document does not")
	case got.StatusCode == 422:
		// What the check cannot see: text after the JSON; numbers beyond their format; times that the calendar lacks; a key that
		// came with another body; and, as Go's regular expressions know only ASCII's white space, a title that is blank beyond it.
		beyond := bytes.Contains(got.body, []byte(`"int_parsing_size"`)) || bytes.Contains(got.body, []byte(`"datetime_parsing"`)) ||
			bytes.Contains(got.body, []byte(`["header","Idempotency-Key"]`)) || !utf8.ValidString(req.URL.Query().Get("q")) ||
			json.Unmarshal(body, new(any)) != nil
		require.True(t, invalid != nil || beyond || !isASCII(body), "the server refuses what the document allows: %s", body)
	}
	seen.Lock()
	defer seen.Unlock()
	seen.statuses[fmt.Sprintf("%s %d", route.Operation.OperationID, got.StatusCode)]++
}

// repeats reports whether a parameter is there twice.
func repeats(query url.Values) bool {
	for _, values := range query {
		if len(values) > 1 {
			return true
		}
	}
	return false
}

var lowerCaseTime = regexp.MustCompile(`\d[Tt]\d\d:\d\d:[\d.]+z"|\dt\d\d:\d\d:`)

func isASCII(text []byte) bool {
	return !bytes.ContainsFunc(text, func(r rune) bool { return r > 127 }) && !bytes.Contains(text, []byte(`\u`))
}

// unseenStatuses is an error that names each status that the document has for an operation and no test produced. It
// is only asked for when the whole suite ran.
func unseenStatuses() error {
	if partial() {
		return nil
	}
	doc, err := document()
	if err != nil {
		return err
	}
	var missing []string
	for _, item := range doc.Paths.Map() {
		for _, operation := range item.Operations() {
			for status := range operation.Responses.Map() {
				if name := operation.OperationID + " " + status; seen.statuses[name] == 0 {
					missing = append(missing, name)
				}
			}
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return errors.New("the document promises answers that no test has seen: " + strings.Join(missing, ", "))
	}
	return nil
}
