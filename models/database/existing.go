package database

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
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

// checkExisting returns a model's schema and the columns of its table, none if there is no such table. It returns an error if
// the table belongs to another program: rows of the model could not be read from it or inserted into it. Columns that the
// migration can add may be missing.
func checkExisting(tx *gorm.DB, model any) (*schema.Schema, []column, error) {
	schema, err := schemaOf(tx, model)
	if err != nil {
		return nil, nil, err
	}
	columns, err := engineOf(tx).columns(tx, schema.Table)
	if err != nil || len(columns) == 0 {
		return schema, nil, err
	}
	if err := checkForm(tx, schema, columns); err != nil {
		fault := "the table %s does not fit its model: %w"
		if schema.Table == "users" {
			fault += ": if it holds the accounts, set AUTH_USERS_TABLE=users"
		}
		return nil, nil, fmt.Errorf(fault, schema.Table, err)
	}
	if schema.LookUpField("user_id") != nil {
		if err := checkOwners(tx, schema.Table); err != nil {
			return nil, nil, err
		}
	}
	return schema, columns, checkRows(tx, model, schema, columns)
}

// checkOwners returns an error if a table takes one user's id for another's.
func checkOwners(db *gorm.DB, table string) error {
	exact, err := engineOf(db).exact(db, table, "user_id")
	if err == nil && !exact {
		err = fmt.Errorf("the table %s does not fit its model: its column user_id has a type or collation that takes several ids for one", table)
	}
	return err
}

func checkForm(tx *gorm.DB, model *schema.Schema, columns []column) error {
	fields, _, err := divide(model, columns)
	for _, c := range columns {
		if field := model.LookUpField(c.Name); slices.Contains(fields, field) && !engineOf(tx).fits(field.DataType, c.Type) {
			return fmt.Errorf("its column %s is of type %s", c.Name, c.Type)
		}
	}
	if err != nil {
		return fmt.Errorf("%w, and a column that is not null can only be added with a default", err)
	}
	for _, c := range columns {
		if field := model.LookUpField(c.Name); c.Required && (field == nil || field.AutoIncrement) {
			return fmt.Errorf("its column %s demands a value", c.Name)
		}
	}
	return nil
}

// divide divides the fields of a model into those that a table has a column for and the others. It returns an error if one of
// the others needs a value.
func divide(model *schema.Schema, columns []column) (present, absent []*schema.Field, err error) {
	for _, name := range model.DBNames {
		field := model.LookUpField(name)
		if slices.ContainsFunc(columns, func(c column) bool { return c.Name == name }) {
			present = append(present, field)
			continue
		}
		absent = append(absent, field)
		if err == nil && (field.PrimaryKey || field.NotNull && !field.HasDefaultValue) {
			err = fmt.Errorf("it has no column %s", name)
		}
	}
	return present, absent, err
}

// checkRows returns an error if rows of a table break a rule that the table does not have yet. A rule that names a column to be
// added is left to the database. The rule must not come first: it would bind the program that uses the table.
func checkRows(tx *gorm.DB, model any, table *schema.Schema, columns []column) error {
	_, absent, _ := divide(table, columns)
	checks := table.ParseCheckConstraints()
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		rule := checks[name].Constraint
		named := func(field *schema.Field) bool { return strings.Contains(rule, field.DBName) }
		if slices.ContainsFunc(absent, named) || tx.Migrator().HasConstraint(model, name) {
			continue
		}
		rows, err := query[int](tx, "SELECT count(*) FROM ? WHERE NOT (?)", clause.Table{Name: table.Table}, clause.Expr{SQL: rule})
		if err == nil && rows > 0 {
			err = fmt.Errorf("%s has rows that break %s, %s (rows: %d): change or delete them first; nothing was changed",
				table.Table, name, rule, rows)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
