package tests

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

var installClients = sync.OnceValue(func() error { return installPackages("clients") })

// clientsCode writes the code of docs/spa.md into a directory, beside the packages of the clients.
func clientsCode(t *testing.T) (code string, found []block) {
	t.Helper()
	requirePackages(t, "the clients of others", installClients())
	code, found = spaCode(t)
	packages, err := filepath.Abs("clients/node_modules")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(packages, code+"/node_modules"))
	return code, found
}

func TestWithTheTypesOfTheDocumentRightCallsWorkAndWrongOnesDoNotCompile(t *testing.T) {
	buildProgram(t)
	code, _ := clientsCode(t)
	document := newHome(t).run(t, nil, "openapi").stdout
	require.NoError(t, os.WriteFile(code+"/openapi.yaml", []byte(document), 0o600))
	for _, name := range []string{"calls.ts", "wrong.ts"} {
		text, err := os.ReadFile("clients/" + name)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(code+"/"+name, text, 0o600))
	}
	runIn(t, code, "node_modules/.bin/openapi-typescript", "openapi.yaml", "--default-non-nullable", "false", "-o", "schema.d.ts")
	runIn(t, code, "node_modules/.bin/tsc", "--strict", "--target", "es2022", "--module", "nodenext",
		"--outDir", "built", "calls.ts", "wrong.ts")
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		s := newHome(t).start(t, append(inDevelopment, "DATABASE_URL="+databaseURL)...)
		served := s.call(t, 200, "GET", "/openapi.yaml", "", "")
		require.Equal(t, document, string(served.body), "the types are made from another document")
		ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
		defer cancel()
		calls := exec.CommandContext(ctx, "node", code+"/built/calls.js", s.url, tokenOf(t, "ann"))
		out, err := calls.Output()
		require.NoError(t, err)
		require.JSONEq(t, `{"statuses": [201, 200, 200, 200, 200, 200, 412, 422, 204, 200], "description": null, "titles": ["two"],
			"completed": [true, false], "places": ["body.title"]}`, string(out))
	})
}

func TestAdminFrameworksAndLocalStoresWorkWithFortyLinesOfGlue(t *testing.T) {
	buildProgram(t)
	code, found := clientsCode(t)
	for _, b := range found {
		if b.file == "refine.js" || b.file == "collection.js" {
			require.LessOrEqual(t, strings.Count(b.text, "\n"), 40, b.file)
		}
	}
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		s := spa{newHome(t).start(t, append(inDevelopment, "DATABASE_URL="+databaseURL)...), code, "clients"}
		for name, test := range map[string]func(*testing.T, spa){
			"RefinePagesSortsFiltersAndCounts":              testRefineLists,
			"RefineCreatesOnceAndChangesWhatItHasSeen":      testRefineChanges,
			"ACollectionOfTanStackDBShowsChangesAndSettles": testCollection,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, s)
			})
		}
	})
}

func testRefineLists(t *testing.T, s spa) {
	var got struct {
		Pages    []string // titles, total and number of requests
		Whole    string
		Unknown  string
		Unsorted map[string][]string
		GetMany  bool
	}
	s.run(t, "refineLists", &got)
	require.Equal(t, []string{
		"gfe of 7 by 1", "dcb of 7 by 1", "a of 7 by 1", // one page after the other
		"g of 7 by 3", "def of 7 by 1", " of 7 by 1", // a jump, a page on the way, and one beyond the end
		"A b of 1 by 1", "bA b of 2 by 1", "edc of 8 by 2", // filters, and after a change
	}, got.Pages)
	require.Equal(t, "A bgfedcba", got.Whole)
	require.Equal(t, "The server cannot filter by title_like", got.Unknown)
	require.Contains(t, got.Unsorted, "sort")
	require.False(t, got.GetMany, "the server would answer with all rows")
}

func testRefineChanges(t *testing.T, s spa) {
	var got struct {
		Same                    bool
		Changed                 task
		Invalid                 json.RawMessage
		Kept, Conflict, Missing int
	}
	sent := s.run(t, "refineChanges", &got)
	require.Equal(t, []string{
		"POST 201", "POST 201 replayed", "POST 422", "GET 200", "PATCH 200", "PATCH 412", "DELETE 412", "DELETE 204", "GET 404",
	}, sent)
	require.True(t, got.Same, "created twice")
	require.Equal(t, "Once", got.Changed.Title)
	require.True(t, got.Changed.Completed)
	require.JSONEq(t, `[422, {"title": ["String should have at least 1 character"]}]`, string(got.Invalid))
	require.Equal(t, []int{412, 412, 404}, []int{got.Kept, got.Conflict, got.Missing})
	require.Empty(t, s.rows(t, "refineChanges"))
}

func testCollection(t *testing.T, s spa) {
	var got struct {
		Held, Settled, Shown []string
		Fields               map[string][]string
	}
	sent := s.run(t, "collection", &got)
	require.Equal(t, []string{
		"GET 200", "POST 201", "POST 201 replayed", "PATCH 200", "DELETE 204", "POST 422", "DELETE 404", "GET 200",
	}, sent)
	require.Equal(t, []string{"gone, new unsaved, old", "gone, new, old done", "new, old done", " unsaved, new, old done"}, got.Held,
		"before the server answers")
	require.Equal(t, []string{
		"gone, old", "gone, new, old", "gone, new, old done", "new, old done", "new, old done", "new", "new, theirs",
	}, got.Settled)
	require.Subset(t, append(got.Held, got.Settled...), got.Shown, "something else is shown meanwhile")
	require.Contains(t, got.Fields, "title", "why the server refuses a row")
	var titles []string
	for _, row := range s.rows(t, "collection") {
		titles = append(titles, row.Title)
	}
	require.Equal(t, []string{"theirs", "new"}, titles)
}
