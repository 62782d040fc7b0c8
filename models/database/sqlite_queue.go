package database

import (
	"context"
	"errors"

	"gorm.io/gorm"
)

// lines is the GORM plugin that has statements on an SQLite file wait for their turn in the order in which they came, and
// without a connection: one at a time may write, and as many read as leave it a connection. Left to SQLite, those that find
// the file locked try again now and then, and left to database/sql, one that waits for a connection is picked at random:
// under load some wait many times as long as others, and a few until their deadline. SQL text and other programs do so still.
type lines struct{ write, read line }

// Name implements [gorm.Plugin].
func (lines) Name() string { return "taskapi:lines" }

// Initialize implements [gorm.Plugin].
func (l lines) Initialize(db *gorm.DB) error {
	callbacks := db.Callback()
	return errors.Join(
		callbacks.Create().Before("gorm:create").Register("taskapi:enter", l.write.enter),
		callbacks.Update().Before("gorm:update").Register("taskapi:enter", l.write.enter),
		callbacks.Delete().Before("gorm:delete").Register("taskapi:enter", l.write.enter),
		callbacks.Query().Before("gorm:query").Register("taskapi:enter", l.read.enter),
		// Hooks and associations, which follow, may have statements of their own.
		callbacks.Create().After("gorm:create").Before("gorm:save_after_associations").Register("taskapi:leave", l.write.leave),
		callbacks.Update().After("gorm:update").Before("gorm:save_after_associations").Register("taskapi:leave", l.write.leave),
		callbacks.Delete().After("gorm:delete").Before("gorm:after_delete").Register("taskapi:leave", l.write.leave),
		callbacks.Query().After("gorm:query").Before("gorm:preload").Register("taskapi:leave", l.read.leave),
	)
}

// line has room for those whose turn it is; Go serves the others that send to it in order.
type line chan struct{}

// turn is the instance setting under which a statement whose turn it is keeps what calls off its leaving by itself.
const turn = "taskapi:turn"

// enter waits for a statement's turn, unless its transaction has had that. The turn ends with the statement's context at
// the latest, lest a panic keep all others out.
func (l line) enter(db *gorm.DB) {
	if _, inside := db.Statement.ConnPool.(gorm.TxCommitter); inside || db.Error != nil {
		return
	}
	ctx := db.Statement.Context
	select {
	case l <- struct{}{}:
		db.InstanceSet(turn, context.AfterFunc(ctx, func() { <-l }))
	case <-ctx.Done():
		_ = db.AddError(ctx.Err())
	}
}

func (l line) leave(db *gorm.DB) {
	if stop, entered := db.InstanceGet(turn); entered && stop.(func() bool)() {
		<-l
	}
}
