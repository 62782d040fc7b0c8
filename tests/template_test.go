package tests

import (
	"fmt"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"pgregory.net/rapid"

	"taskapi/models"
	"taskapi/models/database"
	"taskapi/routes"
)

// drawTemplate draws a template of a statement on one gadget. Its first run meets no row, and the text of that one is used again.
func drawTemplate(t *rapid.T, user string, id int64, in GadgetInput) func(db *gorm.DB) effect {
	harmless, values := []any{"another", int64(1), "blue", 0.5, time.Unix(3, 0)}, []any{in.Note, in.Stars, in.Colour, in.Energy, in.Due}
	returning := clause.Returning{Columns: rapid.SampledFrom([][]clause.Column{nil, {{Name: "id"}, {Name: "version"}}}).Draw(t, "returning")}
	run := rapid.SampledFrom([]func(row *gorm.DB, values []any) *gorm.DB{
		func(row *gorm.DB, _ []any) *gorm.DB { return row.Find(row.Statement.Model) },
		func(row *gorm.DB, values []any) *gorm.DB {
			return row.Where("stars = ?", values[1]).Find(row.Statement.Model)
		},
		func(row *gorm.DB, values []any) *gorm.DB {
			return row.Clauses(clause.Returning{}).Updates(map[string]any{
				"note": values[0], "stars": values[1], "colour": values[2], "energy": values[3], "due": values[4],
			})
		},
		func(row *gorm.DB, values []any) *gorm.DB {
			return row.Clauses(clause.Returning{}).Updates(map[string]any{"retired": gorm.Expr("NOT retired"), "stars": values[1]})
		},
		func(row *gorm.DB, _ []any) *gorm.DB { return row.Clauses(returning).Delete(row.Statement.Model) },
	}).Draw(t, "template")
	return func(db *gorm.DB) effect {
		template := database.NewTemplate[Gadget](db, func(db *gorm.DB, row any, userID string, values []any) *gorm.DB {
			return run(db.Model(row).Scopes(models.OwnedBy(userID)).Where("id = ?", values[0]), values[1:])
		})
		found, err := template.Run(t.Context(), new(Gadget), user, append([]any{-1}, harmless...)...)
		require.NoError(t, err)
		require.False(t, found)
		var row Gadget
		found, err = template.Run(t.Context(), &row, user, append([]any{id}, values...)...)
		if found { // else GORM itself sets fields of the row to what they would have become
			return effectOf(&gorm.DB{RowsAffected: 1}, row)
		}
		return effectOf(&gorm.DB{Error: err})
	}
}

// drawListTemplate draws a template of a list of gadgets. Its first run is for another user, and the text of that one is used again.
func drawListTemplate(t *rapid.T, user string, stars int64, limit int) func(db *gorm.DB) effect {
	stop := rapid.IntRange(1, limit).Draw(t, "rows that are wanted")
	read := rapid.SampledFrom([]func(mine *gorm.DB, values []any) *gorm.DB{
		func(mine *gorm.DB, _ []any) *gorm.DB { return mine },
		func(mine *gorm.DB, values []any) *gorm.DB { return mine.Where("(stars, id) > (?, ?)", values...) },
		func(mine *gorm.DB, _ []any) *gorm.DB { return mine.Where(map[string]any{"active": true}).Limit(limit) },
		func(mine *gorm.DB, _ []any) *gorm.DB {
			return mine.Select("id", "name", "due", "NULL AS note", "1 AS other")
		},
	}).Draw(t, "list")
	return func(db *gorm.DB) effect {
		build := func(db *gorm.DB, into any, userID string, values []any) *gorm.DB {
			return read(db.Model(new(Gadget)).Scopes(models.OwnedBy(userID)), values).Order("id").Find(into)
		}
		rows := []Gadget{}
		if _, own := db.Statement.ConnPool.(gorm.TxCommitter); own { // where nothing can be visited
			tx := build(db, &rows, user, []any{stars, 0})
			rows = rows[:min(len(rows), stop)]
			return effectOf(&gorm.DB{Error: tx.Error, RowsAffected: int64(len(rows))}, rows...)
		}
		template := database.NewTemplate[Gadget](db, build)
		visit := func(read func(row any, other *string) error) (bool, error) {
			rows = append(rows, Gadget{})
			return len(rows) < stop, read(&rows[len(rows)-1], nil)
		}
		require.NoError(t, template.Visit(t.Context(), visit, "another", -1, -1))
		require.Empty(t, rows)
		err := template.Visit(t.Context(), visit, user, stars, 0)
		return effectOf(&gorm.DB{Error: err, RowsAffected: int64(len(rows))}, rows...)
	}
}

func TestATemplateSetsTheTimeOfEachOfItsRuns(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		ann := s.as("ann")
		created := ann.create(t, "x")
		for range 3 {
			time.Sleep(2 * time.Millisecond)
			begin := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
			toggled := decode[task](t, ann.call(t, 200, "PATCH", path(created.ID)+"/complete", nil))
			require.GreaterOrEqual(t, toggled.UpdatedAt, begin)
			require.Equal(t, created.CreatedAt, toggled.CreatedAt)
		}
	})
}

// countBuilt returns how many statements GORM has built since, whether it has run them or not.
func (s *server) countBuilt(t *testing.T) (since func() int64) {
	t.Helper()
	var count atomic.Int64
	callbacks := s.db.Callback()
	for _, of := range []interface {
		Register(string, func(*gorm.DB)) error
	}{callbacks.Query().After("gorm:query"), callbacks.Update().After("gorm:update"), callbacks.Delete().After("gorm:delete")} {
		require.NoError(t, of.Register("tests:count", func(*gorm.DB) { count.Add(1) }))
	}
	return func() int64 { return count.Swap(0) }
}

func TestTheStatementOnOneRowIsBuiltForTheFirstRequestOnly(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		of := r.create(t, "ann", r.example)
		writes := r.writes("ann", of)
		changes := writes[:len(writes)-1]
		remove := func() request {
			return request{method: "DELETE", path: r.create(t, "ann", r.example).path, user: "ann"}
		}
		removals := []request{remove(), remove(), remove()}
		since := r.s.countBuilt(t)
		for _, removal := range removals {
			r.s.ask(t, 200, request{method: "GET", path: of.path, user: "ann"})
			for _, change := range changes {
				r.s.ask(t, 200, change)
			}
			r.s.ask(t, 204, removal)
		}
		first := since()
		require.Positive(t, first)
		require.LessOrEqual(t, first, 2*int64(len(writes)), "each is built twice, to be compared")
		r.s.ask(t, 404, request{method: "GET", path: of.path, user: "bob"})
		require.Zero(t, since())
	})
}

func TestTheStatementOfAListIsBuiltForTheFirstRequestOfItsFormOnly(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		for _, user := range []string{"ann", "bob"} {
			for range 3 {
				r.create(t, user, r.example)
			}
		}
		first := map[string]string{"": "", "limit": "?limit=2", "an order": "?sort=updated_at", "both": "?limit=2&sort=-updated_at"}
		if r.path == "/api/tasks" {
			first["a filter"] = "?status=pending"
		}
		since := r.s.countBuilt(t)
		for name, query := range first {
			ann := r.s.as("ann").ask(t, 200, r.path, query)
			require.LessOrEqual(t, since(), int64(2), "%s: built twice, to be compared", name)
			bob := r.s.as("bob").ask(t, 200, r.path, query)
			require.Equal(t, string(ann.body), string(r.s.as("ann").ask(t, 200, r.path, query).body), name)
			require.NotEqual(t, string(ann.body), string(bob.body), name)
			require.Zero(t, since(), name)
		}
		for _, query := range []string{"?limit=2", "?limit=2&sort=-updated_at"} {
			after := nextQuery(t, r.s.as("ann").ask(t, 200, r.path, query))
			r.s.as("ann").ask(t, 200, r.path, after)
			require.Positive(t, since(), "a cursor makes another form")
			for _, user := range []string{"ann", "bob"} {
				r.s.as(user).ask(t, 200, r.path, nextQuery(t, r.s.as(user).ask(t, 200, r.path, query)))
			}
			require.Zero(t, since(), query)
		}
		for range 3 {
			r.s.as("ann").ask(t, 200, r.path, "?q=x")
			require.EqualValues(t, 1, since(), "a search is built each time")
		}
	})
}

func TestAListIsThatOfItsQueryHoweverManyQueriesThereAre(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		ann := s.as("ann")
		var titles []string
		for i := range 100 {
			titles = append(titles, fmt.Sprint("Task ", i))
		}
		createTasks(t, s, "ann", titles...)
		for round := range 2 {
			for limit := 1; limit <= 100; limit++ { // and 64 statements are kept
				for query, first := range map[string]string{"?limit=%d": "Task 99", "?limit=%d&sort=created_at": "Task 0"} {
					tasks := decode[[]task](t, ann.ask(t, 200, "/api/tasks", fmt.Sprintf(query, limit)))
					require.Len(t, tasks, limit, "in round %d", round)
					require.Equal(t, first, tasks[0].Title, query)
				}
			}
		}
	})
}

func TestAStatementThatDependsOnMoreThanItsValuesIsBuiltAtEachRun(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		created := s.as("ann").create(t, "x")
		count := 0
		for name, read := range map[string]func(mine *gorm.DB, row any) *gorm.DB{
			"a variable": func(mine *gorm.DB, row any) *gorm.DB { count++; return mine.Where("? > 0", count).Find(row) },
			"the text": func(mine *gorm.DB, row any) *gorm.DB {
				count++
				return mine.Where(fmt.Sprintf("%d > 0", count)).Find(row)
			},
			"a time": func(mine *gorm.DB, row any) *gorm.DB {
				return mine.Where("updated_at <= ?", time.Now().UTC()).Find(row)
			},
			"whether there is a row": func(mine *gorm.DB, row any) *gorm.DB { return mine.Take(row) },
			"the deadline": func(mine *gorm.DB, row any) *gorm.DB {
				deadline, _ := mine.Statement.Context.Deadline()
				return mine.Where("updated_at > ?", deadline).Find(row)
			},
			"the second of the deadline": func(mine *gorm.DB, row any) *gorm.DB {
				deadline, _ := mine.Statement.Context.Deadline()
				return mine.Where("? >= 0", deadline.Second()).Find(row)
			},
			"the day": func(mine *gorm.DB, row any) *gorm.DB {
				return mine.Where("? > '2026-01-01'", mine.NowFunc().Format(time.DateOnly)).Find(row)
			},
			"another destination": func(mine *gorm.DB, row any) *gorm.DB {
				var other models.Task
				defer func() { *row.(*models.Task) = other }()
				return mine.Find(&other)
			},
		} {
			t.Run(name, func(t *testing.T) {
				template := database.NewTemplate[models.Task](s.db, func(db *gorm.DB, row any, userID string, values []any) *gorm.DB {
					return read(db.Scopes(models.OwnedBy(userID)).Where("id = ?", values[0]), row)
				})
				since := s.countBuilt(t)
				for range 3 {
					var row models.Task
					found, err := template.Run(t.Context(), &row, "ann", created.ID)
					require.NoError(t, err)
					require.True(t, found)
					require.Equal(t, created.ID, row.ID)
				}
				require.GreaterOrEqual(t, since(), int64(3))
			})
		}
	})
}

func TestAPatchOfAnySetOfFieldsSetsThoseHoweverManySetsThereAre(t *testing.T) {
	eachEngineWithGadgets(t, func(t *testing.T, s *server) {
		ann := s.as("ann")
		location := ann.call(t, 201, "POST", "/api/gadgets", map[string]any{"name": "x", "made": "2026-01-08T10:30:00Z"}).Header.Get("Location")
		fields := []string{"name", "note", "level", "stars", "serial", "weight", "energy"}
		want := decode[map[string]any](t, ann.call(t, 200, "GET", location, nil))
		for set := 1; set < 1<<len(fields); set++ { // 127 sets, and 64 statements are kept
			body := map[string]any{}
			for i, field := range fields {
				if set&(1<<i) == 0 {
					continue
				}
				body[field] = float64(1 + set%3)
				if field == "name" || field == "note" {
					body[field] = fmt.Sprint(set)
				}
			}
			got := decode[map[string]any](t, ann.call(t, 200, "PATCH", location, body))
			maps.Copy(want, body)
			want["updated_at"] = got["updated_at"]
			require.Equal(t, want, got, "%v", body)
		}
	})
}

func TestATemplateNeedsItsOwnerAtEachRun(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		created := s.as("ann").create(t, "x")
		trips := s.db.Plugins[(*models.Guard)(nil).Name()].(*models.Guard).Trips
		of := database.NewTemplate[models.Task](s.db, func(db *gorm.DB, into any, userID string, values []any) *gorm.DB {
			return db.Model(new(models.Task)).Scopes(models.OwnedBy(userID)).Where("id = ?", values[0]).Find(into)
		})
		anyones := database.NewTemplate[models.Task](s.db, func(db *gorm.DB, into any, _ string, values []any) *gorm.DB {
			return db.Model(new(models.Task)).Where("id = ?", values[0]).Find(into)
		})
		someones := database.NewTemplate[models.Task](s.db, func(db *gorm.DB, row any, _ string, values []any) *gorm.DB {
			return db.Scopes(models.OwnedBy("bob")).Where("id = ?", values[0]).Find(row)
		})
		for range 2 {
			var row models.Task
			found, err := of.Run(t.Context(), &row, "ann", created.ID)
			require.NoError(t, err)
			require.True(t, found)
			require.Equal(t, created.ID, row.ID)
			for user, want := range map[string]error{"bob": nil, "": models.ErrNoOwner} {
				before := trips()
				found, err := of.Run(t.Context(), new(models.Task), user, created.ID)
				require.False(t, found, "%q", user)
				require.ErrorIs(t, err, want, "%q", user)
				require.Equal(t, user == "", trips() > before, "%q", user)
			}
			before := trips()
			found, err = anyones.Run(t.Context(), new(models.Task), "ann", created.ID)
			require.ErrorIs(t, err, models.ErrNotConfined)
			require.False(t, found)
			require.Greater(t, trips(), before)
			visited := func(func(any, *string) error) (bool, error) { t.Error("a row was visited"); return false, nil }
			require.NoError(t, of.Visit(t.Context(), visited, "bob", created.ID))
			require.ErrorIs(t, of.Visit(t.Context(), visited, "", created.ID), models.ErrNoOwner)
			require.ErrorIs(t, anyones.Visit(t.Context(), visited, "ann", created.ID), models.ErrNotConfined)
			found, err = someones.Run(t.Context(), new(models.Task), "ann", created.ID)
			require.NoError(t, err)
			require.False(t, found, "the owner is bob at each run")
		}
	})
}

// RankedInput and ranked are a resource whose orders and limits are alike in text.
type RankedInput struct {
	Rank  int64 `json:"rank" gorm:"not null" sort:"true" doc:"Its rank." example:"1"`
	Rank1 int64 `json:"rank1" gorm:"not null" sort:"true" doc:"Its other rank." example:"1"`
}

type ranked struct {
	models.Owner
	RankedInput
	models.Timestamps
}

func TestAListIsThatOfItsOrderAndLimitThoughOthersAreAlikeInText(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		s := newServerWith(t, databaseURL, declared{models: []any{&ranked{}}, routes: func(db *gorm.DB) []routes.Route {
			return routes.Resource(db, "/api/ranked", func(userID string, in RankedInput) ranked {
				return ranked{Owner: models.Owner{UserID: userID}, RankedInput: in}
			})
		}})
		const rows = 12
		for i := range rows {
			s.as("ann").call(t, 201, "POST", "/api/ranked", map[string]any{"rank": i, "rank1": -i})
		}
		for _, c := range []struct {
			query string
			rows  int
			first int64
		}{{"?sort=rank&limit=10", 10, 0}, {"?sort=rank1", rows, rows - 1}, {"?sort=rank1&limit=1", 1, rows - 1}, {"?sort=rank&limit=11", 11, 0}} {
			got := decode[[]ranked](t, s.as("ann").ask(t, 200, "/api/ranked", c.query))
			require.Len(t, got, c.rows, c.query)
			require.Equal(t, c.first, got[0].Rank, c.query)
		}
	})
}

// HookedInput and hooked are a resource with hooks of its own.
type HookedInput struct {
	Name string `json:"name" gorm:"size:50;not null" validate:"required,max=50" doc:"Its name." example:"x"`
}

type hooked struct {
	models.Owner
	HookedInput
	models.Timestamps
}

// AfterFind implements GORM's hook of that name.
func (h *hooked) AfterFind(*gorm.DB) error {
	h.Name += " found"
	return nil
}

// BeforeUpdate implements GORM's hook of that name.
func (h *hooked) BeforeUpdate(tx *gorm.DB) error {
	columns := tx.Statement.Dest.(map[string]any)
	columns["name"] = columns["name"].(string) + " updated"
	return nil
}

// BeforeDelete implements GORM's hook of that name.
func (h *hooked) BeforeDelete(*gorm.DB) error { return models.ErrStructUpdate }

func TestTheHooksOfAModelRunAtEachRequestAndTheVersionStillCounts(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		s := newServerWith(t, databaseURL, declared{models: []any{&hooked{}}, routes: func(db *gorm.DB) []routes.Route {
			return routes.Resource(db, "/api/hooked", func(userID string, in HookedInput) hooked {
				return hooked{Owner: models.Owner{UserID: userID}, HookedInput: in}
			})
		}})
		ann := s.as("ann")
		location := ann.call(t, 201, "POST", "/api/hooked", map[string]any{"name": "a"}).Header.Get("Location")
		name := func(got answer) string { return decode[map[string]any](t, got)["name"].(string) }
		require.Equal(t, "a found", name(ann.call(t, 200, "GET", location, nil)))
		for i, want := range []string{"b", "c"} {
			put := ann.call(t, 200, "PUT", location, map[string]any{"name": want})
			require.Equal(t, want+" updated", name(put))
			require.Equal(t, fmt.Sprintf(`"%d"`, i+2), put.Header.Get("ETag"))
			require.Equal(t, want+" updated found", name(ann.call(t, 200, "GET", location, nil)))
			listed := decode[[]map[string]any](t, ann.call(t, 200, "GET", "/api/hooked", nil))
			require.Len(t, listed, 1)
			require.Equal(t, want+" updated found", listed[0]["name"])
		}
		ann.call(t, 500, "DELETE", location, nil)
		ann.call(t, 200, "GET", location, nil)
	})
}

func TestOneRowIsDeletedOnceHoweverManyDeleteItAndTheirDeletionsAreCommittedTogether(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	s.listen(t)
	const rows = 20
	var requests []request
	for range rows {
		created := s.as("ann").create(t, "x")
		remove := request{method: "DELETE", path: path(created.ID), user: "ann"}
		requests = append(requests, remove, remove)
	}
	log, answers := s.emptyLog(t), map[int]int{}
	for _, got := range s.sendTogether(t, requests...) {
		answers[got.StatusCode]++
	}
	require.Equal(t, map[int]int{204: rows, 404: rows}, answers)
	require.Empty(t, s.as("ann").list(t))
	require.Less(t, log(), rows)
}
