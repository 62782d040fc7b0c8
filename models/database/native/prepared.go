package native

import (
	"context"
	"database/sql/driver"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"
)

// Prepared is a statement on the rows of one user that returns a row of the model T. GORM builds its text once, in a dry run,
// with its scopes and the guard; each run binds other values to it. Where a model has hooks of its own for GORM, associations or
// serializers, GORM builds the statement at each run.
type Prepared[T any] struct {
	db    *gorm.DB
	build Build[T]
	once  sync.Once
	kept  *kept // nil if GORM builds the statement at each run
}

// Build lets GORM build a statement with the values of a run, and run it. Its destination or its model is row. Each of the values
// goes into the text as a variable, and nothing else depends on them.
type Build[T any] func(db *gorm.DB, row *T, userID string, values []any) *gorm.DB

// Prepare returns a statement that is built at its first run.
func Prepare[T any](db *gorm.DB, build Build[T]) *Prepared[T] {
	return &Prepared[T]{db: db, build: build}
}

// Run runs the statement with the values of its variables, which are as many at each run. It reads the row that the statement
// returns into row, a zero value, and reports whether there was one.
func (p *Prepared[T]) Run(ctx context.Context, row *T, userID string, values ...any) (found bool, err error) {
	p.once.Do(func() { p.kept = p.keep(len(values)) })
	if p.kept != nil && userID != "" {
		begin := time.Now()
		run := p.kept.statement(p.db, reflect.ValueOf(row).Elem(), userID, values)
		err := p.kept.plugin.execute(ctx, p.kept.pool, run)
		p.db.Logger.Trace(ctx, begin, func() (string, int64) { return p.explain(ctx, run), run.rows }, err)
		if !errors.Is(err, driver.ErrBadConn) {
			return run.rows > 0, translate(p.db, err)
		}
	}
	tx := p.build(p.db.WithContext(ctx), row, userID, values)
	return tx.RowsAffected > 0, tx.Error
}

// kept is the text of a statement and its variables: constants, and the places of what differs from run to run.
type kept struct {
	plugin *Plugin
	pool   connPool
	model  *schema.Schema
	text   string
	writes bool
	vars   []any
}

// place is the place of a value in the variables of a text.
type place int

// The other places are those of the user's id and of the time of the run. No user's id has a NUL.
const placeOfUser = "\x00"

var placeOfNow = time.Unix(0, 0)

// keep lets GORM build the text of the statement, with places for its values. It returns nil for a statement that has to be built
// at each run, or that GORM refuses.
func (p *Prepared[T]) keep(values int) *kept {
	plugin, _ := p.db.Plugins[(*Plugin)(nil).Name()].(*Plugin)
	pool, _ := p.db.Statement.ConnPool.(connPool)
	places := make([]any, values)
	for i := range places {
		places[i] = place(i)
	}
	dry := p.db.Session(&gorm.Session{DryRun: true, Logger: logger.Discard, NowFunc: func() time.Time { return placeOfNow }})
	tx := p.build(dry, new(T), placeOfUser, places)
	stmt := tx.Statement
	_, selects := stmt.Clauses["SELECT"]
	_, returns := stmt.Clauses["RETURNING"]
	k := &kept{plugin, pool, stmt.Schema, strings.Clone(stmt.SQL.String()), returns, slices.Clone(stmt.Vars)}
	if plugin == nil || pool == nil || tx.Error != nil || !selects && !returns || hasHooks(stmt.Schema) ||
		len(stmt.Schema.Relationships.Relations) > 0 || plugin.columnsOf(stmt) == "" || !slices.Contains(k.vars, any(placeOfUser)) {
		return nil
	}
	return k
}

// hasHooks reports whether a model has hooks that GORM calls for a statement that reads, updates or deletes a row.
func hasHooks(model *schema.Schema) bool {
	return model.AfterFind || model.BeforeSave || model.BeforeUpdate || model.AfterSave || model.AfterUpdate ||
		model.BeforeDelete || model.AfterDelete
}

// statement puts the values of a run into their places.
func (k *kept) statement(db *gorm.DB, target reflect.Value, userID string, values []any) *statement {
	vars := slices.Clone(k.vars)
	for i, v := range vars {
		switch v := v.(type) {
		case place:
			vars[i] = values[v]
		case string:
			if v == placeOfUser {
				vars[i] = userID
			}
		case time.Time:
			if v.Equal(placeOfNow) {
				vars[i] = db.NowFunc()
			}
		}
	}
	return &statement{text: k.text, vars: vars, writes: k.writes, model: k.model, target: target}
}

// explain returns the text of a statement for GORM's logger, as GORM does.
func (p *Prepared[T]) explain(ctx context.Context, s *statement) string {
	text, vars := s.text, s.vars
	if filter, ok := p.db.Logger.(gorm.ParamsFilter); ok {
		text, vars = filter.ParamsFilter(ctx, text, vars...)
	}
	return p.db.Explain(text, vars...)
}

// translate returns the error of a statement as GORM does.
func translate(db *gorm.DB, err error) error {
	if translator, ok := db.Dialector.(gorm.ErrorTranslator); ok && err != nil && db.TranslateError {
		return translator.Translate(err)
	}
	return err
}
