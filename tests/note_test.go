package tests

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"taskapi/middleware"
	"taskapi/models"
	"taskapi/routes"
)

// note is a second resource, which only tests declare.
type note struct {
	ID        int64     `json:"id" gorm:"primaryKey"`
	UserID    string    `json:"user_id" gorm:"<-:create;size:255;not null;index"`
	Text      string    `json:"text" gorm:"size:200;not null"`
	CreatedAt time.Time `json:"created_at" gorm:"<-:create;not null"`
	UpdatedAt time.Time `json:"updated_at" gorm:"not null"`
}

// notes handles the requests on notes. One of its operations may leak.
type notes struct {
	db   *gorm.DB
	leak string
}

// withNotes declares notes whose handlers are correct, but for the operation that leaks, if any.
func withNotes(leak string) declared {
	return declared{models: []any{&note{}}, routes: func(db *gorm.DB) []routes.Route {
		n := notes{db, leak}
		return []routes.Route{
			{Method: fiber.MethodGet, Path: "/api/notes", Handler: n.list},
			{Method: fiber.MethodPost, Path: "/api/notes", Handler: n.create},
			{Method: fiber.MethodGet, Path: "/api/notes/:id", Handler: n.get},
			{Method: fiber.MethodPut, Path: "/api/notes/:id", Handler: n.replace},
			{Method: fiber.MethodDelete, Path: "/api/notes/:id", Handler: n.remove},
		}
	}}
}

// rows begins a statement of an operation: a fresh chain, confined to the caller's rows unless the operation leaks.
func (n notes) rows(c *fiber.Ctx, operation string) *gorm.DB {
	db := n.db.WithContext(c.UserContext())
	if operation == n.leak {
		return models.AcrossOwners(db)
	}
	return db.Scopes(models.OwnedBy(middleware.UserID(c)))
}

func (n notes) list(c *fiber.Ctx) error {
	query := n.rows(c, "list")
	if text := c.Query("q"); text != "" {
		query = n.rows(c, "search").Where("text = ?", text)
	}
	if cursor := c.Query("cursor"); cursor != "" {
		query = n.rows(c, "page").Where("id < ?", c.QueryInt("cursor"))
	}
	if limit := c.QueryInt("limit"); limit > 0 {
		query = query.Limit(limit)
	}
	list := []note{}
	if err := query.Order("id DESC").Find(&list).Error; err != nil {
		return err
	}
	if len(list) > 0 && c.Query("limit") != "" {
		c.Set(fiber.HeaderLink, fmt.Sprintf(`</api/notes?limit=%s&cursor=%d>; rel="next"`, c.Query("limit"), list[len(list)-1].ID))
	}
	if c.Query("count") == "true" {
		var count int64
		if err := n.rows(c, "count").Model(&note{}).Count(&count).Error; err != nil {
			return err
		}
		c.Set("X-Total-Count", fmt.Sprint(count))
	}
	return c.JSON(list)
}

func (n notes) create(c *fiber.Ctx) error {
	in, err := readNote(c)
	if err != nil {
		return err
	}
	row := note{UserID: middleware.UserID(c), Text: in.Text}
	if n.leak == "create" && in.UserID != "" {
		row.UserID = in.UserID
	}
	if err := models.CreateOwned(n.db.WithContext(c.UserContext()), row.UserID, &row); err != nil {
		return err
	}
	return c.Status(fiber.StatusCreated).JSON(row)
}

func (n notes) get(c *fiber.Ctx) error {
	var row note
	err := models.RequireRow(n.rows(c, "get").Where("id = ?", noteID(c)).Take(&row))
	if err != nil && n.leak == "presence" {
		var count int64
		_ = models.AcrossOwners(n.db).Model(&note{}).Where("id = ?", noteID(c)).Count(&count)
		c.Set("X-Presence", fmt.Sprint(count))
	}
	if err != nil {
		return err
	}
	return c.JSON(row)
}

func (n notes) replace(c *fiber.Ctx) error {
	in, err := readNote(c)
	if err != nil {
		return err
	}
	operation := "replace"
	if c.Get(fiber.HeaderIfMatch) != "" {
		operation = "replace if"
	}
	var row note
	update := n.rows(c, operation).Model(&row).Clauses(clause.Returning{}).Where("id = ?", noteID(c))
	if err := models.RequireRow(update.Update("text", in.Text)); err != nil {
		return err
	}
	return c.JSON(row)
}

func (n notes) remove(c *fiber.Ctx) error {
	err := models.RequireRow(n.rows(c, "remove").Where("id = ?", noteID(c)).Delete(&note{}))
	if err == nil {
		c.Status(fiber.StatusNoContent)
	}
	return err
}

// noteID is the path's id, or 0, which no note has.
func noteID(c *fiber.Ctx) int64 {
	id, _ := strconv.ParseInt(c.Params("id"), 10, 64)
	return id
}

type noteInput struct {
	Text   string `json:"text"`
	UserID string `json:"user_id"` // for the leak
}

func readNote(c *fiber.Ctx) (in noteInput, err error) {
	if json.Unmarshal(c.Body(), &in) != nil || in.Text == "" {
		return in, fiber.ErrUnprocessableEntity
	}
	return in, nil
}

// noteDocument returns a new document of the program and its notes.
func noteDocument(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("../routes/openapi.yaml")
	require.NoError(t, err)
	further, err := openapi3.NewLoader().LoadFromData([]byte(notesYAML))
	require.NoError(t, err)
	for path, item := range further.Paths.Map() {
		doc.Paths.Set(path, item)
	}
	return doc
}

const notesYAML = `
openapi: 3.1.0
info: {title: Notes, version: 1.0.0}
paths:
  /api/notes:
    get:
      operationId: list_notes
      parameters:
        - {name: q, in: query, schema: {type: string}, example: Call Ann}
        - {name: limit, in: query, schema: {type: integer, minimum: 1}}
        - {name: cursor, in: query, schema: {type: string}, example: '7'}
        - {name: count, in: query, schema: {type: boolean}}
      responses: {'200': {description: The notes.}}
    post:
      operationId: create_note
      requestBody: {$ref: '#/components/requestBodies/Note'}
      responses: {'201': {description: The note.}}
  /api/notes/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: integer}}
    get:
      operationId: get_note
      responses: {'200': {description: The note.}}
    put:
      operationId: replace_note
      parameters:
        - {name: If-Match, in: header, schema: {type: string}, example: '*'}
      requestBody: {$ref: '#/components/requestBodies/Note'}
      responses: {'200': {description: The note.}}
    delete:
      operationId: delete_note
      responses: {'204': {description: The note is gone.}}
components:
  requestBodies:
    Note:
      content:
        application/json:
          schema: {type: object, properties: {text: {type: string}}}
          examples: {call: {value: {text: Call Ann}}}
`
