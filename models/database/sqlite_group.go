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

// writes are the statements that wait for their turn to write to an SQLite file. The one that has the next turn runs all of
// them in one transaction, so that the disk is flushed once for all (group commit). None returns before the commit.
type writes struct {
	mu   sync.Mutex
	list []*write
}

// write is one statement that writes.
type write struct {
	ctx  context.Context
	run  native.OnConn
	done chan struct{} // is closed once another one's turn has run it, and err is its outcome
	err  error
}

// errRolledBack means that nothing that a group of statements wrote is there.
var errRolledBack = errors.New("the transaction of a group of statements was rolled back")

func (l *writes) add(w *write) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, w)
}

// remove ends the wait of a statement, and reports whether it was waiting.
func (l *writes) remove(w *write) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := len(l.list)
	l.list = slices.DeleteFunc(l.list, func(other *write) bool { return other == w })
	return len(l.list) < before
}

// take ends the wait of all statements, if w is one of them, and returns them.
func (l *writes) take(w *write) (group []*write) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.Contains(l.list, w) {
		group, l.list = l.list, nil
	}
	return group
}

// Write implements [native.Queue]. A statement in a group that fails runs again, alone: its outcome is its own.
func (p queuedPool) Write(ctx context.Context, run native.OnConn) error {
	own := &write{ctx: ctx, run: run, done: make(chan struct{})}
	p.waiting.add(own)
	select {
	case p.queues.write <- struct{}{}:
		p.lead(own)
	case <-own.done:
	case <-ctx.Done():
		if p.waiting.remove(own) {
			return ctx.Err()
		}
		<-own.done // it may be running
	}
	if own.err == errRolledBack { //nolint:errorlint // never wrapped
		return p.use(ctx, p.queues.write, run)
	}
	return own.err
}

// lead uses the turn of a statement for all that wait, unless another one's turn has run it.
func (p queuedPool) lead(own *write) {
	defer p.queues.write.leave()
	switch group := p.waiting.take(own); len(group) {
	case 0:
	case 1:
		own.err = p.on(own.ctx, own.run)
	default:
		p.commit(group)
	}
}

// commit runs statements in one transaction, all of them or none. They end by the first of their deadlines, so that nobody
// waits longer for the statement of another one.
func (p queuedPool) commit(group []*write) {
	first := slices.MinFunc(group, func(a, b *write) int { return deadline(a.ctx).Compare(deadline(b.ctx)) })
	outcome := errRolledBack
	defer func() {
		_ = recover() // the panic of a statement, which has it again when it runs alone
		for _, w := range group {
			w.err = outcome
			close(w.done)
		}
	}()
	_ = p.on(first.ctx, func(ctx context.Context, conn any) error {
		execute := func(ctx context.Context, text string) error {
			_, err := conn.(driver.ExecerContext).ExecContext(ctx, text, nil)
			return err
		}
		err := execute(ctx, "BEGIN IMMEDIATE")
		// Any error may have ended the transaction. The statements after it would commit at once.
		for i := 0; i < len(group) && err == nil; i++ {
			err = group[i].run(ctx, conn)
		}
		if err == nil {
			err = execute(context.Background(), "COMMIT") // with a deadline the outcome could be unknown
			outcome = err
		}
		if err == nil {
			return nil
		}
		if execute(context.Background(), "ROLLBACK") != nil {
			return driver.ErrBadConn // closes the connection: it may still be in the transaction
		}
		outcome = errRolledBack
		return nil
	})
}

// deadline returns that of a context, or a time far away.
func deadline(ctx context.Context) time.Time {
	if at, ok := ctx.Deadline(); ok {
		return at
	}
	return time.Now().Add(time.Hour)
}
