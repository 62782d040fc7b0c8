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

// memo is a second resource, which only tests declare.
type memo struct {
	ID        int64     `json:"id" gorm:"primaryKey"`
	UserID    string    `json:"user_id" gorm:"<-:create;size:255;not null;index"`
	Text      string    `json:"text" gorm:"size:200;not null"`
	CreatedAt time.Time `json:"created_at" gorm:"<-:create;not null"`
	UpdatedAt time.Time `json:"updated_at" gorm:"not null"`
}

// memos handles the requests on memos. One of its operations may leak.
type memos struct {
	db   *gorm.DB
	leak string
}

// withMemos declares memos whose handlers are correct, but for the operation that leaks, if any.
func withMemos(leak string) declared {
	return declared{models: []any{&memo{}}, routes: func(db *gorm.DB) []routes.Route {
		n := memos{db, leak}
		return []routes.Route{
			{Method: fiber.MethodGet, Path: "/api/memos", Handler: n.list},
			{Method: fiber.MethodPost, Path: "/api/memos", Handler: n.create},
			{Method: fiber.MethodGet, Path: "/api/memos/:id", Handler: n.get},
			{Method: fiber.MethodPut, Path: "/api/memos/:id", Handler: n.replace},
			{Method: fiber.MethodDelete, Path: "/api/memos/:id", Handler: n.remove},
		}
	}}
}

// rows begins a statement of an operation: a fresh chain, confined to the caller's rows unless the operation leaks.
func (n memos) rows(c *fiber.Ctx, operation string) *gorm.DB {
	db := n.db.WithContext(c.UserContext())
	if operation == n.leak {
		return models.AcrossOwners(db)
	}
	return db.Scopes(models.OwnedBy(middleware.UserID(c)))
}

func (n memos) list(c *fiber.Ctx) error {
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
	order := "id DESC"
	if c.Query("sort") == "text" {
		query, order = n.rows(c, "sort"), "text"
	}
	list := []memo{}
	if err := query.Order(order).Find(&list).Error; err != nil {
		return err
	}
	if len(list) > 0 && c.Query("limit") != "" {
		c.Set(fiber.HeaderLink, fmt.Sprintf(`<?limit=%s&cursor=%d>; rel="next"`, c.Query("limit"), list[len(list)-1].ID))
	}
	if c.Query("count") == "true" {
		var count int64
		if err := n.rows(c, "count").Model(&memo{}).Count(&count).Error; err != nil {
			return err
		}
		c.Set("X-Total-Count", fmt.Sprint(count))
	}
	return c.JSON(list)
}

func (n memos) create(c *fiber.Ctx) error {
	in, err := readMemo(c)
	if err != nil {
		return err
	}
	row := memo{UserID: middleware.UserID(c), Text: in.Text}
	if n.leak == "create" && in.UserID != "" {
		row.UserID = in.UserID
	}
	if err := models.CreateOwned(c.UserContext(), n.db, row.UserID, &row); err != nil {
		return err
	}
	return c.Status(fiber.StatusCreated).JSON(row)
}

func (n memos) get(c *fiber.Ctx) error {
	var row memo
	err := models.RequireRow(n.rows(c, "get").Where("id = ?", memoID(c)).Take(&row))
	if err != nil && n.leak == "presence" {
		var count int64
		_ = models.AcrossOwners(n.db).Model(&memo{}).Where("id = ?", memoID(c)).Count(&count)
		c.Set("X-Presence", fmt.Sprint(count))
	}
	if err != nil {
		return err
	}
	return c.JSON(row)
}

func (n memos) replace(c *fiber.Ctx) error {
	in, err := readMemo(c)
	if err != nil {
		return err
	}
	operation := "replace"
	if c.Get(fiber.HeaderIfMatch) != "" {
		operation = "replace if"
	}
	var row memo
	update := n.rows(c, operation).Model(&row).Clauses(clause.Returning{}).Where("id = ?", memoID(c))
	if err := models.RequireRow(update.Update("text", in.Text)); err != nil {
		return err
	}
	return c.JSON(row)
}

func (n memos) remove(c *fiber.Ctx) error {
	err := models.RequireRow(n.rows(c, "remove").Where("id = ?", memoID(c)).Delete(&memo{}))
	if err == nil {
		c.Status(fiber.StatusNoContent)
	}
	return err
}

// memoID is the path's id, or 0, which no memo has.
func memoID(c *fiber.Ctx) int64 {
	id, _ := strconv.ParseInt(c.Params("id"), 10, 64)
	return id
}

type memoInput struct {
	Text   string `json:"text"`
	UserID string `json:"user_id"` // for the leak
}

func readMemo(c *fiber.Ctx) (in memoInput, err error) {
	if json.Unmarshal(c.Body(), &in) != nil || in.Text == "" {
		return in, fiber.ErrUnprocessableEntity
	}
	return in, nil
}

// memoDocument returns a new document of the program and its memos.
func memoDocument(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(routes.Document())
	require.NoError(t, err)
	further, err := openapi3.NewLoader().LoadFromData([]byte(memosYAML))
	require.NoError(t, err)
	for path, item := range further.Paths.Map() {
		doc.Paths.Set(path, item)
	}
	return doc
}

const memosYAML = `
openapi: 3.1.0
info: {title: Memos, version: 1.0.0}
paths:
  /api/memos:
    get:
      operationId: list_memos
      parameters:
        - {name: q, in: query, schema: {type: string}, example: Call Ann}
        - {name: limit, in: query, schema: {type: integer, minimum: 1}}
        - {name: cursor, in: query, schema: {type: string}, example: '7'}
        - {name: count, in: query, schema: {type: boolean}}
        - {name: sort, in: query, schema: {type: string, enum: [id, text]}}
      responses: {'200': {description: The memos.}}
    post:
      operationId: create_memo
      requestBody: {$ref: '#/components/requestBodies/Memo'}
      responses: {'201': {description: The memo.}}
  /api/memos/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: integer}}
    get:
      operationId: get_memo
      responses: {'200': {description: The memo.}}
    put:
      operationId: replace_memo
      parameters:
        - {name: If-Match, in: header, schema: {type: string}, example: '*'}
      requestBody: {$ref: '#/components/requestBodies/Memo'}
      responses: {'200': {description: The memo.}}
    delete:
      operationId: delete_memo
      responses: {'204': {description: The memo is gone.}}
components:
  requestBodies:
    Memo:
      content:
        application/json:
          schema: {type: object, properties: {text: {type: string}}}
          examples: {call: {value: {text: Call Ann}}}
`
