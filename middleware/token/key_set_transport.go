package token

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxKeySet is the largest key set, in bytes after decompression.
const maxKeySet = 1 << 20

// keySetTransport fails for answers that are not a key set, so that they never replace a good one.
type keySetTransport struct{}

// RoundTrip implements [http.RoundTripper].
func (keySetTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil || response.StatusCode != http.StatusOK {
		return response, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxKeySet+1))
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys *[]jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil || set.Keys == nil || len(text) > maxKeySet {
		return nil, errors.New("the answer is not a key set")
	}
	response.Body = io.NopCloser(bytes.NewReader(text))
	return response, nil
}

// withoutURL returns an error's text without the URL, whose query may hold a secret.
func withoutURL(err error) string {
	var fault *url.Error
	if errors.As(err, &fault) {
		err = fault.Err
	}
	return err.Error()
}
