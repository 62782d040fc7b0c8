package middleware

import (
	"context"
	"sync"
)

// Turns lets a limited number of requests with the same key pass at a time. The others wait, without a connection to the
// database.
type Turns struct {
	limit int
	mu    sync.Mutex
	keys  map[string]*turns
}

// turns are those of a key. The channel holds a value for each request that has one.
type turns struct {
	taken    chan struct{}
	requests int // that have one or wait for it
}

// NewTurns makes turns for so many requests of each key at a time.
func NewTurns(limit int) *Turns { return &Turns{limit: limit, keys: map[string]*turns{}} }

// Acquire waits for a turn of a key. It returns ctx's error if ctx ends first. The caller has to release the turn.
func (t *Turns) Acquire(ctx context.Context, key string) (release func(), err error) {
	of := t.enter(key)
	select {
	case of.taken <- struct{}{}:
		return func() {
			<-of.taken
			t.leave(key, of)
		}, nil
	case <-ctx.Done():
		t.leave(key, of)
		return nil, ctx.Err()
	}
}

func (t *Turns) enter(key string) *turns {
	t.mu.Lock()
	defer t.mu.Unlock()
	of := t.keys[key]
	if of == nil {
		of = &turns{taken: make(chan struct{}, t.limit)}
		t.keys[key] = of
	}
	of.requests++
	return of
}

// leave forgets a key that no request has.
func (t *Turns) leave(key string, of *turns) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if of.requests--; of.requests == 0 {
		delete(t.keys, key)
	}
}
