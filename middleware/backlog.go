package middleware

import (
	"sync"

	"github.com/gofiber/fiber/v2"
)

const (
	// maxBacklog is the limit of a user's backlog, in bytes.
	maxBacklog = 16 << 20
	// answerEstimate is the size of an answer, in bytes, until it is known. It limits a user to 32 lists in flight.
	answerEstimate = 512 << 10
)

// LimitBacklog stands before handlers whose answers may be large, behind [Authenticate]. It refuses a user with 429 while the
// user's backlog is full: the answers in memory that clients have not read. An answer leaves the backlog when it is written or
// its connection times out. All routes that share the handler share the backlog.
func LimitBacklog() fiber.Handler {
	var (
		mu      sync.Mutex
		backlog = map[string]int{}
	)
	add := func(user string, size int) (before int) {
		mu.Lock()
		defer mu.Unlock()
		before = backlog[user]
		if backlog[user] = before + size; backlog[user] == 0 {
			delete(backlog, user)
		}
		return before
	}
	refuse := func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderRetryAfter, "1")
		c.Context().SetConnectionClose()
		return fiber.ErrTooManyRequests
	}
	return func(c *fiber.Ctx) error {
		user := UserID(c)
		defer add(user, -answerEstimate)
		if add(user, answerEstimate) >= maxBacklog {
			return refuse(c)
		}
		if err := c.Next(); err != nil {
			return err
		}
		size := len(c.Response().Body())
		c.Locals(backlogKey, closer(func() { add(user, -size) }))
		if add(user, size)-answerEstimate >= maxBacklog {
			return refuse(c)
		}
		return nil
	}
}

// closer is a local of a request that fasthttp closes when the answer is written or has failed.
type closer func()

// Close implements [io.Closer].
func (done closer) Close() error {
	done()
	return nil
}
