// Package sqlite3 stands in for the C driver that gorm.io/driver/sqlite imports but this project never opens: it uses
// the pure Go one. Where a C compiler is at hand, building the real one would double the time of a first build.
package sqlite3
