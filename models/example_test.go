package models_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"taskapi/config"
	"taskapi/models"
	"taskapi/models/database"
)

func ExampleOwnedBy() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	cfg, err := config.Parse(map[string]string{"DATABASE_URL": "sqlite://" + filepath.Join(dir, "tasks.db")})
	if err != nil {
		panic(err)
	}
	db, err := database.Open(context.Background(), cfg, models.Owned(), slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	defer database.Close(db)

	for _, user := range []string{"ann", "bob"} {
		task := models.NewTask(user, models.TaskInput{Title: "Call " + user})
		if err := models.CreateOwned(context.Background(), db, user, &task); err != nil {
			panic(err)
		}
	}
	var tasks []models.Task
	err = db.Scopes(models.OwnedBy("ann")).Where("title LIKE ?", "Call%").Find(&tasks).Error
	fmt.Println(len(tasks), tasks[0].Title, err)
	fmt.Println(db.Find(&tasks).Error)
	// Output:
	// 1 Call ann <nil>
	// isolation: the statement is not confined by OwnedBy
}
