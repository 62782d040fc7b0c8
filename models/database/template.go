package database

import (
	"gorm.io/gorm"

	"taskapi/models/database/native"
)

// Prepared is a statement on a user's rows that GORM builds once.
type Prepared[T any] = native.Prepared[T]

// Prepare returns a statement that is built at its first run.
func Prepare[T any](db *gorm.DB, build native.Build[T]) *Prepared[T] {
	return native.Prepare(db, build)
}
