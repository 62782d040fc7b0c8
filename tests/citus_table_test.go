package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAServerTakesANewTableThatWasMadeForCitusAsItsPageSays(t *testing.T) {
	t.Parallel()
	bin, err := postgresBinaries()
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("pg_dump is not installed")
	}
	require.NoError(t, err)
	plain, databaseURL := newPostgres(t), newPostgres(t)
	newServerWith(t, plain, gadgets)
	distribute(t, databaseURL)

	page, err := os.ReadFile("../docs/postgres.md")
	require.NoError(t, err)
	found := blocks(string(page))
	recipe := found[slices.IndexFunc(found, func(b block) bool { return strings.Contains(b.text, "create_distributed_table") })].text
	require.Equal(t, 3, strings.Count(recipe, "\n"))
	require.Contains(t, string(page), "`pg_dump --section=pre-data --no-owner -t notes`")
	dump := exec.Command(filepath.Join(bin, "pg_dump"), "--section=pre-data", "--no-owner", "-t", "gadgets", withoutPooler(t, plain))
	table, err := dump.Output()
	require.NoError(t, err)
	load := exec.Command(filepath.Join(bin, "psql"), withoutPooler(t, databaseURL), "-v", "ON_ERROR_STOP=1")
	load.Stdin = strings.NewReader(string(table) + "SET search_path = public;" + strings.ReplaceAll(recipe, "notes", "gadgets"))
	out, err := load.CombinedOutput()
	require.NoError(t, err, "%s", out)

	s := newServerWith(t, databaseURL, gadgets)
	for _, r := range s.resources(t) {
		of := r.create(t, "ann", r.example)
		require.Equal(t, of.text, r.call(t, "ann", "GET", of.path).text)
	}
	for _, has := range []string{
		"SELECT indexdef FROM pg_indexes WHERE tablename = 'gadgets' AND indexname <> 'gadgets_pkey' ORDER BY 1",
		"SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'gadgets'::regclass AND contype <> 'p' ORDER BY 1",
	} {
		rows := func(databaseURL string) []string {
			return (&accounts{db: openDirectly(t, databaseURL)}).strings(t, has)
		}
		require.Equal(t, rows(plain), rows(databaseURL))
		require.NotEmpty(t, rows(plain))
	}
}
