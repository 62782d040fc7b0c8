package routes

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gofiber/fiber/v2"
	"golang.org/x/sync/singleflight"
	"gorm.io/gorm"

	"taskapi/middleware"
	"taskapi/models"
	"taskapi/models/database"
)

// readyTimeout limits how long /ready waits for the database.
const readyTimeout = 2 * time.Second

func healthRoutes(db *gorm.DB, drain *middleware.Drain) []Route {
	return []Route{
		{fiber.MethodGet, "/health", health, documentPart("health.yaml", nil)},
		{fiber.MethodGet, "/ready", ready(db, drain), ""},
	}
}

// health answers 200 while the process lives. It does not ask the database.
func health(c *fiber.Ctx) error { return c.JSON(fiber.Map{"status": "ok"}) }

// ready answers 200 if the database answers and the server is not draining, else 503.
// Requests that come while the database is asked share its answer: anyone may come, and each would take a connection.
func ready(db *gorm.DB, drain *middleware.Drain) fiber.Handler {
	var pings singleflight.Group
	return func(c *fiber.Ctx) error {
		if drain.Started() {
			return middleware.ErrDraining
		}
		_, err, _ := pings.Do("", func() (any, error) {
			ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
			defer cancel()
			return nil, database.Ping(ctx, db)
		})
		if err != nil {
			return models.Unavailable(err)
		}
		return c.JSON(fiber.Map{"status": "ready"})
	}
}

// healthTimeout limits how long [CheckHealth] waits.
const healthTimeout = 2 * time.Second

// CheckHealth returns an error if the server on address does not answer GET /health with 200 within two seconds. The address
// may be a wildcard (0.0.0.0, ::). Redirects are not followed, and no proxy is used.
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
