package models

import (
	"context"
	"errors"

	"gorm.io/gorm"
)

// writers is the GORM plugin that lets one statement at a time write to an SQLite file, in the order in which they came,
// and without a connection while they wait. Left to SQLite, those that find the file locked try again now and then: under
// load some wait many times as long as others, and a few until their deadline. Other programs' writes still go by that.
type writers chan struct{}

// writing is the instance setting under which a statement whose turn it is keeps what calls off its leaving by itself.
const writing = "taskapi:writing"

// Name implements [gorm.Plugin].
func (writers) Name() string { return "taskapi:writers" }

// Initialize implements [gorm.Plugin].
func (w writers) Initialize(db *gorm.DB) error {
	callbacks := db.Callback()
	return errors.Join(
		callbacks.Create().Before("gorm:create").Register("taskapi:enter", w.enter),
		callbacks.Update().Before("gorm:update").Register("taskapi:enter", w.enter),
		callbacks.Delete().Before("gorm:delete").Register("taskapi:enter", w.enter),
		callbacks.Create().After("gorm:create").Register("taskapi:leave", w.leave),
		callbacks.Update().After("gorm:update").Register("taskapi:leave", w.leave),
		callbacks.Delete().After("gorm:delete").Register("taskapi:leave", w.leave),
	)
}

// enter waits for a statement's turn. It also ends with the statement's context, lest a panic keep all others out.
func (w writers) enter(db *gorm.DB) {
	if db.Error != nil {
		return
	}
	ctx := db.Statement.Context
	select {
	case w <- struct{}{}:
		db.InstanceSet(writing, context.AfterFunc(ctx, func() { <-w }))
	case <-ctx.Done():
		_ = db.AddError(ctx.Err())
	}
}

func (w writers) leave(db *gorm.DB) {
	if stop, entered := db.InstanceGet(writing); entered && stop.(func() bool)() {
		<-w
	}
}
