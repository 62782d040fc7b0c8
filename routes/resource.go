package routes

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"sync"

	"github.com/gofiber/fiber/v2"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"taskapi/middleware"
	"taskapi/models"
)

// mergePatch is the media type of RFC 7396.
const mergePatch = "application/merge-patch+json"

// handlers answer the requests on the rows of an owned model, each with one statement.
type handlers[T models.Row, In any] struct {
	db           *gorm.DB
	model        *schema.Schema
	path         string
	construct    func(userID string, in In) T
	input, patch fields // what POST and PUT set, and what PATCH does
	filters      []Filter
}

// resource is [Resource], by the name that the table of routes uses.
func resource[T models.Row, In any](db *gorm.DB, path string, construct func(userID string, in In) T, filters ...Filter) []Route {
	model, err := schema.Parse(new(T), &sync.Map{}, schema.NamingStrategy{})
	in := reflect.TypeFor[In]()
	embedded, found := reflect.TypeFor[T]().FieldByName(in.Name())
	if !found || embedded.Type != in || !embedded.Anonymous {
		panic(fmt.Sprintf("%s: does not embed %s", reflect.TypeFor[T]().Name(), in.Name()))
	}
	d := describe(model, path, filters, embedded.Index[0]) // names the field where err does not
	if err != nil {
		panic(fmt.Errorf("the resource %s: %w", path, err))
	}
	h := &handlers[T, In]{db: db, model: model, path: path, construct: construct, filters: filters, input: d.Input, patch: d.Patch}
	return []Route{
		{fiber.MethodGet, path, h.list, d.operation("list")},
		{fiber.MethodPost, path, h.create, d.operation("create")},
		{fiber.MethodGet, path + "/:id", h.get, d.operation("get")},
		{fiber.MethodPut, path + "/:id", h.replace, d.operation("replace")},
		{fiber.MethodPatch, path + "/:id", h.change, d.operation("change")},
		{fiber.MethodDelete, path + "/:id", h.remove, d.operation("delete")},
	}
}

// Resource returns the routes of an owned model: list, create, get, replace, change and delete. The model embeds
// [models.Owner], the struct In of the fields that clients set, and [models.Timestamps]. The constructor makes the row that
// POST creates. PUT sets the fields of In, and PATCH those and the fields of the model with the tag patch:"true". Each route
// is a line of the table like any other: it can be left out or replaced. docs/adding-a-resource.md has the tags; Resource
// panics with the name of a field whose tags are not sound.
// An app that is built outside of this package puts the routes into [Deps].Extra.
func Resource[T models.Row, In any](db *gorm.DB, path string, construct func(userID string, in In) T, filters ...Filter) []Route {
	return resource(db, path, construct, filters...)
}

// owned starts a statement on the caller's rows.
func owned(c *fiber.Ctx, db *gorm.DB) *gorm.DB {
	return db.WithContext(c.UserContext()).Scopes(models.OwnedBy(middleware.UserID(c)))
}

func (h *handlers[T, In]) list(c *fiber.Ctx) error {
	query := owned(c, h.db).Model(new(T))
	for _, filter := range h.filters {
		condition, err := filter.condition(c)
		if err != nil {
			return err
		}
		query = query.Where(condition)
	}
	rows, err := query.Order("created_at DESC, id DESC").Rows()
	if err != nil {
		return err
	}
	return answerRows[T](c, h.model, rows)
}

func (h *handlers[T, In]) create(c *fiber.Ctx) error {
	values, err := h.input.read(c, false, fiber.MIMEApplicationJSON)
	if err != nil {
		return err
	}
	var in In
	h.input.set(reflect.ValueOf(&in).Elem(), values)
	row := h.construct(middleware.UserID(c), in)
	if err := models.CreateOwned(h.db.WithContext(c.UserContext()), middleware.UserID(c), &row); err != nil {
		return err
	}
	c.Set(fiber.HeaderLocation, h.path+"/"+strconv.FormatInt(row.RowID(), 10))
	return c.Status(fiber.StatusCreated).JSON(row)
}

func (h *handlers[T, In]) get(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	return answerRow[T](c, h.db, id)
}

func (h *handlers[T, In]) replace(c *fiber.Ctx) error {
	id, badID := pathID(c)
	values, badBody := h.input.read(c, false, fiber.MIMEApplicationJSON)
	if err := joinFaults(badID, badBody); err != nil {
		return err
	}
	return updateRow[T](c, h.db, id, values)
}

// change is PATCH (RFC 5789), with a JSON Merge Patch (RFC 7396).
func (h *handlers[T, In]) change(c *fiber.Ctx) error {
	id, badID := pathID(c)
	values, badBody := h.patch.read(c, true, fiber.MIMEApplicationJSON, mergePatch)
	if errors.Is(badBody, fiber.ErrUnsupportedMediaType) {
		c.Set("Accept-Patch", mergePatch)
	}
	if err := joinFaults(badID, badBody); err != nil {
		return err
	}
	if len(values) == 0 {
		return answerRow[T](c, h.db, id)
	}
	return updateRow[T](c, h.db, id, values)
}

func (h *handlers[T, In]) remove(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	if err := models.RequireRow(owned(c, h.db).Where("id = ?", id).Delete(new(T))); err != nil {
		return err
	}
	c.Status(fiber.StatusNoContent)
	return nil
}

// answerRow answers with one of the caller's rows.
func answerRow[T models.Row](c *fiber.Ctx, db *gorm.DB, id int64) error {
	var row T
	if err := models.RequireRow(owned(c, db).Where("id = ?", id).Take(&row)); err != nil {
		return err
	}
	return c.JSON(row)
}

// updateRow sets columns of one of the caller's rows, and answers with the row as it then is.
func updateRow[T models.Row](c *fiber.Ctx, db *gorm.DB, id int64, columns map[string]any) error {
	var row T
	update := owned(c, db).Model(&row).Clauses(clause.Returning{}).Where("id = ?", id)
	if err := models.RequireRow(update.Updates(columns)); err != nil {
		return err
	}
	return c.JSON(row)
}
