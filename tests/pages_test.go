package tests

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	fencedBlock = regexp.MustCompile("(?ms)^```.*?^```$")
	link        = regexp.MustCompile(`\]\(([^)#]+)(?:#[^)]*)?\)`)
	code        = regexp.MustCompile("`([^`\n]+)`")
	namedFile   = regexp.MustCompile(`^[\w.-]+(/[\w.-]*)*$`)
)

func TestEveryFileThatAPageNamesExists(t *testing.T) {
	t.Parallel()
	pages := []string{"../README.md", "../CONTRIBUTING.md", "../SECURITY.md"}
	require.NoError(t, filepath.WalkDir("../docs", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			pages = append(pages, path)
		}
		return err
	}))
	named := 0
	for _, page := range pages {
		t.Run(page, func(t *testing.T) {
			text, err := os.ReadFile(page)
			require.NoError(t, err)
			text = fencedBlock.ReplaceAll(text, nil)
			for _, found := range link.FindAllSubmatch(text, -1) {
				if target := string(found[1]); !strings.Contains(target, ":") {
					named++
					require.True(t, exists(filepath.Dir(page), target), "the link %s", target)
				}
			}
			for _, found := range code.FindAllSubmatch(text, -1) {
				if name := string(found[1]); namesFile(name) {
					named++
					require.True(t, exists("..", name) || exists(filepath.Dir(page), name), "the file %s", name)
				}
			}
		})
	}
	require.Greater(t, named, 40)
}

// namesFile reports whether a page's code is the name of a file or directory of the tree, and not a media type or the like.
func namesFile(code string) bool {
	top, _, nested := strings.Cut(code, "/")
	known := slices.Contains([]string{".go", ".md", ".yaml"}, filepath.Ext(code))
	return namedFile.MatchString(code) && (known || nested && exists("..", top))
}

func exists(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}
