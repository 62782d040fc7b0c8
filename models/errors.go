package models

import (
	"errors"

	"gorm.io/gorm"
)

// NotFoundError says that there is no such row, or that it is another user's: nobody can tell which.
type NotFoundError struct {
	// Resource is the model's name, for example Task.
	Resource string
}

// Error implements error with a sentence fit for clients.
func (e *NotFoundError) Error() string { return e.Resource + " not found" }

// Found returns the error of a statement that must have met a row, a [NotFoundError] if it met none.
func Found(tx *gorm.DB) error {
	switch {
	case tx.Error != nil && !errors.Is(tx.Error, gorm.ErrRecordNotFound):
		return tx.Error
	case tx.Error != nil || tx.RowsAffected == 0:
		return &NotFoundError{Resource: tx.Statement.Schema.Name}
	}
	return nil
}
