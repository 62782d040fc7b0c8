package routes

import (
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"taskapi/models/database"
	"taskapi/routes/bind"
)

const (
	// maxLimit is the limit of a page's rows, and cursorLimit that of a request with a cursor and without a limit.
	maxLimit    = 500
	cursorLimit = 100
	maxSearch   = 200 // characters
)

// listQuery is what a request asks of a list.
type listQuery struct {
	filters []FilterValue
	search  clause.Expression // nil is no search
	order   order
	limit   int // 0 is no limit
	after   *cursor
	count   bool
}

// matching confines a statement to the rows that match, on whatever page.
func (q listQuery) matching(statement *gorm.DB) *gorm.DB {
	for _, value := range q.filters {
		statement = statement.Where(value.Where)
	}
	if q.search != nil {
		statement = statement.Where(q.search)
	}
	return statement
}

// readQuery reads the parameters of a list. Its error is the 400 of a filter or a cursor, or one 422 with the faults of the
// other parameters.
func (h *handlers[T, In]) readQuery(c *fiber.Ctx) (q listQuery, err error) {
	for _, filter := range h.filters {
		value, err := filter.value(c)
		if err != nil {
			return q, err
		}
		q.filters = append(q.filters, value)
	}
	var found []bind.Fault
	read := func(name string, parse func(text string) *bind.Mismatch) {
		if text, given := bind.Parameter(c, name); given {
			if wrong := parse(text); wrong != nil {
				found = append(found, wrong.Fault(bind.Quote(text), "query", name))
			}
		}
	}
	read("limit", func(text string) (wrong *bind.Mismatch) {
		q.limit, wrong = bind.Integer(text, 1, maxLimit)
		return wrong
	})
	q.order = h.orders[0]
	read("sort", func(text string) (wrong *bind.Mismatch) {
		q.order, wrong = h.orders.find(text)
		return wrong
	})
	read("q", func(text string) *bind.Mismatch {
		if strings.TrimSpace(text) != "" {
			q.search = database.Matches(h.db, h.texts, text)
		}
		return bind.Text(text, maxSearch)
	})
	read("count", func(text string) (wrong *bind.Mismatch) {
		q.count, wrong = bind.Bool(text)
		return wrong
	})
	if text, given := bind.Parameter(c, "cursor"); given {
		if q.after, err = q.order.readCursor(h.db, text); err != nil {
			return q, err
		}
		if q.limit == 0 {
			q.limit = cursorLimit
		}
	}
	if found != nil {
		return q, bind.Invalid(found...)
	}
	return q, nil
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
