package models

import (
	"context"
	"errors"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// ErrNoAccount refuses a new row whose user has no account, or no longer has one.
var ErrNoAccount = Unauthenticated(errors.New("no_account"))

const externalUsers = "taskapi:external_users"

// WithExternalUsers marks a database whose users are in the table of another program: [CreateOwned] adds none.
func WithExternalUsers(db *gorm.DB) *gorm.DB {
	return db.Set(externalUsers, true).Session(&gorm.Session{})
}

// CreateOwned inserts a row of an owned model in one statement. Only a user's first row takes three: the insert fails on
// the foreign key, the user is added, and the insert is made again. Where another program keeps the accounts, no user is
// added. The error is [ErrNoAccount] if the foreign key still does not hold.
func CreateOwned(ctx context.Context, db *gorm.DB, userID string, row any) error {
	return withAccount(ctx, db, userID, func() error {
		insert := db.Clauses()         // starts a statement
		insert.Statement.Context = ctx // WithContext would copy the session
		return Insert(insert, row)
	})
}

// Insert inserts a row. Unlike GORM's Create, it returns an error if the database did not take the row, for example because a trigger
// skipped it.
func Insert(db *gorm.DB, row any) error {
	inserted := db.Create(row)
	if inserted.Error == nil && inserted.RowsAffected == 0 {
		return errors.New("the database did not take the row")
	}
	return inserted.Error
}

// withAccount runs a creation, and once more after it has added the user whose absence made the first one fail.
func withAccount(ctx context.Context, db *gorm.DB, userID string, create func() error) error {
	err := create()
	if _, external := db.Get(externalUsers); !external && errors.Is(err, gorm.ErrForeignKeyViolated) {
		err = db.WithContext(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&User{ID: userID}).Error
		if err != nil {
			return err
		}
		err = create()
	}
	if errors.Is(err, gorm.ErrForeignKeyViolated) {
		return ErrNoAccount
	}
	return err
}
