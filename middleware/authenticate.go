package middleware

import (
	jwtware "github.com/gofiber/contrib/jwt"
	"github.com/gofiber/fiber/v2"
	"github.com/golang-jwt/jwt/v5"
)

// Authenticate lets requests pass that carry a token in their Authorization header which the verifier accepts, and keeps
// the token's user for [UserID]. It fails all others with a [Refusal], or with [ErrNoKeySet].
func Authenticate(verifier *Verifier) fiber.Handler {
	verify := jwtware.New(jwtware.Config{
		Claims:  &claims{},
		KeyFunc: verifier.key,
		SuccessHandler: func(c *fiber.Ctx) error {
			c.Locals(userIDKey, c.Locals("user").(*jwt.Token).Claims.(*claims).user)
			return c.Next()
		},
		ErrorHandler: func(_ *fiber.Ctx, err error) error { return refusal(err) },
	})
	return func(c *fiber.Ctx) error {
		// Of two tokens a proxy may have judged the other one.
		if len(c.Request().Header.PeekAll(fiber.HeaderAuthorization)) > 1 {
			return SeveralTokens
		}
		return verify(c)
	}
}

// UserID returns the user whose token [Authenticate] accepted, or "" where it has not run.
func UserID(c *fiber.Ctx) string {
	id, _ := c.Locals(userIDKey).(string)
	return id
}
