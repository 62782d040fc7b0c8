package routes

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"sync"

	"github.com/gofiber/fiber/v2"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"taskapi/middleware"
	"taskapi/models"
	"taskapi/routes/bind"
)

// mergePatch is the media type of RFC 7396.
const mergePatch = "application/merge-patch+json"

// handlers answer the requests on the rows of an owned model, each with one statement unless a key, a count, or a precondition
// that fails asks for more.
type handlers[T models.Row, In any] struct {
	db           *gorm.DB
	path         string
	construct    func(userID string, in In) T
	input, patch bind.Fields // what POST and PUT set, and what PATCH does
	filters      []Filter
	orders       orders
	texts        []*schema.Field   // that q looks into
	turns        *middleware.Turns // of idempotency keys
	find, delete rowStatement[T]
	updates      updates[T]
	lists        listStatements[T]
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
	h := &handlers[T, In]{
		db: db, path: path, construct: construct, filters: filters, input: d.Input, patch: d.Patch, orders: d.Orders,
		turns: middleware.NewTurns(1), updates: newUpdates[T](db), lists: newListStatements[T](db),
		find: newRowStatement[T](db, find), delete: newRowStatement[T](db, remove),
	}
	for _, f := range d.Row {
		if f.Text() {
			h.texts = append(h.texts, f.Field)
		}
	}
	return []Route{
		{fiber.MethodPost, path, h.create, d.operation("create")},
		{fiber.MethodGet, path, h.list, d.operation("list")},
		{fiber.MethodGet, path + "/:id", h.get, d.operation("get")},
		{fiber.MethodPatch, path + "/:id", h.change, d.operation("change")},
		{fiber.MethodPut, path + "/:id", h.replace, d.operation("replace")},
		{fiber.MethodDelete, path + "/:id", h.remove, d.operation("delete")},
	}
}

// Resource returns the routes of an owned model: create, list, get, change, replace and delete. The model embeds
// [models.Owner], the struct In of the fields that clients set, and [models.Timestamps]. The constructor makes the row that
// POST creates. PUT sets the fields of In, and PATCH those and the fields of the model with the tag patch:"true". Each route
// is a line of the table like any other: it can be left out or replaced. docs/adding-a-resource.md has the tags; Resource
// panics with the name of a field whose tags are not sound.
// An app that is built outside of this package puts the routes into [Deps].Extra.
func Resource[T models.Row, In any](db *gorm.DB, path string, construct func(userID string, in In) T, filters ...Filter) []Route {
	return resource(db, path, construct, filters...)
}

func (h *handlers[T, In]) create(c *fiber.Ctx) error {
	values, badBody := h.input.Read(c, false, fiber.MIMEApplicationJSON)
	key, badKey := idempotencyKey(c, h.path)
	if err := bind.Join(badBody, badKey); err != nil {
		return err
	}
	var in In
	h.input.Set(reflect.ValueOf(&in).Elem(), values)
	row := h.construct(middleware.UserID(c), in)
	if key != nil {
		return h.createOnce(c, *key, row)
	}
	if err := models.CreateOwned(c.UserContext(), h.db, middleware.UserID(c), &row); err != nil {
		return err
	}
	created, err := h.created(row)
	if err != nil {
		return err
	}
	return sendCreated(c, created)
}

// created returns the answer to the POST that created a row.
func (h *handlers[T, In]) created(row T) (models.Created, error) {
	body, err := encodeJSON(&row)
	location := h.path + "/" + strconv.FormatInt(row.RowID(), 10)
	return models.Created{Location: location, ETag: versionTag(row.RowVersion()), Body: string(body)}, err
}

func sendCreated(c *fiber.Ctx, created models.Created) error {
	c.Set(fiber.HeaderLocation, created.Location)
	c.Set(fiber.HeaderETag, created.ETag)
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	return c.Status(fiber.StatusCreated).SendString(created.Body)
}

func (h *handlers[T, In]) get(c *fiber.Ctx) error {
	id, badID := bind.PathID(c)
	known, badTags := readTags(c, fiber.HeaderIfNoneMatch)
	if err := bind.Join(badID, badTags); err != nil {
		return err
	}
	row, err := h.find.run(c, target{id: id})
	if err != nil {
		return err
	}
	if answerUnchanged(c, versionTag(row.RowVersion()), known) {
		return nil
	}
	return c.JSON(&row)
}

func (h *handlers[T, In]) replace(c *fiber.Ctx) error {
	values, badBody := h.input.Read(c, false, fiber.MIMEApplicationJSON)
	t, err := targetOf(c, badBody)
	if err != nil {
		return err
	}
	return h.update(c, t, values)
}

// change is PATCH (RFC 5789), with a JSON Merge Patch (RFC 7396).
func (h *handlers[T, In]) change(c *fiber.Ctx) error {
	values, badBody := h.patch.Read(c, true, fiber.MIMEApplicationJSON, mergePatch)
	if errors.Is(badBody, fiber.ErrUnsupportedMediaType) {
		c.Set("Accept-Patch", mergePatch)
	}
	t, err := targetOf(c, badBody)
	if err != nil {
		return err
	}
	if len(values) > 0 {
		return h.update(c, t, values)
	}
	row, err := h.find.run(c, t)
	if err != nil {
		return err
	}
	return sendRow(c, row)
}

// update sets columns of one of the caller's rows, and answers with the row as it then is.
func (h *handlers[T, In]) update(c *fiber.Ctx, t target, given map[string]any) error {
	columns, values := make([]string, 0, len(given)), make([]any, 0, len(given))
	for _, f := range h.patch { // has the fields of the input, too
		if value, found := given[f.DBName]; found {
			columns, values = append(columns, f.DBName), append(values, value)
		}
	}
	row, err := h.updates.forColumns(columns).run(c, t, values...)
	if err != nil {
		return err
	}
	return sendRow(c, row)
}

func (h *handlers[T, In]) remove(c *fiber.Ctx) error {
	t, err := targetOf(c, nil)
	if err != nil {
		return err
	}
	if _, err := h.delete.run(c, t); err != nil {
		return err
	}
	c.Status(fiber.StatusNoContent)
	return nil
}

// sendRow answers with a row and its version's tag.
func sendRow[T models.Row](c *fiber.Ctx, row T) error {
	c.Set(fiber.HeaderETag, versionTag(row.RowVersion()))
	return c.JSON(&row)
}
