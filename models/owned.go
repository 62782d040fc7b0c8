package models

// Owned lists the owned models: those whose rows each belong to one user. It is the only such list. From it come the
// migration, the check of the tables at the start, the copy, and the tests of isolation.
func Owned() []any {
	return []any{
		&Task{},
	}
}
