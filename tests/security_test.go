package tests

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheThreatModelNamesTestsThatExist(t *testing.T) {
	t.Parallel()
	model, err := os.ReadFile("../SECURITY.md")
	require.NoError(t, err)
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	var tests []byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		tests = append(tests, text...)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllSubmatch(model, -1)
	require.Greater(t, len(named), 20)
	for _, name := range named {
		require.True(t, bytes.Contains(tests, []byte("\nfunc "+string(name[1])+"(")), "%s", name[1])
	}
}
