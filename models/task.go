// Package models holds the tables as GORM models, the rules of their fields, and what keeps one user's rows from another.
package models

// TaskInput has the fields of a task that a client sets.
type TaskInput struct {
	Title       string  `json:"title" gorm:"size:200;not null;check:length(title) BETWEEN 1 AND 200" validate:"required,max=200,notblank" sort:"true" doc:"The title, exactly as it was sent." example:"Buy groceries"`
	Description *string `json:"description" gorm:"size:1000;check:length(description) <= 1000" validate:"omitnil,max=1000" doc:"The description, exactly as it was sent, or null where there is none." example:"milk, eggs, bread"`
}

// Task is a row of the table tasks and, through its JSON names, the task that clients see. Its index serves the lists by
// status, in their order.
type Task struct {
	Owner
	TaskInput
	Completed bool `json:"completed" gorm:"not null;default:false;index:idx_tasks_user_completed,expression:user_id\\,completed\\,created_at\\,id" patch:"true" doc:"Whether the task is done. False at creation." example:"false"`
	Timestamps
}

// NewTask makes the task of a user that POST creates.
func NewTask(userID string, in TaskInput) Task {
	return Task{Owner: Owner{UserID: userID}, TaskInput: in}
}
