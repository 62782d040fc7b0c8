package routes

import (
	"slices"
	"strconv"

	"github.com/gofiber/fiber/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"gorm.io/gorm"

	"taskapi/middleware"
	"taskapi/models"
	"taskapi/models/database"
)

// keptLists is how many forms of a list a resource keeps the statement of: filters, orders, limits and cursors make many.
const keptLists = 64

// listStatements are the statements that read lists, by the forms of their queries.
type listStatements[T models.Row] struct {
	db   *gorm.DB
	kept *lru.Cache[string, *database.Template[T]]
}

func newListStatements[T models.Row](db *gorm.DB) listStatements[T] {
	kept, _ := lru.New[string, *database.Template[T]](keptLists) // an error only for sizes below 1
	return listStatements[T]{db, kept}
}

// run reads the rows of a list: those of the limit, and one more if there is one.
func (l listStatements[T]) run(c *fiber.Ctx, q listQuery, visit database.Visit) error {
	var after []any
	if q.after != nil {
		after = []any{q.after.key, q.after.id}
	}
	if q.search != nil { // seldom the same one twice
		return l.build(q)(l.db.WithContext(c.UserContext()), visit, middleware.UserID(c), after).Error
	}
	form := q.form()
	statement, known := l.kept.Get(form)
	if !known {
		statement = database.NewTemplate[T](l.db, l.build(q))
		l.kept.Add(form, statement)
	}
	return statement.Visit(c.UserContext(), visit, middleware.UserID(c), after...)
}

// form returns a text that queries have in common if their statements differ in nothing but their values.
func (q listQuery) form() string {
	form := make([]byte, 0, 64)
	for _, value := range q.filters {
		form = strconv.AppendQuote(form, value.Value)
	}
	form = strconv.AppendInt(strconv.AppendQuote(form, q.order.name), int64(q.limit), 10)
	if q.after != nil {
		form = append(form, "after"...)
	}
	return string(form)
}

// build returns how GORM builds the statement of a query. Its values are those of the cursor, if there is one.
func (l listStatements[T]) build(q listQuery) func(db *gorm.DB, into any, userID string, after []any) *gorm.DB {
	q.after = nil // is another one at each run
	return func(db *gorm.DB, into any, userID string, after []any) *gorm.DB {
		statement := q.matching(models.OwnedBy(userID)(db.Model(new(T))))
		direction, follows := "", " > "
		if q.order.descending {
			direction, follows = " DESC", " < "
		}
		key := database.SortKeyOf(db, q.order.field)
		if len(after) > 0 {
			statement = statement.Where("("+key.Expression+", id)"+follows+"(?, ?)", after...)
		}
		if q.limit > 0 {
			statement = statement.Limit(q.limit + 1)
			if key.Text != "" {
				statement = statement.Select(append(slices.Clone(q.order.field.Schema.DBNames), key.Text+" AS taskapi_sort_key"))
			}
		}
		return statement.Order(key.Expression + direction + ", id" + direction).Find(into)
	}
}
