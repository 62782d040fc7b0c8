package database

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"gorm.io/gorm"
)

// queues is the GORM plugin that queues statements on an SQLite file, first come, first served, before they take a connection:
// one statement writes at a time, and sqliteConns-1 read. Without it, SQLite polls a locked file and database/sql picks a
// waiting request at random, so that under load some requests would wait until their deadline. SQL text and GORM's Rows are not
// queued, and transactions are by [queuedPool].
type queues struct{ write, read queue }

func newQueues() queues {
	return queues{write: make(queue, 1), read: make(queue, sqliteConns-1)}
}

// Name implements [gorm.Plugin].
func (queues) Name() string { return "taskapi:queues" }

// Initialize implements [gorm.Plugin].
func (q queues) Initialize(db *gorm.DB) error {
	callbacks := db.Callback()
	return errors.Join(
		callbacks.Create().Before("gorm:create").Register("taskapi:acquire", q.write.acquire),
		callbacks.Update().Before("gorm:update").Register("taskapi:acquire", q.write.acquire),
		callbacks.Delete().Before("gorm:delete").Register("taskapi:acquire", q.write.acquire),
		callbacks.Query().Before("gorm:query").Register("taskapi:acquire", q.read.acquire),
		// Hooks and associations run after the release, because they may have statements of their own.
		callbacks.Create().After("gorm:create").Before("gorm:save_after_associations").Register("taskapi:release", q.write.release),
		callbacks.Update().After("gorm:update").Before("gorm:save_after_associations").Register("taskapi:release", q.write.release),
		callbacks.Delete().After("gorm:delete").Before("gorm:after_delete").Register("taskapi:release", q.write.release),
		callbacks.Query().After("gorm:query").Before("gorm:preload").Register("taskapi:release", q.read.release),
	)
}

// queue has room for the statements that run. Go serves the senders that wait in order.
type queue chan struct{}

// acquired is the name of a statement's setting: the function that stops the release at the end of the context.
const acquired = "taskapi:acquired"

// acquire waits in the queue, unless the statement is in a transaction or is a part of another one. The end of the statement's
// context releases it too, so that a panic does not block the queue.
func (q queue) acquire(db *gorm.DB) {
	if _, inside := db.Statement.ConnPool.(gorm.TxCommitter); inside || db.DryRun || db.Error != nil {
		return
	}
	ctx := db.Statement.Context
	select {
	case q <- struct{}{}:
		db.InstanceSet(acquired, context.AfterFunc(ctx, func() { <-q }))
	case <-ctx.Done():
		_ = db.AddError(ctx.Err())
	}
}

func (q queue) release(db *gorm.DB) {
	if stop, found := db.InstanceGet(acquired); found && stop.(func() bool)() {
		<-q
	}
}

// queuedPool is a pool of connections whose transactions wait in the queue of the statements that write, and have their turn
// until their end.
type queuedPool struct {
	*sql.DB
	write queue
}

// GetDBConn implements [gorm.GetDBConnector].
func (p queuedPool) GetDBConn() (*sql.DB, error) { return p.DB, nil }

// BeginTx implements [gorm.ConnPoolBeginner].
func (p queuedPool) BeginTx(ctx context.Context, options *sql.TxOptions) (gorm.ConnPool, error) {
	select {
	case p.write <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	tx, err := p.DB.BeginTx(ctx, options)
	if err != nil {
		<-p.write
		return nil, err
	}
	return &queuedTx{Tx: tx, write: p.write}, nil
}

// queuedTx is a transaction that ends its turn with its first Commit or Rollback.
type queuedTx struct {
	*sql.Tx
	write   queue
	release sync.Once
}

// Commit implements [gorm.TxCommitter].
func (t *queuedTx) Commit() error {
	defer t.release.Do(func() { <-t.write })
	return t.Tx.Commit()
}

// Rollback implements [gorm.TxCommitter].
func (t *queuedTx) Rollback() error {
	defer t.release.Do(func() { <-t.write })
	return t.Tx.Rollback()
}
