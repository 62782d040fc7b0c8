package tests

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mayImport has a row for each package of the program: those of the program's packages that it may import.
// Nothing imports the root package or the tests.
var mayImport = map[string][]string{
	".": {
		"config", "middleware", "middleware/token", "models", "models/database", "models/transfer", "routes", "routes/server",
	},
	"routes": {
		"config", "middleware", "middleware/token", "models", "models/database", "routes/bind", "routes/server",
	},
	"routes/bind":      {"models"},
	"routes/server":    {"config", "middleware", "middleware/token", "models"},
	"middleware":       {"config", "middleware/token", "models", "models/database"},
	"middleware/token": {"config", "models"},
	"models/transfer":  {"config", "models", "models/database"},
	"models/database":  {"config", "models", "models/database/native"},
	"models":           {"config"},
	"config":           {},

	"models/database/native": {},
}

// goPackage is a package of the program as "go list" describes it.
type goPackage struct {
	Dir        string
	ImportPath string
	Imports    []string
	Module     struct{ Path string }
}

// name is the path in the module, "." for the root package.
func (p goPackage) name() string {
	if p.ImportPath == p.Module.Path {
		return "."
	}
	return strings.TrimPrefix(p.ImportPath, p.Module.Path+"/")
}

// own returns the names of the program's packages that p imports.
func (p goPackage) own() (names []string) {
	for _, imported := range p.Imports {
		if imported == p.Module.Path || strings.HasPrefix(imported, p.Module.Path+"/") {
			names = append(names, goPackage{ImportPath: imported, Module: p.Module}.name())
		}
	}
	return names
}

// files returns the paths of the package's files, without its tests.
func (p goPackage) files(t *testing.T) (paths []string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(p.Dir, "*.go"))
	require.NoError(t, err)
	for _, path := range all {
		if !strings.HasSuffix(path, "_test.go") {
			paths = append(paths, path)
		}
	}
	return paths
}

// fileLines returns the lines of a file.
func fileLines(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// goPackages lists the packages of the program, without the tests.
func goPackages(t *testing.T) (packages []goPackage) {
	t.Helper()
	list := exec.Command("go", "list", "-json=Dir,ImportPath,Imports,Module", "./...")
	list.Dir = ".."
	list.Stderr = os.Stderr
	output, err := list.Output()
	require.NoError(t, err)
	for decoder := json.NewDecoder(bytes.NewReader(output)); decoder.More(); {
		var next goPackage
		require.NoError(t, decoder.Decode(&next))
		if next.name() != "tests" {
			packages = append(packages, next)
		}
	}
	require.NotEmpty(t, packages)
	return packages
}

func TestPackagesImportOnlyThoseBelowThem(t *testing.T) {
	t.Parallel()
	for _, p := range goPackages(t) {
		t.Run(p.name(), func(t *testing.T) {
			t.Parallel()
			allowed, listed := mayImport[p.name()]
			require.True(t, listed, "mayImport has no row for this package")
			require.Subset(t, allowed, p.own())
		})
	}
}

func TestProgramFilesHaveAtMost200Lines(t *testing.T) {
	t.Parallel()
	for _, p := range goPackages(t) {
		for _, path := range p.files(t) {
			t.Run(filepath.Join(p.name(), filepath.Base(path)), func(t *testing.T) {
				t.Parallel()
				require.LessOrEqual(t, len(fileLines(t, path)), 200, "lines")
			})
		}
	}
}

// structTag matches a line that ends with the tag of a struct's field.
var structTag = regexp.MustCompile("\\s`\\w+:\"[^`]*`$")

func TestNoGoFileHasALineOver140Bytes(t *testing.T) {
	t.Parallel()
	for _, file := range versioned(t) {
		if filepath.Ext(file) != ".go" {
			continue
		}
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			for i, line := range fileLines(t, filepath.Join("..", file)) {
				if !structTag.MatchString(line) {
					require.LessOrEqual(t, len(line), 140, "bytes of line %d", i+1)
				}
			}
		})
	}
}

func TestNoPackageHoldsAQuarterOfTheProgram(t *testing.T) {
	t.Parallel()
	lines, all := map[string]int{}, 0
	for _, p := range goPackages(t) {
		for _, path := range p.files(t) {
			count := len(fileLines(t, path))
			lines[p.name()] += count
			all += count
		}
	}
	for name, count := range lines {
		t.Run(name, func(t *testing.T) {
			require.Less(t, 4*count, all, "%d of %d lines", count, all)
		})
	}
}

func TestEachPackageOfTheTableExists(t *testing.T) {
	t.Parallel()
	var names []string
	for _, p := range goPackages(t) {
		names = append(names, p.name())
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(mayImport)), names)
}
