package routes

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"gorm.io/gorm/schema"

	"taskapi/routes/bind"
)

// description is what the templates of a resource are filled in from.
type description struct {
	Model, Path       string // Note, /api/notes
	Singular, Plural  string // note, notes
	Filters           []Filter
	Row, Input, Patch bind.Fields // all fields, those of the input, those of PATCH
	Orders            orders
}

// describe describes a resource whose model embeds its input at an index. The words for its rows are those of the model's name
// and of the path. It panics if the declaration of a field or a filter is not sound.
func describe(model *schema.Schema, path string, filters []Filter, inputIndex int) description {
	words := strings.ReplaceAll(schema.NamingStrategy{}.ColumnName("", model.Name), "_", " ")
	plural := strings.ReplaceAll(path[strings.LastIndex(path, "/")+1:], "-", " ")
	row, input, patch := bind.NewFields(model, inputIndex)
	if len(input) == 0 {
		panic(fmt.Sprintf("%s: its input has no fields", model.Name))
	}
	for _, filter := range filters {
		for _, value := range filter.Values {
			for column := range value.Where {
				if model.FieldsByDBName[column] == nil {
					panic(fmt.Sprintf("%s: the filter %q names the column %q, which the model does not have", model.Name, filter.Name, column))
				}
			}
		}
	}
	return description{model.Name, path, words, plural, filters, row, input, patch, newOrders(model, row)}
}

// operation returns the part of the document that the route of an operation has. It stands alone: a route may be left out.
func (d description) operation(name string) string {
	return documentPart(name, d) + documentPart("components", d)
}

// One is the singular with its article.
func (d description) One() string {
	if strings.ContainsAny(d.Singular[:1], "aeiou") {
		return "an " + d.Singular
	}
	return "a " + d.Singular
}

// Fault is what is wrong with a body whose first field has a value of another type.
func (d description) Fault() bind.Fault {
	first, value := d.Input[0], jsontext.Value("7")
	if first.Type != "string" {
		value = jsontext.Value(`"x"`)
	}
	_, wrong := first.Decode(value)
	return wrong.Fault(value, "body", first.JSON)
}

// Faults is the schema of the faults of a body with these fields: the general one, unless a field is not plain text.
func (description) Faults(fields bind.Fields) string {
	for _, f := range fields {
		if !f.Text() {
			return "TypedValidationError"
		}
	}
	return "ValidationError"
}
