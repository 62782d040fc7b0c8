package routes

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// healthTimeout bounds how long [CheckHealth] waits.
const healthTimeout = 2 * time.Second

// CheckHealth asks the server that listens on an address, which may be a wildcard (0.0.0.0, ::), whether it lives. Anything
// but 200 is an error, as are no answer within two seconds and a redirection. No proxy is asked.
func CheckHealth(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	target := url.URL{Scheme: "http", Host: address, Path: "/health"}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), http.NoBody)
	if err != nil {
		return err
	}
	response, err := (&http.Transport{}).RoundTrip(request)
	if err != nil {
		return fmt.Errorf("%s: %w", &target, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: answered %d", &target, response.StatusCode)
	}
	return nil
}
