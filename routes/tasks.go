package routes

import (
	"github.com/gofiber/fiber/v2"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"taskapi/middleware"
	"taskapi/models"
)

var errStatusFilter = &models.Error{
	Status: fiber.StatusBadRequest,
	Detail: "Invalid status filter: must be 'pending', 'completed', or 'all'",
}

// statusFilters maps the values of the parameter status to conditions.
var statusFilters = map[string]map[string]any{
	"all":       {},
	"pending":   {"completed": false},
	"completed": {"completed": true},
}

// tasks has the handlers of the caller's tasks.
type tasks struct{ db *gorm.DB }

func taskRoutes(db *gorm.DB) []Route {
	t := tasks{db}
	return []Route{
		{fiber.MethodGet, "/api/tasks", t.list},
		{fiber.MethodPost, "/api/tasks", t.create},
		{fiber.MethodGet, "/api/tasks/:id", t.get},
		{fiber.MethodPut, "/api/tasks/:id", t.replace},
		{fiber.MethodPatch, "/api/tasks/:id/complete", t.toggle},
		{fiber.MethodDelete, "/api/tasks/:id", t.remove},
	}
}

// owned starts a statement on the caller's tasks.
func (t tasks) owned(c *fiber.Ctx) *gorm.DB {
	return t.db.WithContext(c.UserContext()).Scopes(models.OwnedBy(middleware.UserID(c)))
}

func (t tasks) list(c *fiber.Ctx) error {
	status := []byte("all")
	if given := c.Context().QueryArgs().PeekMulti("status"); len(given) > 0 {
		status = given[len(given)-1]
	}
	filter, known := statusFilters[string(status)]
	if !known {
		return errStatusFilter
	}
	list := []models.Task{}
	if err := t.owned(c).Where(filter).Order("created_at DESC, id DESC").Find(&list).Error; err != nil {
		return err
	}
	return c.JSON(list)
}

func (t tasks) create(c *fiber.Ctx) error {
	in, err := body[models.TaskInput](c)
	if err != nil {
		return err
	}
	task := models.Task{UserID: middleware.UserID(c), Title: in.Title, Description: in.Description}
	if err := models.CreateOwned(t.db.WithContext(c.UserContext()), task.UserID, &task); err != nil {
		return err
	}
	return c.Status(fiber.StatusCreated).JSON(task)
}

func (t tasks) get(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var task models.Task
	if err := models.RequireRow(t.owned(c).Where("id = ?", id).Take(&task)); err != nil {
		return err
	}
	return c.JSON(task)
}

func (t tasks) replace(c *fiber.Ctx) error {
	id, badID := pathID(c)
	in, badBody := body[models.TaskInput](c)
	if err := joinFaults(badID, badBody); err != nil {
		return err
	}
	var task models.Task
	update := t.owned(c).Model(&task).Clauses(clause.Returning{}).Where("id = ?", id)
	if err := models.RequireRow(update.Updates(map[string]any{"title": in.Title, "description": in.Description})); err != nil {
		return err
	}
	return c.JSON(task)
}

func (t tasks) toggle(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var task models.Task
	update := t.owned(c).Model(&task).Clauses(clause.Returning{}).Where("id = ?", id)
	if err := models.RequireRow(update.Update("completed", gorm.Expr("NOT completed"))); err != nil {
		return err
	}
	return c.JSON(task)
}

func (t tasks) remove(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	if err := models.RequireRow(t.owned(c).Where("id = ?", id).Delete(&models.Task{})); err != nil {
		return err
	}
	c.Status(fiber.StatusNoContent)
	return nil
}
