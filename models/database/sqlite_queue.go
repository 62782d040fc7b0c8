package database

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"gorm.io/gorm"

	"taskapi/models/database/native"
)

// queues are those of the statements on an SQLite file, first come, first served, before they take a connection: one statement
// writes at a time, and sqliteConns-1 read. Without them, SQLite polls a locked file and database/sql picks a waiting request at
// random, so that under load some requests would wait until their deadline. SQL text and GORM's Rows are not queued.
type queues struct{ write, read queue }

func newQueues() queues {
	return queues{write: make(queue, 1), read: make(queue, sqliteConns-1)}
}

// register queues the statements that GORM runs itself, such as a DELETE. [queuedPool] queues those that it is asked to run.
func (q queues) register(db *gorm.DB) error {
	query, create, update, remove := db.Callback().Query(), db.Callback().Create(), db.Callback().Update(), db.Callback().Delete()
	return errors.Join(
		query.Replace("gorm:query", q.read.around(query.Get("gorm:query"))),
		create.Replace("gorm:create", q.write.around(create.Get("gorm:create"))),
		update.Replace("gorm:update", q.write.around(update.Get("gorm:update"))),
		remove.Replace("gorm:delete", q.write.around(remove.Get("gorm:delete"))),
	)
}

// queue has room for the statements that run. Go serves the senders that wait in order.
type queue chan struct{}

// enter waits for a turn. The caller must leave after it, unless there is an error.
func (q queue) enter(ctx context.Context) error {
	select {
	case q <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (q queue) leave() { <-q }

// around returns a callback of GORM's that waits for its turn, unless it is in a transaction.
func (q queue) around(own func(*gorm.DB)) func(*gorm.DB) {
	return func(db *gorm.DB) {
		if _, inside := db.Statement.ConnPool.(gorm.TxCommitter); inside || db.DryRun || db.Error != nil {
			own(db)
			return
		}
		if err := q.enter(db.Statement.Context); err != nil {
			_ = db.AddError(err)
			return
		}
		defer q.leave()
		own(db)
	}
}

// queuedPool is a pool of connections whose users wait in the queues. The turn of a transaction lasts until its end.
type queuedPool struct {
	*sql.DB
	queues  queues
	waiting *waitingWrites
}

// GetDBConn implements [gorm.GetDBConnector].
func (p queuedPool) GetDBConn() (*sql.DB, error) { return p.DB, nil }

// Read implements [native.Queue].
func (p queuedPool) Read(ctx context.Context, run native.OnConn) error {
	return p.use(ctx, p.queues.read, run)
}

// use waits for a turn in a queue, and runs a function on a connection of the driver.
func (p queuedPool) use(ctx context.Context, q queue, run native.OnConn) error {
	if err := q.enter(ctx); err != nil {
		return err
	}
	defer q.leave()
	return p.on(ctx, run)
}

// on runs a function on a connection of the driver.
func (p queuedPool) on(ctx context.Context, run native.OnConn) error {
	conn, err := p.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(conn any) error { return run(ctx, conn) })
}

// BeginTx implements [gorm.ConnPoolBeginner].
func (p queuedPool) BeginTx(ctx context.Context, options *sql.TxOptions) (gorm.ConnPool, error) {
	if err := p.queues.write.enter(ctx); err != nil {
		return nil, err
	}
	tx, err := p.DB.BeginTx(ctx, options)
	if err != nil {
		p.queues.write.leave()
		return nil, err
	}
	return &queuedTx{Tx: tx, leave: sync.OnceFunc(p.queues.write.leave)}, nil
}

// queuedTx is a transaction that ends its turn with its first Commit or Rollback.
type queuedTx struct {
	*sql.Tx
	leave func()
}

// Commit implements [gorm.TxCommitter].
func (t *queuedTx) Commit() error {
	defer t.leave()
	return t.Tx.Commit()
}

// Rollback implements [gorm.TxCommitter].
func (t *queuedTx) Rollback() error {
	defer t.leave()
	return t.Tx.Rollback()
}
