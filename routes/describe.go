package routes

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"gorm.io/gorm/schema"
)

// description is what the templates of a resource are filled in from.
type description struct {
	Model, Path                  string // Note, /api/notes
	Singular, Plural             string // note, notes
	Filters                      []Filter
	Row, Input, Patch, PatchOnly fields // all fields, those of the input, those of PATCH, those of PATCH only
}

// describe describes a resource. The words for its rows are those of the model's name and of the path.
func describe(model *schema.Schema, path string, filters []Filter, row, input, patchOnly fields) description {
	words := strings.ReplaceAll(schema.NamingStrategy{}.ColumnName("", model.Name), "_", " ")
	plural := strings.ReplaceAll(path[strings.LastIndex(path, "/")+1:], "-", " ")
	return description{model.Name, path, words, plural, filters, row, input, slices.Concat(input, patchOnly), patchOnly}
}

// operation returns the part of the document that the route of an operation has.
func (d description) operation(name string) string { return documentPart(name, d) }

// One is the singular with its article.
func (d description) One() string {
	if strings.ContainsAny(d.Singular[:1], "aeiou") {
		return "an " + d.Singular
	}
	return "a " + d.Singular
}

// Fault is what is wrong with a body whose first field has a value of another type.
func (d description) Fault() fault {
	first, value := d.Input[0], jsontext.Value("7")
	if first.Type != "string" {
		value = jsontext.Value(`"x"`)
	}
	_, wrong := first.decode(value)
	return newFault(wrong.kind, wrong.msg, value, "body", first.JSON)
}

// Faults is the schema of the faults of a body with these fields: the general one, unless a field is not plain text.
func (all fields) Faults() string {
	if slices.ContainsFunc(all, func(f *field) bool { return !f.Text() }) {
		return "TypedValidationError"
	}
	return "ValidationError"
}
