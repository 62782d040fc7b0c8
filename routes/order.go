package routes

import (
	"context"
	"encoding/base64"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gofiber/fiber/v2"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"taskapi/models"
	"taskapi/models/database"
	"taskapi/routes/bind"
)

// order is an order of a list: by a field, and where that is equal, by id in the same direction.
type order struct {
	name       string // of the field in JSON, after a - if it is descending
	field      *schema.Field
	descending bool
}

// orders are those of a resource. The first one is that of a request that names none.
type orders []order

// newOrders returns the orders by the times of a row, and by its other fields with the tag sort:"true". It panics if one of those may
// be null.
func newOrders(model *schema.Schema, row bind.Fields) (all orders) {
	add := func(name string, field *schema.Field) {
		all = append(all, order{"-" + name, field, true}, order{name, field, false})
	}
	add("created_at", model.LookUpField("created_at"))
	add("updated_at", model.LookUpField("updated_at"))
	for _, f := range row {
		switch {
		case f.Tag.Get("sort") != "true":
		case f.Nullable:
			panic(fmt.Sprintf("%s.%s: lists cannot be sorted by what may be null", model.Name, f.Name))
		default:
			add(f.JSON, f.Field)
		}
	}
	return all
}

// Names returns the names of the orders.
func (all orders) Names() (names []string) {
	for _, o := range all {
		names = append(names, o.name)
	}
	return names
}

// find returns the order of a name, or the first one with the mismatch.
func (all orders) find(name string) (order, *bind.Mismatch) {
	for _, o := range all {
		if o.name == name {
			return o, nil
		}
	}
	return all[0], bind.Choice(name, all.Names())
}

// cursor is the place in an order after which a page starts.
type cursor struct {
	key any // a value of the order's field, or its stored text
	id  int64
}

var errCursor = &models.Error{Status: fiber.StatusBadRequest, Detail: "Invalid cursor"}

// cursorAfter returns the text of the cursor after a row: the order, the row's key in it and its id, as JSON in base64url. The
// stored text stands for the key if there is one.
func cursorAfter[T models.Row](o order, row T, stored string) string {
	var key any = stored
	if stored == "" {
		key, _ = o.field.ValueOf(context.Background(), reflect.ValueOf(row))
	}
	if text, ok := key.(string); ok && len(text) > database.MaxSortText {
		characters := []rune(text)
		key = string(characters[:min(len(characters), database.MaxSortText)])
	}
	text, _ := encodeJSON([]any{o.name, key, row.RowID()}) // of types that JSON has
	return base64.RawURLEncoding.EncodeToString(text)
}

// storedTime matches the start of a time that a database stores as text.
var storedTime = regexp.MustCompile(`^\d{4}-\d\d-\d\d`)

// readCursor reads the text of a cursor. Its error is a 400.
func (o order) readCursor(db *gorm.DB, encoded string) (*cursor, error) {
	var members []jsontext.Value
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || json.Unmarshal(decoded, &members) != nil || len(members) != 3 {
		return nil, errCursor
	}
	text, keyType := reflect.TypeFor[string](), o.field.IndirectFieldType
	stored := database.SortKeyOf(db, o.field).Text != ""
	if stored {
		keyType = text
	}
	name, wrongName := bind.Decode(members[0], text)
	key, wrongKey := bind.Decode(members[1], keyType)
	id, wrongID := bind.Decode(members[2], reflect.TypeFor[int64]())
	keyText, _ := key.(string)
	if wrongName != nil || wrongKey != nil || wrongID != nil || name != o.name || strings.ContainsRune(keyText, 0) ||
		stored && !storedTime.MatchString(keyText) {
		return nil, errCursor
	}
	return &cursor{key, id.(int64)}, nil
}
