package middleware

import (
	"github.com/gofiber/fiber/v2"

	"taskapi/middleware/token"
	"taskapi/models"
)

// Authenticate lets requests pass that carry a token in their Authorization header which the verifier accepts, and keeps
// the token's user for [UserID]. It fails all others with a [token.Refusal], or with [token.ErrNoKeySet].
func Authenticate(verifier *token.Verifier) fiber.Handler {
	verify := verifier.Handler(func(c *fiber.Ctx, userID string) error {
		c.Locals(userIDKey, userID)
		return c.Next()
	})
	return func(c *fiber.Ctx) error {
		// Of two tokens a proxy may have judged the other one.
		if len(c.Request().Header.PeekAll(fiber.HeaderAuthorization)) > 1 {
			return models.Unauthenticated(token.SeveralTokens)
		}
		return verify(c)
	}
}

// UserID returns the user whose token [Authenticate] accepted, or "" where it has not run.
func UserID(c *fiber.Ctx) string {
	id, _ := c.Locals(userIDKey).(string)
	return id
}
