package tests

import (
	"fmt"
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

// drawPrepared draws a prepared statement on one gadget. Its first run meets no row, and the text of that one is used again.
func drawPrepared(t *rapid.T, user string, id int64, in GadgetInput) func(db *gorm.DB) effect {
	values := []any{in.Note, in.Stars, in.Colour, in.Energy, in.Due}
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
	}).Draw(t, "prepared")
	return func(db *gorm.DB) (got effect) {
		prepared := database.Prepare(db, func(db *gorm.DB, row *Gadget, userID string, values []any) *gorm.DB {
			return run(db.Model(row).Scopes(models.OwnedBy(userID)).Where("id = ?", values[0]), values[1:])
		})
		for _, id := range []int64{-1, id} {
			var row Gadget
			found, err := prepared.Run(t.Context(), &row, user, append([]any{id}, values...)...)
			require.False(t, found && id == -1)
			got = effectOf(&gorm.DB{Error: err})
			if found { // GORM itself sets fields of the row to what they would have become
				got = effectOf(&gorm.DB{RowsAffected: 1}, row)
			}
		}
		return got
	}
}

func TestAPreparedStatementSetsTheTimeOfEachOfItsRuns(t *testing.T) {
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

func TestAPreparedStatementNeedsItsOwnerAtEachRun(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		created := s.as("ann").create(t, "x")
		trips := s.db.Plugins[(*models.Guard)(nil).Name()].(*models.Guard).Trips
		of := database.Prepare(s.db, func(db *gorm.DB, row *models.Task, userID string, values []any) *gorm.DB {
			return db.Scopes(models.OwnedBy(userID)).Where("id = ?", values[0]).Find(row)
		})
		anyones := database.Prepare(s.db, func(db *gorm.DB, row *models.Task, _ string, values []any) *gorm.DB {
			return db.Where("id = ?", values[0]).Find(row)
		})
		someones := database.Prepare(s.db, func(db *gorm.DB, row *models.Task, _ string, values []any) *gorm.DB {
			return db.Scopes(models.OwnedBy("bob")).Where("id = ?", values[0]).Find(row)
		})
		for range 2 {
			var row models.Task
			found, err := of.Run(t.Context(), &row, "ann", created.ID)
			require.NoError(t, err)
			require.True(t, found)
			require.Equal(t, created.ID, row.ID)
			for user, want := range map[string]error{"bob": nil, "\x00": nil, "": models.ErrNoOwner} {
				before := trips()
				found, err := of.Run(t.Context(), new(models.Task), user, created.ID)
				require.False(t, found, "%q", user)
				if user != "\x00" { // which PostgreSQL refuses
					require.ErrorIs(t, err, want, "%q", user)
				}
				require.Equal(t, user == "", trips() > before, "%q", user)
			}
			before := trips()
			found, err = anyones.Run(t.Context(), new(models.Task), "ann", created.ID)
			require.ErrorIs(t, err, models.ErrNotConfined)
			require.False(t, found)
			require.Greater(t, trips(), before)
			found, err = someones.Run(t.Context(), new(models.Task), "ann", created.ID)
			require.NoError(t, err)
			require.False(t, found, "the owner is bob at each run")
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
	columns["name"] = fmt.Sprint(columns["name"], " updated")
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
