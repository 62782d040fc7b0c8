package models

// Owned lists the models whose rows belong to users. Migrations, the check of tables at the start, copies and tests go
// by it.
func Owned() []any { return []any{&Task{}} }
