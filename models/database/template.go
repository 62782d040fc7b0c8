package database

import (
	"gorm.io/gorm"

	"taskapi/models/database/native"
)

// Template is a statement on a user's rows, with places for its values, that GORM builds once.
type Template[T any] = native.Template[T]

// NewTemplate returns a template that is built at its first run.
func NewTemplate[T any](db *gorm.DB, build native.Build) *Template[T] {
	return native.NewTemplate[T](db, build)
}
