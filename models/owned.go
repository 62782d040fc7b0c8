package models

// Owned lists the models of the resources, whose rows each belong to one user. From it come the migration, the check of the
// tables at the start, the copy, and the tests of isolation.
func Owned() []any {
	return []any{
		&Task{},
	}
}
