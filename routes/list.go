package routes

import (
	"database/sql"
	"errors"
	"io"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/gofiber/fiber/v2"
	"gorm.io/gorm/schema"

	"taskapi/middleware"
)

// answerRows answers with an array of a model's rows. Each row is encoded as it is scanned, so that the list is in memory
// once, as it is sent. The answer starts after the last row: a fault before is answered as any other.
func answerRows[T any](c *fiber.Ctx, model *schema.Schema, rows *sql.Rows) error {
	defer rows.Close()
	columns, err := rows.Columns()
	values := make([]any, len(columns))
	for i, name := range columns {
		values[i] = model.LookUpField(name).NewValuePool.Get()
	}
	list := middleware.ListOf(c)
	write := func(text string) {
		if err == nil {
			_, err = io.WriteString(list, text)
		}
	}
	var row, empty T
	write("[")
	for separator := ""; err == nil && rows.Next(); separator = "," {
		row = empty
		err = rows.Scan(values...)
		for i, name := range columns {
			err = errors.Join(err, model.LookUpField(name).Set(c.UserContext(), reflect.ValueOf(&row).Elem(), values[i]))
		}
		write(separator)
		if err == nil {
			err = json.MarshalWrite(list, &row, jsonOptions)
		}
	}
	write("]")
	if err = errors.Join(err, rows.Err()); err != nil {
		return err
	}
	return list.Send(c)
}
