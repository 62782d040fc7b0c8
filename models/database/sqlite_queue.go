package database

import (
	"context"
	"errors"

	"gorm.io/gorm"
)

// queues is the GORM plugin that has statements on an SQLite file wait for their turn in the order in which they came, and
// without a connection: one at a time may write, and as many read as leave it a connection. SQLite by itself has those that
// find the file locked try again now and then, and database/sql picks one of those that wait for a connection at random:
// under load some would wait many times as long as others, and a few until their deadline. SQL text and other programs still do.
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
		callbacks.Row().Before("gorm:row").Register("taskapi:acquire", q.read.acquireForRows),
		// Hooks and associations, which follow, may have statements of their own.
		callbacks.Create().After("gorm:create").Before("gorm:save_after_associations").Register("taskapi:release", q.write.release),
		callbacks.Update().After("gorm:update").Before("gorm:save_after_associations").Register("taskapi:release", q.write.release),
		callbacks.Delete().After("gorm:delete").Before("gorm:after_delete").Register("taskapi:release", q.write.release),
		callbacks.Query().After("gorm:query").Before("gorm:preload").Register("taskapi:release", q.read.release),
	)
}

// queue has room for those whose turn it is. Go serves the others that send to it in order.
type queue chan struct{}

// acquired is the instance setting under which a statement keeps what stops its release by the end of its context.
const acquired = "taskapi:acquired"

// acquire waits for a statement's turn, unless its transaction has had that. The turn ends with the statement's context at
// the latest, so that a panic does not keep all others out.
func (q queue) acquire(db *gorm.DB) {
	if _, inside := db.Statement.ConnPool.(gorm.TxCommitter); inside || db.Error != nil {
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

// acquireForRows waits for the turn of a statement whose rows its caller scans. The turn ends with the statement's context.
// SQL text and contexts without an end have no turn.
func (q queue) acquireForRows(db *gorm.DB) {
	if db.Statement.SQL.Len() == 0 && db.Statement.Context.Done() != nil {
		q.acquire(db)
	}
}

func (q queue) release(db *gorm.DB) {
	if stop, found := db.InstanceGet(acquired); found && stop.(func() bool)() {
		<-q
	}
}
