package middleware

import (
	"errors"
	"io"
	"net"

	"github.com/gofiber/fiber/v2"
)

// LimitLists stands before handlers that answer with lists, behind [Authenticate]. It gives each request its [List], and
// refuses with 429 a user who has [maxLists] in the making or whose lists use up the user's share of the memory. Of a user's
// lists, atATime are made at a time and the others wait, so that they leave the database's connections to other users. All
// routes that share the handler share the memory.
func LimitLists(atATime int) fiber.Handler {
	memory, turns := &listMemory{users: map[string]*listShare{}}, NewTurns(atATime)
	return func(c *fiber.Ctx) error {
		list := &List{memory: memory, user: UserID(c)}
		if memory.begin(list) {
			defer memory.end(list)
			release, err := turns.Acquire(c.UserContext(), list.user)
			if err != nil {
				return err
			}
			defer release()
			c.Locals(listKey, list) // fasthttp closes it with the request
			if err := c.Next(); !errors.Is(err, fiber.ErrTooManyRequests) {
				return err
			}
		}
		c.Set(fiber.HeaderRetryAfter, "1")
		c.Context().SetConnectionClose()
		return fiber.ErrTooManyRequests
	}
}

// List is the body of an answer: what is written to it, until the client has read it or its connection has timed out. Until
// then its memory counts as its user's.
type List struct {
	net.Buffers // what is not read yet
	blocks      [][]byte
	size        int
	memory      *listMemory
	user        string
	share       *listShare
}

// ListOf returns the list that a request behind [LimitLists] is to be answered with.
func ListOf(c *fiber.Ctx) *List { return c.Locals(listKey).(*List) }

// Write implements [io.Writer]. After an error, which is the request's, the list is empty.
func (l *List) Write(p []byte) (n int, err error) {
	for n < len(p) {
		last := len(l.Buffers) - 1
		if last < 0 || len(l.Buffers[last]) == listBlock {
			if err := l.memory.take(l); err != nil {
				return n, err
			}
			last++
		}
		block := l.Buffers[last]
		added := copy(block[len(block):listBlock], p[n:])
		l.Buffers[last] = block[:len(block)+added]
		n += added
	}
	l.size += n
	return n, nil
}

// CopyTo writes what was written to the list to w, which returns no errors.
func (l *List) CopyTo(w io.Writer) {
	for _, block := range l.Buffers {
		_, _ = w.Write(block)
	}
}

// Send answers with what was written.
func (l *List) Send(c *fiber.Ctx) error {
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	return c.SendStream(l, l.size)
}

// Close implements [io.Closer].
func (l *List) Close() error {
	l.memory.release(l)
	return nil
}
