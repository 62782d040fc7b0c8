package database

import (
	"fmt"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// column is a column of a table.
type column struct {
	Name, Type string
	// Text reports whether the column can be compared with a user id.
	Text bool
	// Required reports whether an insert must give the value.
	Required bool
}

// checkExisting returns an error if a model's table exists but belongs to another program: rows of the model could not be
// read from it or inserted into it. Columns that the migration can add may be missing.
func checkExisting(tx *gorm.DB, model *schema.Schema) error {
	columns, err := engineOf(tx).columns(tx, model.Table)
	if err != nil || len(columns) == 0 {
		return err
	}
	fault := func(format string, args ...any) error {
		if model.Table == "users" {
			format += ": if it holds the accounts, set AUTH_USERS_TABLE=users"
		}
		return fmt.Errorf("the table "+model.Table+" does not fit its model: "+format, args...)
	}
	for _, name := range model.DBNames {
		field := model.LookUpField(name)
		i := slices.IndexFunc(columns, func(c column) bool { return c.Name == name })
		switch {
		case i < 0 && (field.PrimaryKey || field.NotNull && !field.HasDefaultValue):
			return fault("it has no column %s, and a column that is not null can only be added with a default", name)
		case i >= 0 && !engineOf(tx).fits(field.DataType, columns[i].Type):
			return fault("its column %s is of type %s", name, columns[i].Type)
		}
	}
	for _, c := range columns {
		if field := model.LookUpField(c.Name); c.Required && (field == nil || field.AutoIncrement) {
			return fault("its column %s demands a value", c.Name)
		}
	}
	return nil
}
