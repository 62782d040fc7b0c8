package models

import (
	"errors"
	"fmt"
	"net/http"

	"gorm.io/gorm"
)

// Error is an error that carries its answer to the client.
type Error struct {
	// Status is the HTTP status of the answer.
	Status int
	// Detail is the answer's member detail. Clients see it.
	Detail any
	// Cause is what the log gets and [errors.Is] finds. Clients never see it. It may be nil.
	Cause error
}

// Error implements error: the cause, or the detail if there is no cause.
func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Cause.Error()
	}
	return fmt.Sprint(e.Detail)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// NotFound returns the 404 of a row that does not exist or belongs to another user: the two look the same.
func NotFound(resource string) *Error {
	return &Error{Status: http.StatusNotFound, Detail: resource + " not found"}
}

// Unauthenticated returns the 401 of a request that names no user with an account. Only the log has the reason.
func Unauthenticated(reason error) *Error {
	return &Error{Status: http.StatusUnauthorized, Detail: "Invalid authentication credentials", Cause: reason}
}

// Unavailable returns the 503 of a request that may succeed later.
func Unavailable(cause error) *Error {
	return &Error{Status: http.StatusServiceUnavailable, Detail: "Service Unavailable", Cause: cause}
}

// RequireRow returns the error of a statement, or [NotFound] if the statement met no row.
func RequireRow(tx *gorm.DB) error {
	switch {
	case tx.Error != nil && !errors.Is(tx.Error, gorm.ErrRecordNotFound):
		return tx.Error
	case tx.Error != nil || tx.RowsAffected == 0:
		return NotFound(tx.Statement.Schema.Name)
	}
	return nil
}
