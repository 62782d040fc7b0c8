package routes

import (
	"strings"

	"github.com/gofiber/fiber/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"taskapi/middleware"
	"taskapi/models"
	"taskapi/models/database"
)

// rowStatement is a statement that returns one of the caller's rows. With If-Match its text is another.
type rowStatement[T models.Row] struct {
	db             *gorm.DB
	plain, matched *database.Template[T]
}

// newRowStatement returns a statement that GORM builds once. The function build gets the start of it and the further values of a run.
func newRowStatement[T models.Row](db *gorm.DB, build func(row *gorm.DB, values []any) *gorm.DB) rowStatement[T] {
	return rowStatement[T]{
		db: db,
		plain: database.NewTemplate[T](db, func(db *gorm.DB, row any, userID string, values []any) *gorm.DB {
			return build(rowOf(db.Model(row), userID, values[0]), values[1:])
		}),
		matched: database.NewTemplate[T](db, func(db *gorm.DB, row any, userID string, values []any) *gorm.DB {
			return build(rowOf(db.Model(row), userID, values[0]).Where(versionIn, values[1]), values[2:])
		}),
	}
}

// rowOf starts a statement on a row of a user.
func rowOf(db *gorm.DB, userID string, id any) *gorm.DB {
	return db.Scopes(models.OwnedBy(userID)).Where("id = ?", id)
}

// versionIn is the condition that a row has one of the versions of If-Match. It is one text for any number of them: the connections
// keep a prepared statement for each text.
const versionIn = `? LIKE '%"' || version || '"%'`

// find reads the row.
func find(row *gorm.DB, _ []any) *gorm.DB { return row.Find(row.Statement.Model) }

// set sets columns of the row, and reads it as it then is.
func set(row *gorm.DB, columns map[string]any) *gorm.DB {
	return row.Clauses(clause.Returning{}).Updates(columns)
}

// remove deletes the row, and reads its id.
func remove(row *gorm.DB, _ []any) *gorm.DB {
	return row.Clauses(clause.Returning{Columns: []clause.Column{{Name: "id"}}}).Delete(row.Statement.Model)
}

// run runs the statement on a target. The error is also the 404 or 412 of one that met no row.
func (s rowStatement[T]) run(c *fiber.Ctx, t target, values ...any) (row T, err error) {
	template, all := s.plain, append(make([]any, 0, len(values)+2), t.id)
	if t.conditional() {
		template, all = s.matched, append(all, t.versions())
	}
	found, err := template.Run(c.UserContext(), &row, middleware.UserID(c), append(all, values...)...)
	return row, requireRow[T](c, s.db, t, found, err)
}

// keptUpdates is how many sets of columns a resource keeps the statement of that updates them: a client may send any set.
const keptUpdates = 64

// updates are the statements that update columns of a row, by the columns.
type updates[T models.Row] struct {
	db   *gorm.DB
	kept *lru.Cache[string, rowStatement[T]]
}

func newUpdates[T models.Row](db *gorm.DB) updates[T] {
	kept, _ := lru.New[string, rowStatement[T]](keptUpdates) // an error only for sizes below 1
	return updates[T]{db, kept}
}

// forColumns returns the statement that updates columns. It runs with their values, in their order.
func (u updates[T]) forColumns(columns []string) rowStatement[T] {
	key := strings.Join(columns, " ")
	statement, known := u.kept.Get(key)
	if !known {
		statement = newRowStatement[T](u.db, func(row *gorm.DB, values []any) *gorm.DB {
			changes := make(map[string]any, len(columns)+1)
			for i, column := range columns {
				changes[column] = values[i]
			}
			return set(row, changes)
		})
		u.kept.Add(key, statement)
	}
	return statement
}
