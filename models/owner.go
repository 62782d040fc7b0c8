package models

import (
	"errors"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// ownerColumn makes a model an owned one: each row belongs to the user whose id it holds.
const ownerColumn = "user_id"

var (
	// ErrNotConfined fails a statement that could reach the rows of more than one user.
	ErrNotConfined = errors.New("isolation: the statement is not confined by OwnedBy")
	// ErrNoOwner fails the creation of a row that would belong to nobody, and a scope for nobody.
	ErrNoOwner = errors.New("isolation: an owned row needs a user id")
	// ErrUpsert fails an insert that could turn into an update of another user's row.
	ErrUpsert = errors.New("isolation: an owned row cannot be upserted")
)

// OwnedBy is the scope that confines a statement to the rows of one user. Every statement on an owned model needs it.
func OwnedBy(userID string) func(*gorm.DB) *gorm.DB {
	return func(db *gorm.DB) *gorm.DB {
		if userID == "" {
			_ = db.AddError(ErrNoOwner)
			return db
		}
		return db.Where(owner{userID})
	}
}

// AcrossOwners frees a session from the guard, for the work that legitimately spans users, such as migrations.
func AcrossOwners(db *gorm.DB) *gorm.DB {
	return db.Set(acrossOwners, true).Session(&gorm.Session{})
}

const acrossOwners = "taskapi:across_owners"

// owner is the condition that OwnedBy sets. The guard looks for this very type, so what it finds is what confines.
type owner struct{ userID string }

// Build implements [clause.Expression].
func (o owner) Build(builder clause.Builder) {
	builder.WriteQuoted(clause.Column{Table: clause.CurrentTable, Name: ownerColumn})
	_, _ = builder.WriteString(" = ")
	builder.AddVar(builder, o.userID)
}
