package database

import (
	"fmt"
	"slices"

	"gorm.io/gorm"
)

// column is what a migration needs to know of a table's column.
type column struct {
	Name, Type string
	// Text reports whether the values are compared with a user id as text is.
	Text bool
	// Required reports whether an insert must give the value.
	Required bool
}

// checkExisting returns an error if a model's table exists but belongs to another program: rows of the model could not be
// read from it or inserted into it. Columns that the migration can add may be missing.
func checkExisting(tx *gorm.DB, model any) error {
	stmt := &gorm.Statement{DB: tx}
	if err := stmt.Parse(model); err != nil {
		return err
	}
	columns, err := engineOf(tx).columns(tx, stmt.Schema.Table)
	if err != nil || len(columns) == 0 {
		return err
	}
	fault := func(format string, args ...any) error {
		return fmt.Errorf("the table %s does not fit its model: "+format, append([]any{stmt.Schema.Table}, args...)...)
	}
	for _, name := range stmt.Schema.DBNames {
		field := stmt.Schema.LookUpField(name)
		i := slices.IndexFunc(columns, func(c column) bool { return c.Name == name })
		switch {
		case i < 0 && (field.PrimaryKey || field.NotNull && !field.HasDefaultValue):
			return fault("it has no column %s, and a column that is not null can only be added with a default", name)
		case i >= 0 && !engineOf(tx).fits(field.DataType, columns[i].Type):
			return fault("its column %s is of type %s", name, columns[i].Type)
		}
	}
	for _, c := range columns {
		if field := stmt.Schema.LookUpField(c.Name); c.Required && (field == nil || field.AutoIncrement) {
			return fault("its column %s demands a value", c.Name)
		}
	}
	return nil
}

// checkUsersTable returns an error if the table users exists and users cannot be added to it by their id.
func checkUsersTable(tx *gorm.DB) error {
	columns, err := engineOf(tx).columns(tx, "users")
	for _, c := range columns {
		if c.Required && c.Name != "id" && c.Name != "created_at" {
			return fmt.Errorf("the table users, with its column %s, is another program's: if it holds the accounts, set AUTH_USERS_TABLE=users", c.Name)
		}
	}
	return err
}
