package middleware

import (
	"sync"

	"github.com/gofiber/fiber/v2"
)

const (
	// maxUnread is how many bytes of large answers one user may have in memory before further ones are refused.
	maxUnread = 16 << 20
	// unreadGuess is what an answer counts as before its length is known: a user has 32 of them made at a time.
	unreadGuess = 512 << 10
)

// LimitUnread wraps handlers that read and whose answers may be large, behind [Authenticate]. It refuses users with 429 of
// whose answers too many bytes wait for clients that do not read them: each stays in memory until the server gives its
// client up. A user has one count for all the handlers that one limit wraps.
func LimitUnread() func(answer fiber.Handler) fiber.Handler {
	var (
		mu     sync.Mutex
		unread = map[string]int{}
	)
	add := func(user string, size int) (before int) {
		mu.Lock()
		defer mu.Unlock()
		before = unread[user]
		if unread[user] = before + size; unread[user] == 0 {
			delete(unread, user)
		}
		return before
	}
	refuse := func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderRetryAfter, "1")
		c.Context().SetConnectionClose()
		return fiber.ErrTooManyRequests
	}
	return func(answer fiber.Handler) fiber.Handler {
		return func(c *fiber.Ctx) error {
			user := UserID(c)
			defer add(user, -unreadGuess)
			if add(user, unreadGuess) >= maxUnread {
				return refuse(c)
			}
			if err := answer(c); err != nil {
				return err
			}
			size := len(c.Response().Body())
			c.Locals(unreadKey, closer(func() { add(user, -size) }))
			if add(user, size)-unreadGuess >= maxUnread {
				return refuse(c)
			}
			return nil
		}
	}
}

// closer is what fasthttp calls when the answer to the request that carries it was written, or could not be.
type closer func()

// Close implements [io.Closer].
func (done closer) Close() error {
	done()
	return nil
}
