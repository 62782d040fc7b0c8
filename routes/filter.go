package routes

import (
	"github.com/gofiber/fiber/v2"

	"taskapi/models"
	"taskapi/routes/bind"
)

// Filter is a query parameter that narrows the list of a resource to the rows with certain values in some columns.
type Filter struct {
	// Name is the parameter's, and Doc what the document says of it.
	Name, Doc string
	// Values are those that the parameter may have. The first one counts if the parameter is absent.
	Values []FilterValue
	// Refusal is the detail of the 400 that any other value is answered with.
	Refusal string
}

// FilterValue is a value of a [Filter].
type FilterValue struct {
	Value, Doc string
	// Where are the columns' values of the rows that remain: constants. Empty, it leaves all of them.
	Where map[string]any
}

// value returns the value that a request asks for.
func (f Filter) value(c *fiber.Ctx) (FilterValue, error) {
	given, found := bind.Parameter(c, f.Name)
	if !found {
		return f.Values[0], nil
	}
	for _, v := range f.Values {
		if given == v.Value {
			return v, nil
		}
	}
	return FilterValue{}, &models.Error{Status: fiber.StatusBadRequest, Detail: f.Refusal}
}
