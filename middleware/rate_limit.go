package middleware

import (
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"taskapi/middleware/token"
)

// maxCallers is how many callers a rate limit keeps count of, the most recent ones.
const maxCallers = 1 << 16

// RateLimit allows each caller so many requests a minute, at once or spread over it. The count is this process's own.
type RateLimit struct {
	perMinute int
	callers   *lru.Cache[string, *rate.Limiter]
}

// NewRateLimit makes a limit of requests a minute; 0 allows any number.
func NewRateLimit(perMinute int) *RateLimit {
	callers, _ := lru.New[string, *rate.Limiter](maxCallers) // fails for sizes below 1 alone
	return &RateLimit{perMinute, callers}
}

// Users limits the requests of each user, behind [Authenticate].
func (l *RateLimit) Users() fiber.Handler {
	return func(c *fiber.Ctx) error {
		if err := l.take(c, "user "+UserID(c)); err != nil {
			return err
		}
		return c.Next()
	}
}

// Strangers limits, by their address, the requests that [Authenticate] behind it refuses. A token that was good until it
// expired is no stranger's: its client has to learn that it needs a new one, whoever else shares the address.
func (l *RateLimit) Strangers() fiber.Handler {
	return func(c *fiber.Ctx) error {
		err := c.Next()
		var reason token.Refusal
		if errors.As(err, &reason) && reason != token.Expired {
			if limited := l.take(c, "address "+c.IP()); limited != nil {
				return limited
			}
		}
		return err
	}
}

// take counts a request, tells the caller what is left (draft-ietf-httpapi-ratelimit-headers-06), and refuses with 429
// what is over the limit.
func (l *RateLimit) take(c *fiber.Ctx, caller string) error {
	if l.perMinute == 0 {
		return nil
	}
	perSecond := float64(l.perMinute) / 60
	bucket := rate.NewLimiter(rate.Limit(perSecond), l.perMinute)
	if known, found, _ := l.callers.PeekOrAdd(caller, bucket); found {
		bucket = known
		l.callers.Get(caller) // makes it a recent one
	}
	now := time.Now()
	allowed := bucket.AllowN(now, 1)
	left := bucket.TokensAt(now)
	seconds := func(tokens float64) string { return strconv.Itoa(int(math.Ceil(tokens / perSecond))) }
	c.Set("RateLimit-Limit", strconv.Itoa(l.perMinute))
	c.Set("RateLimit-Remaining", strconv.Itoa(max(0, int(left))))
	c.Set("RateLimit-Reset", seconds(float64(l.perMinute)-left))
	if !allowed {
		c.Set(fiber.HeaderRetryAfter, seconds(1-left))
		return fiber.ErrTooManyRequests
	}
	return nil
}
