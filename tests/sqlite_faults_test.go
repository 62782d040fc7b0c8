package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"taskapi/models"
)

// fullDisk starts a server whose disk has little room left, and returns what makes more. Where the tests may not mount a
// file system of their own, SQLite is told to take so many pages for a full disk.
func fullDisk(t *testing.T) (s *server, makeRoom func()) {
	t.Helper()
	dir := t.TempDir()
	if err := exec.Command("mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", dir).Run(); err != nil {
		s = newServer(t, newSQLite(t))
		pool, err := s.db.DB()
		require.NoError(t, err)
		pool.SetMaxOpenConns(1) // so that the setting, which is the connection's, holds
		db := models.AcrossOwners(s.db)
		require.NoError(t, db.Exec("PRAGMA max_page_count = 100").Error)
		return s, func() { require.NoError(t, db.Exec("PRAGMA max_page_count = 100000").Error) }
	}
	t.Cleanup(func() { require.NoError(t, exec.Command("umount", dir).Run()) })
	ballast := filepath.Join(dir, "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, 3<<20), 0o600))
	return newServer(t, "sqlite://"+filepath.Join(dir, "tasks.db")), func() { require.NoError(t, os.Remove(ballast)) }
}

func TestAFullDiskFailsWritesAloneAndUntilThereIsRoom(t *testing.T) {
	t.Parallel()
	s, makeRoom := fullDisk(t)
	body := map[string]string{"title": "x", "description": strings.Repeat("é", 1000)}
	create := request{method: "POST", path: "/api/tasks", user: "ann", body: body}
	var created []task
	got := s.send(t, create)
	for ; got.StatusCode == 201; got = s.send(t, create) {
		created = append(created, decode[task](t, got))
	}
	require.NotEmpty(t, created)
	for range 5 {
		unavailable(t, got)
		require.ElementsMatch(t, created, s.as("ann").list(t))
		s.as("ann").call(t, 200, "GET", path(created[0].ID))
		require.Equal(t, 200, s.send(t, request{method: "GET", path: "/ready"}).StatusCode)
		got = s.send(t, create)
	}
	for _, line := range s.logs.answered(t, 503) {
		require.Contains(t, line["cause"], "database or disk is full")
	}
	makeRoom()
	require.Equal(t, 201, s.send(t, create).StatusCode)
	s.as("ann").call(t, 204, "DELETE", path(created[0].ID))
	require.Len(t, s.as("ann").list(t), len(created))
}

func TestAFileThatMayOnlyBeReadFailsWritesAlone(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	calls := taskCalls(t, s)
	file := s.cfg.Database.Source
	require.NoError(t, openDirectly(t, "sqlite://"+file).Ping())
	onlyRead := []string{file, file + "-wal", file + "-shm"}
	for _, name := range onlyRead {
		require.NoError(t, os.Chmod(name, 0o444))
	}
	pool, err := s.db.DB()
	require.NoError(t, err)
	pool.SetMaxIdleConns(0) // what is open may write for as long as it is
	pool.SetMaxIdleConns(pool.Stats().MaxOpenConnections)
	asNobody(t, file, func() { openAll(t, pool) })
	writes := 0
	for _, r := range calls {
		got := s.send(t, r)
		if r.method == "GET" {
			require.Equal(t, 200, got.StatusCode)
			continue
		}
		unavailable(t, got)
		writes++
		logged := s.logs.answered(t, 503)
		require.Len(t, logged, writes)
		require.Contains(t, logged[writes-1]["cause"], "attempt to write a readonly database")
	}
	require.Len(t, s.as("ann").list(t), 1)
}
