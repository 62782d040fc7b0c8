package routes

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/gofiber/fiber/v2"
	"gorm.io/gorm"

	"taskapi/middleware"
	"taskapi/models"
	"taskapi/models/database"
	"taskapi/routes/bind"
)

const headerTotalCount = "X-Total-Count"

// list answers with the caller's rows: all, or a page of them and the link to the next one.
func (h *handlers[T, In]) list(c *fiber.Ctx) error {
	q, badQuery := h.readQuery(c)
	known, badTags := readTags(c, fiber.HeaderIfNoneMatch)
	if err := bind.Join(badQuery, badTags); err != nil {
		return err
	}
	total, err := h.count(c, q)
	if err != nil {
		return err
	}
	list, next, err := h.page(c, q)
	if err != nil {
		return err
	}
	if q.count {
		c.Set(headerTotalCount, strconv.FormatInt(total, 10))
	}
	if next != "" {
		c.Set(fiber.HeaderLink, next)
	}
	if answerUnchanged(c, listTag(c, list), known) {
		return nil
	}
	return list.Send(c)
}

// count returns the number of rows that match, if the request asks for it.
func (h *handlers[T, In]) count(c *fiber.Ctx, q listQuery) (total int64, err error) {
	if !q.count {
		return 0, nil
	}
	err = q.matching(owned(c, h.db).Model(new(T))).Count(&total).Error
	return total, err
}

// page returns the list with its rows, and the link to the next page or "".
func (h *handlers[T, In]) page(c *fiber.Ctx, q listQuery) (list *middleware.List, next string, err error) {
	list = middleware.ListOf(c)
	last, stored, more, err := h.write(list, h.order(q, q.matching(owned(c, h.db).Model(new(T)))), q.limit)
	if more {
		next = nextLink(c, q.limit, cursorAfter(q.order, last, stored))
	}
	return list, next, err
}

// order adds the order of a list to its statement, and of a page its bounds.
func (h *handlers[T, In]) order(q listQuery, statement *gorm.DB) *gorm.DB {
	direction, follows := "", " > "
	if q.order.descending {
		direction, follows = " DESC", " < "
	}
	key := database.SortKeyOf(h.db, q.order.field)
	if q.after != nil {
		statement = statement.Where("("+key.Expression+", id)"+follows+"(?, ?)", q.after.key, q.after.id)
	}
	if q.limit > 0 {
		statement = statement.Limit(q.limit + 1)
		if key.Text != "" {
			statement = statement.Select(append(slices.Clone(h.model.DBNames), key.Text+" AS taskapi_sort_key"))
		}
	}
	return statement.Order(key.Expression + direction + ", id" + direction)
}

// write writes the rows of a query to a list, as an array: at most limit of them, unless that is 0. Each row is encoded as it
// is read, so that the list is in memory once, as it is sent. It returns the last row, the stored text of its sort key if the
// query has that, and whether there are more rows.
func (h *handlers[T, In]) write(list io.Writer, query *gorm.DB, limit int) (last T, stored string, more bool, err error) {
	put := func(text string) {
		if err == nil {
			_, err = io.WriteString(list, text)
		}
	}
	var empty T
	written, start, end := 0, "[", "[]"
	found := query.Find(database.Visit(func(read func(row any, other *string) error) (bool, error) {
		if more = limit > 0 && written == limit; more {
			return false, nil
		}
		put(start)
		written, start, end = written+1, ",", "]"
		last = empty
		if err = errors.Join(err, read(&last, &stored)); err == nil {
			err = json.MarshalWrite(list, &last, jsonOptions)
		}
		return true, err
	}))
	err = cmp.Or(err, found.Error)
	put(end)
	return last, stored, more, err
}

// listTag returns the tag of a list: a digest of its body and of the headers that come from rows.
func listTag(c *fiber.Ctx, list *middleware.List) string {
	digest := sha256.New()
	list.CopyTo(digest)
	for _, header := range []string{fiber.HeaderLink, headerTotalCount} {
		_, _ = digest.Write([]byte{0})
		_, _ = digest.Write(c.Response().Header.Peek(header))
	}
	return `"` + base64.RawURLEncoding.EncodeToString(digest.Sum(nil)) + `"`
}

// owned starts a statement on the caller's rows.
func owned(c *fiber.Ctx, db *gorm.DB) *gorm.DB {
	statement := models.OwnedBy(middleware.UserID(c))(db)
	statement.Statement.Context = c.UserContext() // WithContext would copy the session once more
	return statement
}
