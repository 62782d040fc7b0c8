package routes

import (
	"context"
	"errors"
	"time"

	"github.com/gofiber/fiber/v2"
	"gorm.io/gorm"

	"taskapi/middleware"
	"taskapi/models"
)

// readyTimeout bounds how long a readiness check waits for the database.
const readyTimeout = 2 * time.Second

func operationRoutes(db *gorm.DB, drain *middleware.Drain) []Route {
	return []Route{
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
		if err := models.Ping(ctx, db); err != nil {
			return errors.Join(fiber.ErrServiceUnavailable, err)
		}
		return c.JSON(fiber.Map{"status": "ready"})
	}
}
