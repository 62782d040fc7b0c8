package models

import (
	"errors"
	"reflect"
	"time"

	"gorm.io/gorm"
)

// Timestamps are the last columns of an owned model: when a row was created and last changed, and its version. Update
// and Updates of GORM move UpdatedAt and Version; UpdateColumn does not. They take a map of columns, not a struct, of which
// GORM would skip the zero values.
type Timestamps struct {
	CreatedAt time.Time `json:"created_at" gorm:"<-:create;not null;index:,composite:user_created,priority:2"`
	UpdatedAt time.Time `json:"updated_at" gorm:"not null"`
	// Version is 1 at creation and one more at each change.
	Version int64 `json:"-" gorm:"not null;default:1"`
}

// RowVersion returns the version of the row.
func (t Timestamps) RowVersion() int64 { return t.Version }

// ErrStructUpdate is the error of an update by a struct.
var ErrStructUpdate = errors.New("an update of an owned model needs a map of columns")

// Versions is the GORM plugin that counts an update in the version of each row that it changes.
type Versions struct{}

// Name implements [gorm.Plugin].
func (Versions) Name() string { return "taskapi:versions" }

// Initialize implements [gorm.Plugin].
func (v Versions) Initialize(db *gorm.DB) error {
	return db.Callback().Update().Before("gorm:update").Register(v.Name(), v.update)
}

var rowType = reflect.TypeFor[Row]()

func (Versions) update(db *gorm.DB) {
	stmt := db.Statement
	if db.Error != nil || stmt.SkipHooks || stmt.Schema == nil || !stmt.Schema.ModelType.Implements(rowType) {
		return
	}
	columns, ok := stmt.Dest.(map[string]any)
	if !ok {
		_ = db.AddError(ErrStructUpdate)
		return
	}
	columns["version"] = gorm.Expr("version + 1")
}
