package middleware

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"

	"taskapi/models"
)

// ErrDraining refuses a request that came after the server began to stop.
var ErrDraining = models.Unavailable(errors.New("the server is draining"))

// Drain lets a server stop without cutting off a request. The zero value is ready for use.
type Drain struct {
	started  atomic.Bool
	underWay atomic.Int64
}

// Started tells whether the server is stopping.
func (d *Drain) Started() bool { return d.started.Load() }

// Handler counts the requests under way and refuses new ones with [ErrDraining] once the drain has started. From then on
// each answer is the last on its connection.
func (d *Drain) Handler() fiber.Handler {
	return func(c *fiber.Ctx) error {
		// Counted before the look at started, so that Wait misses none that went on.
		d.underWay.Add(1)
		defer d.underWay.Add(-1)
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

// settleTime is how long a drain lasts at least: requests that were sent before it may yet have to be accepted and read.
const settleTime = 250 * time.Millisecond

// Wait starts the drain and returns when it has lasted a moment and no request is under way, or with ctx's error if that
// ends first.
func (d *Drain) Wait(ctx context.Context) error {
	d.started.Store(true)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for start := time.Now(); d.underWay.Load() > 0 || time.Since(start) < settleTime; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}
