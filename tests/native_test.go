package tests

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"pgregory.net/rapid"

	"taskapi/models"
)

// effect is what a statement did, as its caller sees it.
type effect struct {
	rows     []Gadget
	affected int64
	fault    string
}

// effectOf leaves out the times at which rows were written.
func effectOf(tx *gorm.DB, rows ...Gadget) effect {
	got := effect{rows: slices.Clone(rows), affected: tx.RowsAffected}
	for i := range got.rows {
		for _, at := range []*time.Time{&got.rows[i].CreatedAt, &got.rows[i].UpdatedAt} {
			if !at.IsZero() {
				*at = time.Unix(1, 0)
			}
		}
	}
	if tx.Error != nil {
		got.fault = tx.Error.Error()
	}
	return got
}

// drawInput draws the input of a gadget. Some are refused by the database.
func drawInput(t *rapid.T) (in GadgetInput) {
	text, err := json.Marshal(drawMembers(t, "name", "made"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &in))
	if rapid.IntRange(0, 9).Draw(t, "too long") == 0 {
		in.Colour = "a colour that is too long"
	}
	return in
}

// usedGadget returns the struct of a gadget whose other fields are from another one.
func usedGadget(id int64) Gadget {
	text, number, ratio, at := "before", int64(7), 0.7, time.Unix(7, 0).UTC()
	return Gadget{Owner: models.Owner{ID: id}, GadgetInput: GadgetInput{
		Name: text, Note: &text, Level: number, Active: true, Serial: &number, Weight: ratio, Ratio: &ratio, Made: at, Due: &at,
	}}
}

func TestANullLeavesInAUsedStructWhatGORMLeavesThere(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		db := newServerWith(t, databaseURL, gadgets).db
		row := newGadget("ann", GadgetInput{Name: "x", Made: time.Unix(1, 0)})
		require.NoError(t, models.CreateOwned(t.Context(), db, "ann", &row))
		for _, column := range []string{"name", "note", "level", "active", "serial", "weight", "ratio", "made", "due"} {
			t.Run(column, func(t *testing.T) {
				read := func(db *gorm.DB) effect {
					used := usedGadget(row.ID)
					return effectOf(db.Scopes(models.OwnedBy("ann")).Select("id", "NULL AS "+column).Find(&used), used)
				}
				var byGORM effect
				require.NoError(t, db.Transaction(func(tx *gorm.DB) error { byGORM = read(tx); return tx.Error }))
				require.EqualValues(t, 1, byGORM.affected)
				require.Equal(t, byGORM, read(db))
			})
		}
	})
}

// drawGadgetStatement draws a statement on the gadgets of a user.
func drawGadgetStatement(t *rapid.T) func(db *gorm.DB) effect {
	user := rapid.SampledFrom([]string{"ann", "ann", "bob", "nobody"}).Draw(t, "user")
	id, stars := rapid.Int64Range(1, 12).Draw(t, "id"), rapid.Int64Range(0, 5).Draw(t, "stars")
	limit, columns := rapid.IntRange(1, 5).Draw(t, "limit"), rapid.SliceOfDistinct(rapid.SampledFrom([]string{
		"id", "name", "note", "stars", "serial", "ratio", "made", "due", "retired", "version", "NULL AS name", "NULL AS made", "1 AS other",
	}), func(column string) string { return strings.TrimPrefix(column, "NULL AS ") }).Draw(t, "columns")
	if len(columns) == 1 {
		columns = append(columns, "active") // GORM takes a single column that it does not know for the whole row
	}
	in := drawInput(t)
	mine := func(db *gorm.DB) *gorm.DB { return db.Scopes(models.OwnedBy(user)) }
	changes := func() map[string]any {
		return map[string]any{"note": in.Note, "stars": in.Stars, "colour": in.Colour, "energy": in.Energy, "due": in.Due}
	}
	find := func(query *gorm.DB, into []Gadget) effect {
		tx := query.Order("id").Limit(limit).Find(&into)
		require.False(t, tx.Error == nil && into == nil)
		return effectOf(tx, into...)
	}
	update := func(query *gorm.DB, columns ...clause.Column) effect {
		var row Gadget
		return effectOf(query.Model(&row).Clauses(clause.Returning{Columns: columns}).Updates(changes()), row)
	}
	one := usedGadget(id)
	return rapid.SampledFrom([]func(db *gorm.DB) effect{
		func(db *gorm.DB) effect { row := newGadget(user, in); return effectOf(db.Create(&row), row) },
		func(db *gorm.DB) effect { row := newGadget(user, in); return effectOf(db.Create(&row), row) },
		func(db *gorm.DB) effect {
			row := newGadget(user, in)
			row.ID = id + 1000 // given, and perhaps taken
			return effectOf(db.Create(&row), row)
		},
		func(db *gorm.DB) effect {
			rows := []Gadget{newGadget(user, in), newGadget("ann", in)}
			return effectOf(db.Create(&rows), rows...)
		},
		func(db *gorm.DB) effect { row := one; return effectOf(mine(db).Take(&row), row) },
		func(db *gorm.DB) effect { var row Gadget; return effectOf(mine(db).First(&row, id), row) },
		func(db *gorm.DB) effect { row := one; return effectOf(mine(db).Select(columns).Find(&row), row) },
		func(db *gorm.DB) effect { return find(mine(db).Where("stars >= ?", stars), nil) },
		func(db *gorm.DB) effect { return find(mine(db).Select(columns), make([]Gadget, 0, 2)) },
		func(db *gorm.DB) effect { return find(mine(db).Omit("name", "made"), []Gadget{one}) },
		func(db *gorm.DB) effect { return find(mine(db).Distinct(), nil) },
		func(db *gorm.DB) effect { return find(mine(db).Where("name < ?", 1, 2), nil) },
		func(db *gorm.DB) effect { return update(mine(db).Where("id = ?", id)) },
		func(db *gorm.DB) effect { return update(mine(db).Where("stars = ?", stars)) },
		func(db *gorm.DB) effect {
			return update(mine(db).Where("id = ?", id), clause.Column{Name: "stars"}, clause.Column{Name: "version"})
		},
		func(db *gorm.DB) effect { return update(mine(db).Where("missing = ?", id)) },
		func(db *gorm.DB) effect {
			var rows []Gadget
			tx := mine(db).Where("stars = ?", stars).Model(&rows).Clauses(clause.Returning{}).Updates(changes())
			slices.SortFunc(rows, func(a, b Gadget) int { return int(a.ID - b.ID) })
			return effectOf(tx, rows...)
		},
		func(db *gorm.DB) effect {
			return effectOf(mine(db).Model(&Gadget{}).Where("id = ?", id).Updates(changes()))
		},
		func(db *gorm.DB) effect { return effectOf(mine(db).Where("id = ?", id).Delete(&Gadget{})) },
		func(db *gorm.DB) effect {
			rows := []Gadget{}
			tx := mine(db).Where("stars = ?", stars).Clauses(clause.Returning{}).Delete(&rows)
			slices.SortFunc(rows, func(a, b Gadget) int { return int(a.ID - b.ID) })
			return effectOf(tx, rows...)
		},
		drawTemplate(t, user, id, in),
		drawTemplate(t, user, id, in),
		drawTemplate(t, user, id, in),
		drawTemplate(t, user, id, in),
		drawListTemplate(t, user, stars, limit),
		drawListTemplate(t, user, stars, limit),
		func(db *gorm.DB) effect {
			var names []string
			tx := mine(db).Model(&Gadget{}).Order("id").Pluck("name", &names)
			return effectOf(tx, Gadget{GadgetInput: GadgetInput{Name: fmt.Sprint(names)}})
		},
	}).Draw(t, "statement")
}

// A transaction is left to GORM.
func TestAStatementDoesTheSameWhetherGORMRunsItOrOnlyBuildsIt(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		own := newServerWith(t, databaseURL, gadgets).db
		other := newServerWith(t, map[bool]func(testing.TB) string{true: newPostgres, false: newSQLite}[own.Name() == "postgres"](t), gadgets).db
		inTransaction := func(statement func(db *gorm.DB) effect) (got effect) {
			_ = other.Transaction(func(tx *gorm.DB) error {
				if got = statement(tx); got.fault != "" {
					return gorm.ErrInvalidTransaction
				}
				return nil
			})
			return got
		}
		for _, user := range []string{"ann", "bob"} {
			require.NoError(t, own.Create(&models.User{ID: user}).Error)
			require.NoError(t, other.Create(&models.User{ID: user}).Error)
		}
		all := func(db *gorm.DB) effect {
			var rows []Gadget
			return effectOf(models.AcrossOwners(db).Order("id").Find(&rows), rows...)
		}
		rapid.Check(t, func(rt *rapid.T) {
			for range rapid.IntRange(1, 10).Draw(rt, "statements") {
				statement := drawGadgetStatement(rt)
				require.Equal(rt, inTransaction(statement), statement(own))
			}
			require.Equal(rt, inTransaction(all), all(own))
		})
	})
}
