package tests

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi-validator/errors"
	"github.com/stretchr/testify/require"
)

// TestASecondValidatorJudgesEveryResourceTheSame asks another implementation than that of all other tests.
func TestASecondValidatorJudgesEveryResourceTheSame(t *testing.T) {
	t.Parallel()
	s := newServerWith(t, newSQLite(t), gadgets)
	document, err := libopenapi.NewDocument(s.sendUnchecked(t, request{method: "GET", path: "/openapi.yaml"}).body)
	require.NoError(t, err)
	second, faults := validator.NewValidator(document, config.WithFormatAssertions(), config.WithoutSecurityValidation())
	require.Empty(t, faults)
	valid, wrong := second.ValidateDocument()
	require.True(t, valid, "%v", wrong)

	// send demands an answer that the document describes, and that the document refuses what the server does.
	send := func(t *testing.T, status int, method, path, body string) answer {
		t.Helper()
		r := request{method: method, path: path, user: "ann"}
		if body != "" {
			r.body = body
		}
		got := s.send(t, r)
		require.Equal(t, status, got.StatusCode, "%s", got.body)
		sent, text := s.newRequest(t, r)
		sent.Body = io.NopCloser(bytes.NewReader(text))
		valid, wrong := second.ValidateHttpRequestSync(sent)
		require.Equal(t, status != 422, valid, "the request %s %s %s: %s", method, path, body, reasons(wrong))
		valid, wrong = second.ValidateHttpResponse(sent, &http.Response{
			StatusCode: got.StatusCode, Header: got.Header, Body: io.NopCloser(bytes.NewReader(got.body)), Request: sent,
		})
		require.True(t, valid, "the answer %d %s of %s %s: %s", got.StatusCode, got.body, method, path, reasons(wrong))
		return got
	}
	for _, r := range s.resources(t) {
		t.Run(r.model, func(t *testing.T) {
			send(t, 200, "GET", r.path, "")
			row := r.toRow(t, send(t, 201, "POST", r.path, toBody(r.example)))
			send(t, 200, "GET", r.path, "")
			send(t, 200, "GET", row.path, "")
			send(t, 200, "PUT", row.path, toBody(r.example))
			send(t, 200, "PATCH", row.path, toBody(r.example))
			send(t, 404, "GET", row.path+"999", "")
			send(t, 422, "GET", r.path+"/x", "")
			send(t, 422, "POST", r.path, "[]")
			for _, name := range r.fields {
				p := r.input.Properties[name]
				for _, with := range p.samples() {
					// It reads numbers as float64.
					beyond := p.kind() == "integer" && len(with.value) > 18 || strings.HasSuffix(with.value, "400")
					switch {
					case with.fault == "json_invalid" || beyond:
					case with.fault == "":
						send(t, 201, "POST", r.path, toBody(r.with(name, with.value)))
						send(t, 200, "PATCH", row.path, toBody(map[string]string{name: with.value}))
					default:
						send(t, 422, "POST", r.path, toBody(r.with(name, with.value)))
						send(t, 422, "PATCH", row.path, toBody(map[string]string{name: with.value}))
					}
				}
			}
			send(t, 204, "DELETE", row.path, "")
		})
	}
}

func reasons(wrong []*errors.ValidationError) (all []string) {
	for _, w := range wrong {
		all = append(all, w.Message+": "+w.Reason)
		for _, f := range w.SchemaValidationErrors {
			all = append(all, f.FieldPath+": "+f.Reason)
		}
	}
	return all
}
