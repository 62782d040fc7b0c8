package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// recipeTests are the tests that a new resource must pass as it is declared.
var recipeTests = []string{
	"TestNoRouteShowsOrChangesAnotherUsersRow",
	"TestTheGuardStopsWhateverReachesAnOwnedModelWithoutItsOwner",
	"TestTheDocumentAndTheRoutesAreTheSame",
	"TestTheDocumentIsValidAndNamesTheOperationsAsClientsKnowThem",
	"TestEveryMigratedTableIsCopiedOrNamedAsOneThatIsNot",
}

func TestTheRecipeForAResourceDoesWhatItsPageSays(t *testing.T) {
	if raceDetector || testing.Short() {
		t.Skip("builds and tests a copy of the program")
	}
	t.Parallel()
	recipe, further := readRecipe(t)
	lines, places := 0, map[string]bool{}
	for _, b := range recipe {
		for file, added := range b.additions() {
			lines, places[file] = lines+added, true
		}
	}
	require.Len(t, places, 3)
	require.LessOrEqual(t, lines, 30)

	tree := copyTree(t)
	for _, step := range []struct {
		name       string
		blocks     []block
		operations []string
	}{
		{"the recipe", recipe, []string{"create_note", "delete_note", "get_note", "list_notes", "patch_note", "update_note"}},
		{"going further", further, []string{"create_note", "delete_note", "get_note", "list_notes", "patch_note", "pin_note"}},
	} {
		for _, b := range step.blocks {
			b.apply(t, tree)
		}
		require.Empty(t, runIn(t, tree, "gofmt", "-l", "models", "routes"), step.name)
		runIn(t, tree, "go", "build", "-ldflags=-s -w", "-o", "taskapi", ".")
		document := runIn(t, tree, "./taskapi", "openapi")
		operations := regexp.MustCompile(`operationId: (\w+_notes?)\n`).FindAllStringSubmatch(document, -1)
		for i, name := range operations {
			operations[i] = name[1:]
		}
		require.ElementsMatch(t, step.operations, slices.Concat(operations...), step.name)
		out := runIn(t, tree, "go", "test", "-gcflags=taskapi/...=-N -l", "-ldflags=-s -w", "-vet=off", // builds fastest so
			"./tests", "-v", "-run", "^("+strings.Join(recipeTests, "|")+")$")
		for _, name := range recipeTests {
			require.Contains(t, out, "\n--- PASS: "+name+" ", step.name)
		}
	}
}

// block is a block of code of a page: a file, or a diff of files.
type block struct{ language, file, text string }

var fenced = regexp.MustCompile("(?ms)^```(\\w+)(?: title=(\\S+))?\n(.*?)^```$")

// blocks returns the blocks of a page, without commands.
func blocks(page string) (found []block) {
	for _, b := range fenced.FindAllStringSubmatch(page, -1) {
		if b[1] != "sh" {
			found = append(found, block{b[1], b[2], b[3]})
		}
	}
	return found
}

// readRecipe returns the blocks of the page on adding a resource that go into the tree.
func readRecipe(t testing.TB) (recipe, further []block) {
	t.Helper()
	page, err := os.ReadFile("../docs/adding-a-resource.md")
	require.NoError(t, err)
	first, second, found := strings.Cut(string(page), "\n## Going further\n")
	require.True(t, found)
	recipe, further = blocks(first), blocks(second)
	require.Len(t, recipe, 2)
	require.NotEmpty(t, further)
	return recipe, further
}

// additions counts the lines that a block adds to each file.
func (b block) additions() map[string]int {
	if b.language != "diff" {
		return map[string]int{b.file: strings.Count(b.text, "\n")}
	}
	added, file := map[string]int{}, ""
	for line := range strings.Lines(b.text) {
		if name, found := strings.CutPrefix(line, "+++ b/"); found {
			file = strings.TrimSpace(name)
		} else if strings.HasPrefix(line, "+") {
			added[file]++
		}
	}
	return added
}

// apply writes a new file or changes those of a diff, whose context must be as it says.
func (b block) apply(t testing.TB, tree string) {
	t.Helper()
	if b.language == "diff" {
		patch := filepath.Join(t.TempDir(), "patch")
		require.NoError(t, os.WriteFile(patch, []byte(b.text), 0o600))
		runIn(t, tree, "git", "apply", patch)
		return
	}
	require.NotEmpty(t, b.file, "a block without a file: %s", b.text)
	file := filepath.Join(tree, b.file)
	require.NoFileExists(t, file)
	require.NoError(t, os.WriteFile(file, []byte(b.text), 0o600))
}

// versioned lists the files that are, or would be, under version control, except those that are deleted and not yet committed.
func versioned(t testing.TB) (files []string) {
	t.Helper()
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = ".."
	names, err := list.Output()
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("the program is not in a git repository")
	}
	require.NoError(t, err)
	for _, file := range strings.Split(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		if _, err := os.Stat(filepath.Join("..", file)); !os.IsNotExist(err) {
			files = append(files, file)
		}
	}
	return files
}

// copyTree copies the files that are, or would be, under version control into a directory of their own.
func copyTree(t testing.TB) (tree string) {
	t.Helper()
	tree = t.TempDir()
	for _, file := range versioned(t) {
		text, err := os.ReadFile(filepath.Join("..", file))
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(tree, file)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(tree, file), text, 0o600))
	}
	return tree
}

// runIn runs a command in the copy, whose tests use the databases of these.
func runIn(t testing.TB, tree string, name string, args ...string) string {
	t.Helper()
	command := exec.Command(name, args...)
	command.Dir = tree
	command.Env = append(os.Environ(), "TEST_DATABASE_URL="+postgresURL, "TEST_PGBOUNCER=",
		"GIT_CEILING_DIRECTORIES="+filepath.Dir(tree)) // or git would apply a diff to a repository around the copy
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s %s: %s", name, strings.Join(args, " "), out)
	return string(out)
}
