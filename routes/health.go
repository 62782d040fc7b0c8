package routes

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gofiber/fiber/v2"
	"gorm.io/gorm"

	"taskapi/middleware"
	"taskapi/models"
	"taskapi/models/database"
)

// readyTimeout bounds how long a readiness check waits for the database.
const readyTimeout = 2 * time.Second

func operationRoutes(db *gorm.DB, drain *middleware.Drain) []route {
	return []route{
		{fiber.MethodGet, "/health", health},
		{fiber.MethodGet, "/ready", ready(db, drain)},
	}
}

// health answers while the process lives, whatever the state of the database.
func health(c *fiber.Ctx) error { return c.JSON(fiber.Map{"status": "ok"}) }

// ready answers 200 while requests are welcome: the database answers, and the server is not about to stop.
func ready(db *gorm.DB, drain *middleware.Drain) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if drain.Started() {
			return middleware.ErrDraining
		}
		ctx, cancel := context.WithTimeout(c.UserContext(), readyTimeout)
		defer cancel()
		if err := database.Ping(ctx, db); err != nil {
			return models.Unavailable(err)
		}
		return c.JSON(fiber.Map{"status": "ready"})
	}
}

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
