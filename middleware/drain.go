package middleware

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"

	"taskapi/models"
)

// ErrDraining refuses a request that arrives after the shutdown has started.
var ErrDraining = models.Unavailable(errors.New("the server is draining"))

// minDrainTime is the least duration of a shutdown. Clients may have sent requests that are not yet accepted or read.
const minDrainTime = 250 * time.Millisecond

// Drain counts the requests in flight, so that a shutdown can wait for them. The zero value is ready to use.
type Drain struct {
	started  atomic.Bool
	inFlight atomic.Int64
}

// Started reports whether the shutdown has started.
func (d *Drain) Started() bool { return d.started.Load() }

// Handler counts requests in flight. After the shutdown has started it refuses new ones with [ErrDraining], and each answer
// closes its connection.
func (d *Drain) Handler() fiber.Handler {
	return func(c *fiber.Ctx) error {
		// Counts before it reads started, so that Shutdown waits for every request that passes.
		d.inFlight.Add(1)
		defer d.inFlight.Add(-1)
		defer func() {
			if d.Started() {
				c.Context().SetConnectionClose()
			}
		}()
		if d.Started() {
			return ErrDraining
		}
		return c.Next()
	}
}

// Shutdown starts the shutdown and waits until no request is in flight, for at least [minDrainTime]. It returns ctx's error
// if ctx ends first.
func (d *Drain) Shutdown(ctx context.Context) error {
	d.started.Store(true)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for start := time.Now(); d.inFlight.Load() > 0 || time.Since(start) < minDrainTime; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}
