package routes

import (
	"github.com/gofiber/fiber/v2"
	"gorm.io/gorm"

	"taskapi/models"
)

var statusFilter = Filter{
	Name: "status",
	Doc:  "Which tasks to list. Without it, all are listed. Any value other than these three, the empty one included, gives 400.",
	Values: []FilterValue{
		{"all", "every task", nil},
		{"pending", "tasks that are not completed", map[string]any{"completed": false}},
		{"completed", "tasks that are completed", map[string]any{"completed": true}},
	},
	Refusal: "Invalid status filter: must be 'pending', 'completed', or 'all'",
}

// toggleRoute is the one route that tasks have and other resources do not.
func toggleRoute(db *gorm.DB) Route {
	return Route{fiber.MethodPatch, "/api/tasks/:id/complete", toggleTask(db), documentPart("tasks.yaml", nil)}
}

func toggleTask(db *gorm.DB) fiber.Handler {
	toggle := newRowStatement[models.Task](db, func(row *gorm.DB, _ []any) *gorm.DB {
		return set(row, map[string]any{"completed": gorm.Expr("NOT completed")})
	})
	return func(c *fiber.Ctx) error {
		t, err := targetOf(c, nil)
		if err != nil {
			return err
		}
		task, err := toggle.run(c, t)
		if err != nil {
			return err
		}
		return sendRow(c, task)
	}
}
