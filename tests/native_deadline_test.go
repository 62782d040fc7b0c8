package tests

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"taskapi/models"
)

// overtaken is a context that ends while a statement runs: only who asks afterwards learns of it.
type overtaken struct{ context.Context }

func (overtaken) Err() error { return context.DeadlineExceeded }

func TestACreationWhoseDeadlineComesMeanwhileIsAnsweredAsItEnded(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		s.as("ann").create(t, "the user is there")
		row := models.NewTask("ann", models.TaskInput{Title: "written"})
		require.NoError(t, models.CreateOwned(overtaken{context.Background()}, s.db, "ann", &row))
		s.as("ann").call(t, 200, "GET", path(row.ID))
	})
}
