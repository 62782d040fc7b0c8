// Package sqlite3 stands in for the C driver that gorm.io/driver/sqlite imports but this project never opens: it uses
// the pure Go one. If there is a C compiler, building the real one would double the time of a first build.
package sqlite3
