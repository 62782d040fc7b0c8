package routes

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
	"gorm.io/gorm"

	"taskapi/models/database"
)

const (
	// maxLimit is the limit of a page's rows, and cursorLimit that of a request with a cursor and without a limit.
	maxLimit    = 500
	cursorLimit = 100
)

// listQuery is what a request asks of a list.
type listQuery struct {
	where []any // conditions of GORM
	order order
	limit int // 0 is no limit
	after *cursor
	count bool
}

// matching confines a statement to the rows that match, on whatever page.
func (q listQuery) matching(statement *gorm.DB) *gorm.DB {
	for _, condition := range q.where {
		statement = statement.Where(condition)
	}
	return statement
}

// parameter returns the value of a query parameter, of a repeated one the last.
func parameter(c *fiber.Ctx, name string) (text string, given bool) {
	values := c.Context().QueryArgs().PeekMulti(name)
	if len(values) == 0 {
		return "", false
	}
	return string(values[len(values)-1]), true
}

// readQuery reads the parameters of a list. Its error is the 400 of a filter or a cursor, or one 422 with the faults of the
// other parameters.
func (h *handlers[T, In]) readQuery(c *fiber.Ctx) (q listQuery, err error) {
	for _, filter := range h.filters {
		condition, err := filter.condition(c)
		if err != nil {
			return q, err
		}
		q.where = append(q.where, condition)
	}
	var found []fault
	read := func(name string, read func(text string) *mismatch) {
		if text, given := parameter(c, name); given {
			if wrong := read(text); wrong != nil {
				found = append(found, newFault(wrong.kind, wrong.msg, quote(text), "query", name))
			}
		}
	}
	read("limit", func(text string) (wrong *mismatch) {
		q.limit, wrong = readLimit(text)
		return wrong
	})
	q.order = h.orders[0]
	read("sort", func(text string) (wrong *mismatch) {
		q.order, wrong = h.orders.find(text)
		return wrong
	})
	read("q", func(text string) *mismatch {
		if strings.TrimSpace(text) != "" {
			q.where = append(q.where, database.Matches(h.db, h.texts, text))
		}
		return checkSearch(text)
	})
	read("count", func(text string) *mismatch {
		if q.count = text == "true"; !q.count && text != "false" {
			return &mismatch{"bool_parsing", "Input should be a valid boolean, unable to interpret input"}
		}
		return nil
	})
	if text, given := parameter(c, "cursor"); given {
		if q.after, err = q.order.readCursor(h.db, text); err != nil {
			return q, err
		}
		if q.limit == 0 {
			q.limit = cursorLimit
		}
	}
	if found != nil {
		return q, invalid(found...)
	}
	return q, nil
}

func readLimit(text string) (int, *mismatch) {
	limit, err := strconv.Atoi(text) // the nearest integer, if the number is out of range
	switch {
	case errors.Is(err, strconv.ErrSyntax):
		return 0, &notParsed
	case limit < 1:
		return 0, &mismatch{"greater_than_equal", "Input should be greater than or equal to 1"}
	case limit > maxLimit:
		return 0, &mismatch{"less_than_equal", "Input should be less than or equal to " + strconv.Itoa(maxLimit)}
	}
	return limit, nil
}

// searchRules are those of the parameter q.
var searchRules = field{kind: kinds[reflect.TypeFor[string]()], checks: "max=200,excludesrune=\x00"}

func checkSearch(text string) *mismatch {
	if !utf8.ValidString(text) {
		return &mismatch{"value_error", "Value error, must be UTF-8"}
	}
	return searchRules.check(text)
}

// nextLink returns the Link to the next page (RFC 8288): the request's query with another cursor, relative to its path.
func nextLink(c *fiber.Ctx, limit int, cursor string) string {
	query := fasthttp.AcquireArgs()
	defer fasthttp.ReleaseArgs(query)
	c.Context().QueryArgs().CopyTo(query)
	query.Del("limit")
	query.Del("cursor")
	query.SetUint("limit", limit)
	query.Set("cursor", cursor)
	return "<?" + query.String() + `>; rel="next"`
}
