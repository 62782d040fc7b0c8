package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"sync"
	"time"

	"taskapi/models/database/native"
)

// waitingWrites are the statements that wait for their turn to write to an SQLite file. The one that has the next turn runs all
// of them in one transaction, so that the disk is flushed once for all (group commit). None succeeds before the commit.
type waitingWrites struct {
	mu   sync.Mutex
	list []*waitingWrite
}

// waitingWrite is a statement that waits to write.
type waitingWrite struct {
	ctx  context.Context
	run  native.OnConn
	done chan struct{} // is closed once a group has run it, and err is its outcome
	err  error
}

var (
	errRolledBack = errors.New("nothing that the group of statements wrote is there")
	errNotBegun   = errors.New("the group of statements did not get its transaction in time")
	errUncertain  = errors.New("it is not known whether the group of statements was committed")
)

func (l *waitingWrites) add(w *waitingWrite) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, w)
}

// remove ends the wait of a statement, and reports whether it was waiting.
func (l *waitingWrites) remove(w *waitingWrite) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := len(l.list)
	l.list = slices.DeleteFunc(l.list, func(other *waitingWrite) bool { return other == w })
	return len(l.list) < before
}

// take ends the wait of all statements, if w is one of them, and returns them.
func (l *waitingWrites) take(w *waitingWrite) (group []*waitingWrite) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.Contains(l.list, w) {
		group, l.list = l.list, nil
	}
	return group
}

// Write implements [native.Queue]. If a group fails, each of its statements runs again, alone, so that its outcome is its own.
func (p queuedPool) Write(ctx context.Context, run native.OnConn) error {
	own := &waitingWrite{ctx: ctx, run: run, done: make(chan struct{})}
	p.waiting.add(own)
	select {
	case p.queues.write <- struct{}{}:
		return p.lead(own)
	case <-own.done:
	case <-ctx.Done():
		if p.waiting.remove(own) {
			return ctx.Err()
		}
		<-own.done // it is in a group that runs
	}
	switch {
	case errors.Is(own.err, errRolledBack):
		return p.use(ctx, p.queues.write, run)
	case errors.Is(own.err, errNotBegun):
		return p.Write(ctx, run)
	}
	return own.err
}

// lead uses the turn of a statement to run all that wait, unless an earlier turn has already run it.
func (p queuedPool) lead(own *waitingWrite) error {
	defer p.queues.write.leave()
	group := p.waiting.take(own)
	if len(group) > 1 {
		p.commit(group)
	}
	if len(group) == 1 || errors.Is(own.err, errRolledBack) || errors.Is(own.err, errNotBegun) {
		return p.on(own.ctx, own.run)
	}
	return own.err
}

// commit runs statements in one transaction, all of them or none. The transaction gets half of the time that the first of them
// to end has left, so that a slow one is late alone.
func (p queuedPool) commit(group []*waitingWrite) {
	outcome := errNotBegun
	defer func() {
		_ = recover() // a statement that panics does so again when it runs alone
		for _, w := range group {
			w.err = outcome
			close(w.done)
		}
	}()
	first := slices.MinFunc(group, func(a, b *waitingWrite) int { return deadline(a.ctx).Compare(deadline(b.ctx)) })
	_ = p.on(first.ctx, func(ctx context.Context, conn any) error {
		execute := func(ctx context.Context, text string) error {
			_, err := conn.(driver.ExecerContext).ExecContext(ctx, text, nil)
			return err
		}
		err := execute(ctx, "BEGIN IMMEDIATE")
		if err == nil || ctx.Err() == nil { // else the first of them has no time left, but others may
			outcome = errRolledBack
		}
		ctx, cancel := context.WithTimeout(ctx, time.Until(deadline(ctx))/2)
		defer cancel()
		// Any error may have ended the transaction. The statements after it would commit at once.
		for i := 0; i < len(group) && err == nil; i++ {
			err = group[i].run(ctx, conn)
		}
		if err == nil {
			outcome = errUncertain
			err = execute(context.Background(), "COMMIT") // with a deadline it could remain uncertain
			outcome = err
		}
		if err == nil {
			return nil
		}
		if execute(context.Background(), "ROLLBACK") != nil {
			return driver.ErrBadConn // closes the connection: it may still be in the transaction
		}
		if !errors.Is(outcome, errNotBegun) {
			outcome = errRolledBack
		}
		return nil
	})
}

var never = time.Unix(1<<40, 0)

// deadline returns a context's deadline, or never.
func deadline(ctx context.Context) time.Time {
	if at, ok := ctx.Deadline(); ok {
		return at
	}
	return never
}
