package tests

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"taskapi/models"
)

// unscoped lists, by name, the ways of GORM to reach rows of an owned model without saying whose.
var unscoped = map[string]func(db *gorm.DB) error{
	"Find":            func(db *gorm.DB) error { return db.Find(&[]models.Task{}).Error },
	"Find with ids":   func(db *gorm.DB) error { return db.Find(&[]models.Task{}, []int64{1}).Error },
	"Find into maps":  func(db *gorm.DB) error { return db.Model(&models.Task{}).Find(&[]map[string]any{}).Error },
	"Find by user id": func(db *gorm.DB) error { return db.Where("user_id = ?", "ann").Find(&[]models.Task{}).Error },
	"Find by struct": func(db *gorm.DB) error {
		return db.Where(&models.Task{Owner: models.Owner{UserID: ""}}).Find(&[]models.Task{}).Error
	},
	"Find a smaller struct": func(db *gorm.DB) error {
		return db.Model(&models.Task{}).Find(&[]struct{ Title string }{}).Error
	},
	"Find in a subquery": func(db *gorm.DB) error {
		return db.Table("(?) AS t", db.Model(&models.Task{})).Find(&[]map[string]any{}).Error
	},
	"Find with Unscoped": func(db *gorm.DB) error { return db.Unscoped().Find(&[]models.Task{}).Error },
	"First":              func(db *gorm.DB) error { return db.First(&models.Task{}, 1).Error },
	"Take":               func(db *gorm.DB) error { return db.Take(&models.Task{}, 1).Error },
	"Take by the key":    func(db *gorm.DB) error { return db.Take(&models.Task{Owner: models.Owner{ID: 1}}).Error },
	"Last":               func(db *gorm.DB) error { return db.Last(&models.Task{}).Error },
	"Count":              func(db *gorm.DB) error { return db.Model(&models.Task{}).Count(new(int64)).Error },
	"Pluck":              func(db *gorm.DB) error { return db.Model(&models.Task{}).Pluck("title", &[]string{}).Error },
	"Scan":               func(db *gorm.DB) error { return db.Model(&models.Task{}).Scan(&[]models.Task{}).Error },
	"Rows": func(db *gorm.DB) error {
		rows, err := db.Model(&models.Task{}).Rows()
		if err == nil {
			err = rows.Close()
		}
		return err
	},
	"Row": func(db *gorm.DB) error {
		tx := db.Model(&models.Task{}).Select("title")
		if row := tx.Row(); row != nil {
			return row.Err()
		}
		return models.ErrNotConfined // Row has no error to give; it gives no row
	},
	"FindInBatches": func(db *gorm.DB) error {
		return db.FindInBatches(&[]models.Task{}, 10, func(*gorm.DB, int) error { return nil }).Error
	},
	"FirstOrInit":   func(db *gorm.DB) error { return db.FirstOrInit(&models.Task{}, "id = 1").Error },
	"FirstOrCreate": func(db *gorm.DB) error { return db.FirstOrCreate(&models.Task{}, "id = 1").Error },
	"Joins": func(db *gorm.DB) error {
		return db.Model(&models.User{}).Joins("JOIN tasks ON tasks.user_id = users.id").Select("tasks.title").Find(&[]map[string]any{}).Error
	},
	"Joins of the model": func(db *gorm.DB) error { return db.Joins("User").Find(&[]taskWithUser{}).Error },
	"a FROM clause": func(db *gorm.DB) error {
		return db.Model(&models.User{}).Clauses(clause.From{Tables: []clause.Table{{Name: "tasks"}}}).Find(&[]map[string]any{}).Error
	},
	"Table":               func(db *gorm.DB) error { return db.Table("tasks").Find(&[]map[string]any{}).Error },
	"Table of another":    func(db *gorm.DB) error { return db.Table("tasks").Find(&[]models.User{}).Error },
	"Table with an alias": func(db *gorm.DB) error { return db.Table("tasks AS users").Find(&[]models.User{}).Error },
	"Raw":                 func(db *gorm.DB) error { return db.Raw("SELECT * FROM tasks").Scan(&[]models.Task{}).Error },
	"Raw into the other":  func(db *gorm.DB) error { return db.Raw("SELECT title AS id FROM tasks").Scan(&[]models.User{}).Error },
	"Raw with the scope": func(db *gorm.DB) error {
		return db.Scopes(models.OwnedBy("ann")).Raw("SELECT * FROM tasks").Scan(&[]models.Task{}).Error
	},
	"a join in the scope": func(db *gorm.DB) error {
		return db.Scopes(models.OwnedBy("ann")).Joins("JOIN tasks t ON true").Select("t.*").Find(&[]models.Task{}).Error
	},
	"a table as text in the scope": func(db *gorm.DB) error {
		return db.Scopes(models.OwnedBy("ann")).Table("(SELECT title, 'ann' AS user_id FROM tasks) AS t").Find(&[]models.Task{}).Error
	},
	"Exec": func(db *gorm.DB) error { return db.Exec("UPDATE tasks SET title = 'x'").Error },
	"a SET clause in the scope": func(db *gorm.DB) error {
		set := clause.Set{{Column: clause.Column{Name: "user_id"}, Value: "bob"}}
		return db.Scopes(models.OwnedBy("ann")).Model(&models.Task{}).Clauses(set).Updates(map[string]any{"title": "x"}).Error
	},
	"Exec with the scope": func(db *gorm.DB) error { return db.Scopes(models.OwnedBy("ann")).Exec("DELETE FROM tasks").Error },
	"Update": func(db *gorm.DB) error {
		return db.Model(&models.Task{Owner: models.Owner{ID: 1}}).Update("title", "x").Error
	},
	"Updates": func(db *gorm.DB) error {
		return db.Model(&models.Task{}).Where("id = 1").Updates(models.Task{TaskInput: models.TaskInput{Title: "x"}}).Error
	},
	"UpdateColumn": func(db *gorm.DB) error {
		return db.Model(&models.Task{Owner: models.Owner{ID: 1}}).UpdateColumn("title", "x").Error
	},
	"UpdateColumns": func(db *gorm.DB) error {
		return db.Model(&models.Task{Owner: models.Owner{ID: 1}}).UpdateColumns(map[string]any{"title": "x"}).Error
	},
	"Update of the table": func(db *gorm.DB) error { return db.Table("tasks").Where("id = 1").Update("title", "x").Error },
	"Update of everything": func(db *gorm.DB) error {
		return db.Session(&gorm.Session{AllowGlobalUpdate: true}).Model(&models.Task{}).Update("title", "x").Error
	},
	"Save": func(db *gorm.DB) error {
		return db.Save(&models.Task{Owner: models.Owner{ID: 1, UserID: "bob"}, TaskInput: models.TaskInput{Title: "x"}}).Error
	},
	"Delete":              func(db *gorm.DB) error { return db.Delete(&models.Task{Owner: models.Owner{ID: 1}}).Error },
	"Delete by id":        func(db *gorm.DB) error { return db.Delete(&models.Task{}, 1).Error },
	"Delete of the table": func(db *gorm.DB) error { return db.Table("tasks").Where("id = 1").Delete(&models.User{}).Error },
	"in a transaction": func(db *gorm.DB) error {
		return db.Transaction(func(tx *gorm.DB) error { return tx.Delete(&models.Task{}, 1).Error })
	},
	"on one connection": func(db *gorm.DB) error {
		return db.Connection(func(tx *gorm.DB) error { return tx.Find(&[]models.Task{}).Error })
	},
	"with a new session": func(db *gorm.DB) error {
		return db.Scopes(models.OwnedBy("ann")).Session(&gorm.Session{NewDB: true}).Find(&[]models.Task{}).Error
	},
	"generic Find":  func(db *gorm.DB) error { _, err := gorm.G[models.Task](db).Find(context.Background()); return err },
	"generic First": func(db *gorm.DB) error { _, err := gorm.G[models.Task](db).First(context.Background()); return err },
	"generic Count": func(db *gorm.DB) error {
		_, err := gorm.G[models.Task](db).Count(context.Background(), "*")
		return err
	},
	"generic Update": func(db *gorm.DB) error {
		_, err := gorm.G[models.Task](db).Where("id = 1").Update(context.Background(), "title", "x")
		return err
	},
	"generic Delete": func(db *gorm.DB) error {
		_, err := gorm.G[models.Task](db).Where("id = 1").Delete(context.Background())
		return err
	},
	"generic Raw": func(db *gorm.DB) error {
		_, err := gorm.G[models.Task](db).Raw("SELECT * FROM tasks").Find(context.Background())
		return err
	},
	"generic Exec": func(db *gorm.DB) error {
		return gorm.G[models.Task](db).Exec(context.Background(), "DELETE FROM tasks")
	},
}

// taskWithUser is a task that GORM itself can join with its user.
type taskWithUser struct {
	ID     int64
	UserID string
	User   *models.User
}

func (taskWithUser) TableName() string { return "tasks" }

func TestTheGuardFailsWhateverIsNotConfinedToAUser(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		before := s.as("ann").create(t, "ann's")
		for name, reach := range unscoped {
			require.ErrorIs(t, reach(s.db), models.ErrNotConfined, name)
		}
		require.Equal(t, []task{before}, s.as("ann").list(t))
	})
}

func TestTheGuardFailsRowsWithoutAnOwnerAndUpserts(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		before := s.as("ann").create(t, "ann's")
		for name, create := range map[string]func(db *gorm.DB) error{
			"a struct": func(db *gorm.DB) error { return db.Create(&models.Task{TaskInput: models.TaskInput{Title: "x"}}).Error },
			"one of a slice": func(db *gorm.DB) error {
				return db.Create([]models.Task{models.NewTask("ann", models.TaskInput{Title: "x"}), {TaskInput: models.TaskInput{Title: "y"}}}).Error
			},
			"a slice of pointers": func(db *gorm.DB) error {
				return db.Create([]*models.Task{{TaskInput: models.TaskInput{Title: "y"}}}).Error
			},
			"batches": func(db *gorm.DB) error {
				return db.CreateInBatches([]models.Task{{TaskInput: models.TaskInput{Title: "x"}}, {TaskInput: models.TaskInput{Title: "y"}}}, 1).Error
			},
			"a map": func(db *gorm.DB) error { return db.Model(&models.Task{}).Create(map[string]any{"title": "x"}).Error },
			"a map with an owner": func(db *gorm.DB) error {
				return db.Model(&models.Task{}).Create(map[string]any{"title": "x", "user_id": "ann"}).Error
			},
			"maps": func(db *gorm.DB) error {
				return db.Model(&models.Task{}).Create([]map[string]any{{"title": "x"}}).Error
			},
			"Save":                 func(db *gorm.DB) error { return db.Save(&models.Task{TaskInput: models.TaskInput{Title: "x"}}).Error },
			"the table":            func(db *gorm.DB) error { return db.Table("tasks").Create(map[string]any{"title": "x"}).Error },
			"the table of another": func(db *gorm.DB) error { return db.Table("tasks").Create(&models.User{ID: "x"}).Error },
			"generic": func(db *gorm.DB) error {
				return gorm.G[models.Task](db).Create(context.Background(), &models.Task{TaskInput: models.TaskInput{Title: "x"}})
			},
			"the scope instead": func(db *gorm.DB) error {
				return db.Scopes(models.OwnedBy("ann")).Create(&models.Task{TaskInput: models.TaskInput{Title: "x"}}).Error
			},
			"an empty scope": func(db *gorm.DB) error { return db.Scopes(models.OwnedBy("")).Find(&[]models.Task{}).Error },
		} {
			require.ErrorIs(t, create(s.db), models.ErrNoOwner, name)
		}
		taken := models.Task{Owner: models.Owner{ID: before.ID, UserID: "bob"}, TaskInput: models.TaskInput{Title: "bob's now"}}
		for name, upsert := range map[string]func(db *gorm.DB) error{
			"OnConflict": func(db *gorm.DB) error { return db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&taken).Error },
			"OR REPLACE": func(db *gorm.DB) error {
				return db.Clauses(clause.Insert{Modifier: "OR REPLACE"}).Create(&taken).Error
			},
			"DoNothing":       func(db *gorm.DB) error { return db.Clauses(clause.OnConflict{DoNothing: true}).Create(&taken).Error },
			"Save of a slice": func(db *gorm.DB) error { return db.Save([]models.Task{taken}).Error },
			"generic": func(db *gorm.DB) error {
				return gorm.G[models.Task](db, clause.OnConflict{UpdateAll: true}).Create(context.Background(), &taken)
			},
		} {
			require.ErrorIs(t, upsert(s.db), models.ErrUpsert, name)
		}
		require.ErrorIs(t, s.db.Scopes(models.OwnedBy("bob")).Save(&taken).Error, models.ErrStructUpdate)
		require.Equal(t, []task{before}, s.as("ann").list(t))
		require.Empty(t, s.as("bob").list(t))
	})
}

func TestNoConditionLoosensTheScope(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		anns, bobs := s.as("ann").create(t, "ann's"), s.as("bob").create(t, "bob's")
		for name, loosen := range map[string]func(db *gorm.DB) *gorm.DB{
			"Or":                 func(db *gorm.DB) *gorm.DB { return db.Or("1 = 1") },
			"Or alone":           func(db *gorm.DB) *gorm.DB { return db.Or("id = ?", anns.ID) },
			"Where Or":           func(db *gorm.DB) *gorm.DB { return db.Where("1 = 0").Or("1 = 1") },
			"an OR in a text":    func(db *gorm.DB) *gorm.DB { return db.Where("1 = 0 OR 1 = 1") },
			"an OR on two lines": func(db *gorm.DB) *gorm.DB { return db.Where("1 = 0\nOR\t1 = 1") },
			"Not":                func(db *gorm.DB) *gorm.DB { return db.Not("1 = 0") },
			"another's scope":    func(db *gorm.DB) *gorm.DB { return db.Or("user_id = ?", "ann") },
			"a clause": func(db *gorm.DB) *gorm.DB {
				return db.Clauses(clause.Or(clause.Expr{SQL: "1 = 1"}))
			},
		} {
			for order, scoped := range map[string]*gorm.DB{
				"after":  loosen(s.db.Scopes(models.OwnedBy("bob"))),
				"before": loosen(s.db.Session(&gorm.Session{})).Scopes(models.OwnedBy("bob")),
			} {
				scoped = scoped.Session(&gorm.Session{})
				var found []models.Task
				require.NoError(t, scoped.Find(&found).Error, name)
				for _, task := range found {
					require.Equal(t, "bob", task.UserID, "%s %s", name, order)
				}
				require.NoError(t, scoped.Model(&models.Task{}).Update("completed", false).Error)
				var count int64
				require.NoError(t, scoped.Model(&models.Task{}).Count(&count).Error)
				require.LessOrEqual(t, count, int64(1), name)
			}
		}
		require.Equal(t, []task{anns}, s.as("ann").list(t))
		require.Equal(t, bobs.ID, s.as("bob").list(t)[0].ID)
		require.NoError(t, s.db.Scopes(models.OwnedBy("bob")).Or("1 = 1").Delete(&models.Task{}).Error)
		require.Equal(t, []task{anns}, s.as("ann").list(t))
		require.Empty(t, s.as("bob").list(t))
	})
}

func TestAnOwnerNeverChanges(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		before := s.as("ann").create(t, "ann's")
		mine := s.db.Scopes(models.OwnedBy("ann")).Session(&gorm.Session{})
		require.NoError(t, mine.Model(&models.Task{Owner: models.Owner{ID: before.ID}}).
			Updates(map[string]any{"user_id": "bob", "created_at": nil, "title": "same"}).Error)
		require.ErrorIs(t, mine.Model(&models.Task{Owner: models.Owner{ID: before.ID}}).Select("*").
			Updates(models.NewTask("bob", models.TaskInput{Title: "same"})).Error, models.ErrStructUpdate)
		after := s.as("ann").list(t)[0]
		require.Equal(t, "ann", after.UserID)
		require.Equal(t, before.CreatedAt, after.CreatedAt)
		require.Empty(t, s.as("bob").list(t))
	})
}

func TestWorkAcrossOwnersSaysSoByName(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		s.as("ann").create(t, "a")
		s.as("bob").create(t, "b")
		var count int64
		require.NoError(t, models.AcrossOwners(s.db).Model(&models.Task{}).Count(&count).Error)
		require.EqualValues(t, 2, count)
		require.NoError(t, s.db.Find(&[]models.User{}).Error, "a model that nobody owns needs no scope")
		require.ErrorIs(t, s.db.Find(&[]models.Task{}).Error, models.ErrNotConfined, "the freedom is the session's alone")
	})
}
