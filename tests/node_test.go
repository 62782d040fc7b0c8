package tests

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// installPackages installs what the package-lock.json of a directory names, unless that was done since the lock changed.
func installPackages(dir string) error {
	if _, err := exec.LookPath("node"); err != nil {
		return err
	}
	lock, err := os.Stat(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return err
	}
	installed, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json")) // npm's own note of what it installed
	if err == nil && !installed.ModTime().Before(lock.ModTime()) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--loglevel=error", "--fetch-retries=1")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w: %s", errors.Join(err, ctx.Err()), out)
	}
	return nil
}

// requirePackages skips a test whose packages cannot be installed, but never in CI.
func requirePackages(t testing.TB, name string, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		require.NoError(t, err)
	}
	if err != nil {
		reason, _, _ := strings.Cut(err.Error(), "\n")
		t.Skip(name + " is left out: it needs Node.js, and npm to install it: " + reason)
	}
}

// spaCode writes the code of docs/spa.md into a directory.
func spaCode(t *testing.T) (code string, found []block) {
	t.Helper()
	page, err := os.ReadFile("../docs/spa.md")
	require.NoError(t, err)
	code, found = t.TempDir(), blocks(string(page))
	require.NoError(t, os.WriteFile(code+"/package.json", []byte(`{"type": "module"}`), 0o600))
	for _, b := range found {
		require.Contains(t, []string{"js", "ts"}, b.language)
		b.apply(t, code)
	}
	return code, found
}
