package middleware

import (
	"errors"

	jwtware "github.com/gofiber/contrib/jwt"
	"github.com/gofiber/fiber/v2"
	"github.com/golang-jwt/jwt/v5"
)

// ErrUnauthenticated says that a request has no token, or one with any fault in it. Clients are not told which.
var ErrUnauthenticated = errors.New("invalid authentication credentials")

// Authenticate lets requests pass that carry a good token in their Authorization header, with HS256 under the secret and
// no other algorithm, and keeps the token's user for [UserID].
func Authenticate(secret string) fiber.Handler {
	verify := jwtware.New(jwtware.Config{
		Claims: &claims{},
		KeyFunc: func(token *jwt.Token) (any, error) {
			if token.Method != jwt.SigningMethodHS256 {
				return nil, jwt.ErrTokenSignatureInvalid
			}
			// Extensions that must be understood (RFC 7515, section 4.1.11): none is.
			if _, critical := token.Header["crit"]; critical {
				return nil, jwt.ErrTokenUnverifiable
			}
			return []byte(secret), nil
		},
		SuccessHandler: func(c *fiber.Ctx) error {
			c.Locals(userIDKey, c.Locals("user").(*jwt.Token).Claims.(*claims).UserID)
			return c.Next()
		},
		ErrorHandler: func(*fiber.Ctx, error) error { return ErrUnauthenticated },
	})
	return func(c *fiber.Ctx) error {
		// Of two tokens a proxy may have judged the other one.
		if len(c.Request().Header.PeekAll(fiber.HeaderAuthorization)) > 1 {
			return ErrUnauthenticated
		}
		return verify(c)
	}
}

// UserID returns the user whose token [Authenticate] accepted, or "" where it has not run.
func UserID(c *fiber.Ctx) string {
	id, _ := c.Locals(userIDKey).(string)
	return id
}
