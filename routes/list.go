package routes

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/gofiber/fiber/v2"
	"gorm.io/gorm"

	"taskapi/middleware"
	"taskapi/models"
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
	last, stored, more, err := h.write(c, list, q)
	if more {
		next = nextLink(c, q.limit, cursorAfter(q.order, last, stored))
	}
	return list, next, err
}

// write writes the rows of a query to a list, as an array: at most those of its limit. Each row is encoded as it is read, so that
// the list is in memory once, as it is sent. It returns the last row, the stored text of its sort key if the statement has that, and
// whether there are more rows.
func (h *handlers[T, In]) write(c *fiber.Ctx, list io.Writer, q listQuery) (last T, stored string, more bool, err error) {
	put := func(text string) {
		if err == nil {
			_, err = io.WriteString(list, text)
		}
	}
	var empty T
	written, start, end := 0, "[", "[]"
	failed := h.lists.run(c, q, func(read func(row any, other *string) error) (bool, error) {
		if more = q.limit > 0 && written == q.limit; more {
			return false, nil
		}
		put(start)
		written, start, end = written+1, ",", "]"
		last = empty
		if err = errors.Join(err, read(&last, &stored)); err == nil {
			err = json.MarshalWrite(list, &last, jsonOptions)
		}
		return true, err
	})
	err = cmp.Or(err, failed)
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
	return models.OwnedBy(middleware.UserID(c))(db.WithContext(c.UserContext()))
}
