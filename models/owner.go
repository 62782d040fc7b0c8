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
	// ErrNoOwner fails the creation of a row that would belong to nobody or is not a struct of its model, and a scope for nobody.
	ErrNoOwner = errors.New("isolation: an owned row needs a user id")
	// ErrUpsert fails an insert that could turn into an update of another user's row.
	ErrUpsert = errors.New("isolation: an owned row cannot be upserted")
)

// Owner makes a model an owned one: each row belongs to the user whose id it has, and is deleted with that user. A model
// embeds it first, then the struct of its input, its further fields, and [Timestamps]. The index of Owner serves every list
// of a user's rows, newest first.
type Owner struct {
	ID     int64  `json:"id" gorm:"primaryKey;index:,composite:user_created,priority:3"`
	UserID string `json:"user_id" gorm:"<-:create;size:255;not null;check:length(user_id) BETWEEN 1 AND 255;index:,composite:user_created,priority:1"`
}

// RowID returns the id of the row.
func (o Owner) RowID() int64 { return o.ID }

// Row is what the model of a resource implements by embedding [Owner] and [Timestamps].
type Row interface {
	RowID() int64
	RowVersion() int64
}

// OwnedBy is the scope that confines a statement to the rows of one user. Every statement on an owned model needs it.
func OwnedBy(userID string) func(*gorm.DB) *gorm.DB {
	return func(db *gorm.DB) *gorm.DB {
		db = db.Clauses(clause.Where{Exprs: []clause.Expression{ownerIs{userID}}}) // Where would copy the condition thrice
		if userID == "" {
			_ = db.AddError(ErrNoOwner)
		}
		return db
	}
}

// AcrossOwners frees a session from the guard, for the work that legitimately spans users, such as migrations.
func AcrossOwners(db *gorm.DB) *gorm.DB {
	return db.Set(acrossOwners, true).Session(&gorm.Session{})
}

const acrossOwners = "taskapi:across_owners"

// ownerIs is the condition that OwnedBy sets. The guard looks for this type, so that what it finds is what confines.
type ownerIs struct{ userID string }

// ownerOfTable is an interface already, so that a statement need not make one.
var ownerOfTable any = clause.Column{Table: clause.CurrentTable, Name: ownerColumn}

// Build implements [clause.Expression].
func (o ownerIs) Build(builder clause.Builder) {
	builder.WriteQuoted(ownerOfTable)
	_, _ = builder.WriteString(" = ")
	builder.AddVar(builder, o.userID)
}
