package tests

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"taskapi/models"
	"taskapi/routes"
)

// declare declares a resource and returns what the construction says of it.
func declare[T models.Row, In any](filters ...routes.Filter) (said string) {
	defer func() {
		if fault := recover(); fault != nil {
			said = fmt.Sprint(fault)
		}
	}()
	routes.Resource(nil, "/api/things", func(string, In) (row T) { return row }, filters...)
	return "nothing"
}

// filterBy is a filter whose second value asks for a column.
func filterBy(column string) routes.Filter {
	return routes.Filter{Name: "state", Values: []routes.FilterValue{{Value: "all"}, {Value: "some", Where: map[string]any{column: "x"}}}}
}

func TestABadDeclarationStopsTheConstructionAndNamesTheField(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		declare func() string
		said    string
	}{
		"a good one": {func() string {
			type Input struct {
				Text string `json:"text" gorm:"size:10;not null" validate:"required,max=10" example:"x"`
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, "nothing"},
		"a type that is not supported": {func() string {
			type Input struct {
				Field int32 `json:"field" gorm:"not null"`
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, "Thing.Field: the type int32 is not supported"},
		"a type of one's own": {func() string {
			type Input struct {
				Field time.Duration `json:"field" gorm:"not null"`
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, "Thing.Field: the type time.Duration is not supported"},
		"bytes": {func() string {
			type Input struct {
				Field []byte `json:"field" gorm:"not null"`
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, "Thing.Field: the type []uint8 is not supported"},
		"a pointer to a pointer": {func() string {
			type Input struct {
				Field **string `json:"field" gorm:"size:10" validate:"omitnil,max=10"`
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, "Thing.Field: the type **string is not supported"},
		"a max beyond the column": {func() string {
			type Input struct {
				Field string `json:"field" gorm:"size:10;not null" validate:"max=11"`
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, "Thing.Field: may have 11 characters, and its column has the size 10"},
		"a member beyond the column": {func() string {
			type Input struct {
				Field string `json:"field" gorm:"size:5;not null;default:green" validate:"oneof=green yellow"`
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, "Thing.Field: may have 6 characters, and its column has the size 5"},
		"no column size": {func() string {
			type Input struct {
				Field string `json:"field" gorm:"not null" validate:"max=10"`
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, "Thing.Field: may have 10 characters, and its column has the size 0"},
		"no rule for the length": {func() string {
			type Input struct {
				Field string `json:"field" gorm:"size:10;not null" validate:"notblank,required" example:"x"`
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, "Thing.Field: needs a rule for its length, such as max=10"},
		"a json name twice": {func() string {
			type Inner struct {
				Other bool `json:"field" gorm:"not null"`
			}
			type Input struct {
				Field bool `json:"field" gorm:"not null"`
				Inner
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, `Thing.Other: the json name "field" is used twice`},
		"a json name of the row's": {func() string {
			type Inner struct {
				Field bool `json:"updated_at" gorm:"not null"`
			}
			type Input struct{ Inner }
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, `Thing.Field: the json name "updated_at" is used twice`},
		"no json name": {func() string {
			type Input struct {
				Field bool `gorm:"not null"`
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, `Thing.Field: needs a json tag that is a name without options, has ""`},
		"a json option": {func() string {
			type Input struct {
				Field bool `json:"field,omitempty" gorm:"not null"`
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, `Thing.Field: needs a json tag that is a name without options, has "field,omitempty"`},
		"a pointer that is not null": {func() string {
			type Input struct {
				Field *bool `json:"field" gorm:"not null"`
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, "Thing.Field: must be a pointer, or not null in its gorm tag, and not both"},
		"a value that may be null": {func() string {
			type Input struct {
				Field bool `json:"field"`
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, "Thing.Field: must be a pointer, or not null in its gorm tag, and not both"},
		"a pointer that is required": {func() string {
			type Input struct {
				Field *bool `json:"field" validate:"required" example:"true"`
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, "Thing.Field: cannot be required and a pointer, which may be null"},
		"a default of another type": {func() string {
			type Input struct {
				Field int64 `json:"field" gorm:"not null;default:many"`
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, `Thing.Field: the default "many": is not JSON`},
		"a default that breaks the rules": {func() string {
			type Input struct {
				Field int64 `json:"field" gorm:"not null;default:7" validate:"max=5"`
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, `Thing.Field: the default "7": Input should be less than or equal to 5`},
		"a default that is no member": {func() string {
			type Input struct {
				Field string `json:"field" gorm:"size:10;not null;default:red" validate:"oneof=green blue"`
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, `Thing.Field: the default "red": Input should be 'green' or 'blue'`},
		"a zero value that breaks the rules": {func() string {
			type Input struct {
				Field string `json:"field" gorm:"size:10;not null" validate:"oneof=green blue"`
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, "Thing.Field: needs required or a default, because its zero value is not valid: Input should be 'green' or 'blue'"},
		"an example of another type": {func() string {
			type Input struct {
				Field bool `json:"field" gorm:"not null" example:"yes"`
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, `Thing.Field: the example "yes": is not JSON`},
		"an example that breaks the rules": {func() string {
			type Input struct {
				Field time.Time `json:"field" gorm:"not null" validate:"required" example:"tomorrow"`
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, `Thing.Field: the example "tomorrow": Input should be a valid datetime, as RFC 3339 with an offset`},
		"no example of a required field": {func() string {
			type Input struct {
				Field int64 `json:"field" gorm:"not null" validate:"required"`
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, "Thing.Field: needs an example tag"},
		"an unknown rule": {func() string {
			type Input struct {
				Field bool `json:"field" gorm:"not null" validate:"shiny"`
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, "Thing.Field: Undefined validation function 'shiny' on field ''"},
		"a limit that is no number": {func() string {
			type Input struct {
				Field int64 `json:"field" gorm:"not null" validate:"min=few"`
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, `Thing.Field: strconv.ParseInt: parsing "few": invalid syntax`},
		"an order by what may be null": {func() string {
			type Input struct {
				Field *string `json:"field" gorm:"size:10" validate:"omitnil,max=10" sort:"true"`
			}
			type Thing struct {
				models.Owner
				Input
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, "Thing.Field: lists cannot be sorted by what may be null"},
		"a field of the model": {func() string {
			type Input struct {
				Field bool `json:"field" gorm:"not null"`
			}
			type Thing struct {
				models.Owner
				Input
				Other int `json:"other" gorm:"not null" patch:"true"`
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, "Thing.Other: the type int is not supported"},
		"an input that is not embedded": {func() string {
			type Input struct {
				Field bool `json:"field" gorm:"not null"`
			}
			type Thing struct {
				models.Owner
				Input Input `gorm:"embedded"`
				models.Timestamps
			}
			return declare[Thing, Input]()
		}, "Thing: does not embed Input"},
		"an input that is another's": {func() string {
			type Input struct {
				Field bool `json:"field" gorm:"not null"`
			}
			return declare[models.Task, Input]()
		}, "Task: does not embed Input"},
		"a filter by a column of the model": {func() string {
			return declare[models.Task, models.TaskInput](filterBy("user_id"))
		}, "nothing"},
		"a filter by a column that is missing": {func() string {
			return declare[models.Task, models.TaskInput](filterBy("Completed"))
		}, `Task: the filter "state" names the column "Completed", which the model does not have`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, c.declare(), c.said)
		})
	}
}
