package native

import (
	"context"
	"database/sql/driver"
	"errors"
	"reflect"
	"slices"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"
)

// Template is a statement on the rows of one user that returns rows of the model T, with places for its values. GORM builds its
// text at the first run, with its scopes and the guard; later runs only bind values to it. GORM builds the statement at each run
// where that could make a difference: in a transaction, where the model has hooks for GORM, associations or serializers, and where
// something depends on the run that is not one of its values.
type Template[T any] struct {
	db     *gorm.DB
	build  Build
	once   sync.Once
	cached *cached // nil if GORM builds the statement at each run
}

// Build lets GORM build a statement with the values of a run, and run it. Its destination is into: a row, which may also be its
// model, or a [Visit]. Each value is a variable of the text, and decides nothing else.
type Build func(db *gorm.DB, into any, userID string, values []any) *gorm.DB

// NewTemplate returns a template that is built at its first run.
func NewTemplate[T any](db *gorm.DB, build Build) *Template[T] {
	return &Template[T]{db: db, build: build}
}

// Run runs the statement with the values of its variables, which are as many at each run. It reads what the statement returns into
// row, a zero value, and reports whether there was a row.
func (t *Template[T]) Run(ctx context.Context, row *T, userID string, values ...any) (found bool, err error) {
	rows, err := t.run(ctx, row, nil, userID, values)
	return rows > 0, err
}

// Visit runs the statement, a SELECT, as Run does, and calls visit for each row.
func (t *Template[T]) Visit(ctx context.Context, visit Visit, userID string, values ...any) error {
	_, err := t.run(ctx, nil, visit, userID, values)
	return err
}

// run runs the statement, and returns the number of rows. They go to visit if there is no row.
func (t *Template[T]) run(ctx context.Context, row *T, visit Visit, userID string, values []any) (rows int64, err error) {
	t.once.Do(func() { t.cached = t.buildOnce(len(values)) })
	if t.cached != nil && userID != "" {
		begin := time.Now()
		run := t.cached.statement(t.db, reflect.ValueOf(row).Elem(), userID, values)
		run.visit = visit
		err := t.cached.plugin.execute(ctx, t.cached.pool, run)
		if visit != nil || !errors.Is(err, driver.ErrBadConn) {
			t.db.Logger.Trace(ctx, begin, func() (string, int64) { return t.explain(ctx, run), run.rows }, err)
			return run.rows, translate(t.db, err)
		}
	}
	var into any = visit
	if row != nil {
		into = row
	}
	tx := t.build(t.db.WithContext(ctx), into, userID, values)
	return tx.RowsAffected, tx.Error
}

// cached is the text of a statement and its variables: constants, and placeholders for what differs from run to run.
type cached struct {
	plugin *Plugin
	pool   connPool
	model  *schema.Schema
	text   string
	writes bool
	vars   []any
}

// placeholder stands for a value in the variables of a text: for the one of that index, for the user's id, or for the time.
type placeholder int

const (
	userPlaceholder placeholder = -1 - iota
	timePlaceholder
)

// buildOnce lets GORM build the text of the statement. It returns nil for a statement that GORM has to build at each run, or that
// it refuses. To know what differs from run to run, it has the statement built twice, for different users, times and deadlines.
func (t *Template[T]) buildOnce(values int) *cached {
	plugin, _ := t.db.Plugins[(*Plugin)(nil).Name()].(*Plugin)
	pool, _ := t.db.Statement.ConnPool.(connPool)
	stmt := &gorm.Statement{DB: t.db}
	if plugin == nil || pool == nil || stmt.Parse(new(T)) != nil || len(stmt.Schema.Relationships.Relations) > 0 ||
		hasHooks(stmt.Schema) || plugin.columnsOf(stmt) == "" {
		return nil
	}
	first, second := t.buildFor(dryRuns[0], values), t.buildFor(dryRuns[1], values)
	_, selects := first.Clauses["SELECT"]
	_, returns := first.Clauses["RETURNING"]
	text := first.SQL.String()
	if first.Error != nil || second.Error != nil || !selects && !returns || first.RaiseErrorOnNotFound || text != second.SQL.String() {
		return nil
	}
	vars := slices.Clone(first.Vars)
	for i, v := range vars {
		switch other := second.Vars[i]; {
		case v == dryRuns[0].userID && other == dryRuns[1].userID:
			vars[i] = userPlaceholder
		case v == dryRuns[0].now && other == dryRuns[1].now:
			vars[i] = timePlaceholder
		case !reflect.DeepEqual(v, other):
			return nil
		}
	}
	if !slices.ContainsFunc(vars, func(v any) bool { return v == userPlaceholder }) {
		return nil
	}
	return &cached{plugin, pool, stmt.Schema, text, returns, vars}
}

// dryRun is a run that is built only.
type dryRun struct {
	userID        string
	now, deadline time.Time
}

// dryRuns have nothing in common: not even their days, months or minutes. No user's id has a NUL.
var dryRuns = [2]dryRun{
	{"\x00 first", time.Date(2001, 2, 3, 4, 5, 6, 7, time.UTC), time.Date(2002, 3, 4, 5, 6, 7, 8, time.UTC)},
	{"\x00 second", time.Date(2011, 10, 13, 14, 15, 16, 17, time.UTC), time.Date(2012, 11, 14, 15, 16, 17, 18, time.UTC)},
}

// buildFor returns the statement as GORM builds it for a run, with placeholders for the values.
func (t *Template[T]) buildFor(run dryRun, values int) *gorm.Statement {
	placeholders := make([]any, values)
	for i := range placeholders {
		placeholders[i] = placeholder(i)
	}
	row := new(T)
	ctx, cancel := context.WithDeadline(context.Background(), run.deadline)
	defer cancel()
	tx := t.build(t.db.Session(&gorm.Session{
		DryRun: true, Logger: logger.Discard, NowFunc: func() time.Time { return run.now }, Context: ctx,
	}), row, run.userID, placeholders)
	if target := tx.Statement.ReflectValue; tx.Error == nil && (!target.CanAddr() || target.Addr().Interface() != any(row)) {
		_ = tx.AddError(gorm.ErrInvalidValue) // goes elsewhere
	}
	return tx.Statement
}

// hasHooks reports whether a model has hooks that GORM calls for a statement that reads, updates or deletes a row.
func hasHooks(model *schema.Schema) bool {
	return model.AfterFind || model.BeforeSave || model.BeforeUpdate || model.AfterSave || model.AfterUpdate ||
		model.BeforeDelete || model.AfterDelete
}

// statement puts the values of a run in the place of the placeholders.
func (c *cached) statement(db *gorm.DB, target reflect.Value, userID string, values []any) *statement {
	vars := slices.Clone(c.vars)
	for i, v := range vars {
		switch v {
		case userPlaceholder:
			vars[i] = userID
		case timePlaceholder:
			vars[i] = db.NowFunc()
		default:
			if index, ok := v.(placeholder); ok {
				vars[i] = values[index]
			}
		}
	}
	return &statement{text: c.text, vars: vars, writes: c.writes, model: c.model, target: target}
}

// explain returns the text of a statement for GORM's logger, as GORM does.
func (t *Template[T]) explain(ctx context.Context, s *statement) string {
	text, vars := s.text, s.vars
	if filter, ok := t.db.Logger.(gorm.ParamsFilter); ok {
		text, vars = filter.ParamsFilter(ctx, text, vars...)
	}
	return t.db.Explain(text, vars...)
}

// translate returns the error of a statement as GORM does.
func translate(db *gorm.DB, err error) error {
	if translator, ok := db.Dialector.(gorm.ErrorTranslator); ok && err != nil && db.TranslateError {
		return translator.Translate(err)
	}
	return err
}
