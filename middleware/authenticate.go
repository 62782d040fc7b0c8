package middleware

import (
	"github.com/gofiber/fiber/v2"

	"taskapi/middleware/token"
	"taskapi/models"
)

// Authenticate requires a bearer token that the verifier accepts, and stores its user for [UserID]. Otherwise the request
// fails with a 401 whose cause is a [token.Reason], or with [token.ErrNoKeySet].
func Authenticate(verifier *token.Verifier) fiber.Handler {
	verify := verifier.Handler(func(c *fiber.Ctx, userID string) { c.Locals(userIDKey, userID) })
	return func(c *fiber.Ctx) error {
		// A proxy may have checked another one of several tokens.
		if len(c.Request().Header.PeekAll(fiber.HeaderAuthorization)) > 1 {
			return models.Unauthenticated(token.SeveralTokens)
		}
		return verify(c)
	}
}

// UserID returns the user that [Authenticate] stored, or "".
func UserID(c *fiber.Ctx) string {
	id, _ := c.Locals(userIDKey).(string)
	return id
}
