package middleware

import (
	jwtware "github.com/gofiber/contrib/jwt"
	"github.com/gofiber/fiber/v2"
	"github.com/golang-jwt/jwt/v5"
)

// Authenticate lets requests pass that carry a good token in their Authorization header, with HS256 under one of the
// secrets and no other algorithm, and keeps the token's user for [UserID]. It fails all others with a [Refusal].
func Authenticate(secrets []string) fiber.Handler {
	var keys jwt.VerificationKeySet
	for _, secret := range secrets {
		keys.Keys = append(keys.Keys, []byte(secret))
	}
	verify := jwtware.New(jwtware.Config{
		Claims: &claims{},
		KeyFunc: func(token *jwt.Token) (any, error) {
			if token.Method != jwt.SigningMethodHS256 {
				return nil, WrongAlgorithm
			}
			// Extensions that must be understood (RFC 7515, section 4.1.11): none is.
			if _, critical := token.Header["crit"]; critical {
				return nil, CriticalExtension
			}
			return keys, nil
		},
		SuccessHandler: func(c *fiber.Ctx) error {
			c.Locals(userIDKey, c.Locals("user").(*jwt.Token).Claims.(*claims).UserID)
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
