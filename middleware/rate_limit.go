package middleware

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"taskapi/middleware/token"
)

// maxCallers is how many users, and how many addresses, a rate limit remembers: the most recent ones.
const maxCallers = 1 << 16

// RateLimit allows each caller a number of requests a minute, all at once or spread over it. Each process counts by itself.
type RateLimit struct {
	perMinute        int
	users, addresses *lru.Cache[string, *rate.Limiter]
}

// NewRateLimit makes a limit of requests a minute; 0 is no limit.
func NewRateLimit(perMinute int) *RateLimit {
	users, _ := lru.New[string, *rate.Limiter](maxCallers) // an error only for sizes below 1
	addresses, _ := lru.New[string, *rate.Limiter](maxCallers)
	return &RateLimit{perMinute, users, addresses}
}

// PerUser limits the requests of each user. It runs after [Authenticate].
func (l *RateLimit) PerUser() fiber.Handler {
	return func(c *fiber.Ctx) error {
		if err := l.take(c, "user", l.users, UserID(c)); err != nil {
			return err
		}
		return c.Next()
	}
}

// PerAddress limits, by address, the requests that [Authenticate] refuses. It runs before it. Expired tokens do not count:
// their clients must learn that they need a new one, even if others use up the limit of the same address.
func (l *RateLimit) PerAddress() fiber.Handler {
	return func(c *fiber.Ctx) error {
		err := c.Next()
		if reason, refused := errors.AsType[token.Reason](err); refused && reason != token.Expired {
			if limited := l.take(c, "address", l.addresses, network(c.IP())); limited != nil {
				return limited
			}
		}
		return err
	}
}

// network returns an address, or of an IPv6 address the /64 that a single client usually has.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || !ip.Is6() {
		return address
	}
	prefix, _ := ip.Prefix(64) // an error only for other lengths
	return prefix.String()
}

// take counts a request of a caller: a user or an address. It sets the headers of draft-ietf-httpapi-ratelimit-headers-11, and
// returns a 429 if the request is over the limit.
func (l *RateLimit) take(c *fiber.Ctx, policy string, callers *lru.Cache[string, *rate.Limiter], caller string) error {
	if l.perMinute == 0 {
		return nil
	}
	perSecond := float64(l.perMinute) / 60
	bucket := rate.NewLimiter(rate.Limit(perSecond), l.perMinute)
	if known, found, _ := callers.PeekOrAdd(caller, bucket); found {
		bucket = known
		callers.Get(caller) // marks it as recent
	}
	now := time.Now()
	allowed := bucket.AllowN(now, 1)
	left := bucket.TokensAt(now)
	seconds := func(tokens float64) int { return int(math.Ceil(tokens / perSecond)) }
	c.Set("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=60", policy, l.perMinute))
	c.Set("RateLimit", fmt.Sprintf("%q;r=%d;t=%d", policy, max(0, int(left)), seconds(float64(l.perMinute)-left)))
	if !allowed {
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(seconds(1-left)))
		return fiber.ErrTooManyRequests
	}
	return nil
}
