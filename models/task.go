// Package models holds the tables as GORM models, the rules of their fields, and what keeps one user's rows from another.
package models

import "time"

// Task is a row of the table tasks and, through its JSON names, the task that clients see.
//
// Both indexes begin as the list's filters do and end as its order does, so that no list is sorted.
type Task struct {
	ID          int64     `json:"id" gorm:"primaryKey;index:idx_tasks_user_created,priority:3;index:idx_tasks_user_completed,priority:4"`
	UserID      string    `json:"user_id" gorm:"<-:create;size:255;not null;check:chk_tasks_user_id,length(user_id) BETWEEN 1 AND 255;index:idx_tasks_user_created,priority:1;index:idx_tasks_user_completed,priority:1"`
	Title       string    `json:"title" gorm:"size:200;not null;check:chk_tasks_title,length(title) BETWEEN 1 AND 200"`
	Description *string   `json:"description" gorm:"size:1000;check:chk_tasks_description,length(description) <= 1000"`
	Completed   bool      `json:"completed" gorm:"not null;default:false;index:idx_tasks_user_completed,priority:2"`
	CreatedAt   time.Time `json:"created_at" gorm:"<-:create;not null;index:idx_tasks_user_created,priority:2;index:idx_tasks_user_completed,priority:3"`
	UpdatedAt   time.Time `json:"updated_at" gorm:"not null"`
}

// TaskInput is what a client may set of a task. Lengths are in Unicode code points.
type TaskInput struct {
	Title       string  `json:"title" validate:"required,max=200,notblank,excludesrune=\u0000"`
	Description *string `json:"description" validate:"omitnil,max=1000,excludesrune=\u0000"`
}
