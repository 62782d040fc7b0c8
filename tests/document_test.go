package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"taskapi/routes"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/stretchr/testify/require"
)

// document is the OpenAPI document, as the server serves it.
var document = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(routes.Document())
	if err == nil {
		doc.Servers = nil // it is wherever the document was loaded from
	}
	return doc, err
})

var documentRouter = sync.OnceValues(func() (routers.Router, error) {
	doc, err := document()
	if err != nil {
		return nil, err
	}
	return legacy.NewRouter(doc)
})

// seen counts the answers of each operation by "operationId status".
var seen = struct {
	sync.Mutex
	statuses map[string]int
}{statuses: map[string]int{}}

// checkAgainstDocument fails the test unless the answer is one that the document describes, and the document's judgement
// of the request is the server's: what it accepted is valid there, and what it found invalid is not.
func checkAgainstDocument(t testing.TB, req *http.Request, body []byte, got answer) {
	t.Helper()
	router, err := documentRouter()
	require.NoError(t, err)
	route, params, err := router.FindRoute(req)
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
	case len(req.URL.Query()["status"]) > 1 || strings.Contains(req.URL.EscapedPath(), "%"):
		// A repeated parameter and an escaped slash are beyond the document.
	case got.StatusCode < 300:
		require.NoError(t, invalid, "the server accepts what the document does not")
	case got.StatusCode == 422:
		// What the check cannot see: text after the JSON, and, as Go's regular expressions know only ASCII's white space,
		// a title that is blank beyond it.
		require.True(t, invalid != nil || !json.Valid(body) || !isASCII(body), "the server refuses what the document allows: %s", body)
	}
	seen.Lock()
	defer seen.Unlock()
	seen.statuses[fmt.Sprintf("%s %d", route.Operation.OperationID, got.StatusCode)]++
}

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
