package models

import "time"

// User is the row that a user's tasks hang on: it appears with the first of them, and takes them along when it is deleted.
// Where another table holds the accounts, there are no users of ours.
type User struct {
	ID        string    `gorm:"size:255;primaryKey;check:chk_users_id,length(id) BETWEEN 1 AND 255"`
	CreatedAt time.Time `gorm:"not null"`
}
