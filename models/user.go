package models

import "time"

// User is the row that the rows of a user reference. It is added with the first of them, and they are deleted with it. The
// table is empty or missing if the accounts are in another table.
type User struct {
	ID        string    `gorm:"size:255;primaryKey;check:chk_users_id,length(id) BETWEEN 1 AND 255"`
	CreatedAt time.Time `gorm:"not null"`
}
