package tests

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"taskapi/config"
)

// loadFiles loads the settings of .env and .env.local in a directory of their own.
func loadFiles(t *testing.T, shared, local string) (*config.Config, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, name := range settings {
		if _, set := os.LookupEnv(name); !set {
			t.Setenv(name, "")
		}
	}
	require.NoError(t, os.WriteFile(".env", []byte(shared), 0o600))
	require.NoError(t, os.WriteFile(".env.local", []byte(local), 0o600))
	return config.Load()
}

func TestADotenvFileIsReadAsItIsMeant(t *testing.T) {
	t.Setenv("DB_PASSWORD", "fromOutside")
	for symptom, c := range map[string]struct{ shared, local, want string }{
		"a dollar stays":                              {"BETTER_AUTH_SECRET=pa$5WORD", "", "pa$5WORD"},
		"a dollar before a name stays":                {"BETTER_AUTH_SECRET=pa$PATH$", "", "pa$PATH$"},
		"a dollar in double quotes stays":             {`BETTER_AUTH_SECRET="pa$PATH"`, "", "pa$PATH"},
		"a dollar in single quotes stays":             {"BETTER_AUTH_SECRET='pa$PATH${NOWHERE}'", "", "pa$PATH${NOWHERE}"},
		"an escaped reference stays":                  {`BETTER_AUTH_SECRET="\${NOWHERE}"`, "", "${NOWHERE}"},
		"a reference to the environment":              {"BETTER_AUTH_SECRET=x${DB_PASSWORD}x", "", "xfromOutsidex"},
		"a reference in double quotes":                {`BETTER_AUTH_SECRET="x${DB_PASSWORD}"`, "", "xfromOutside"},
		"a reference to the line before":              {"OWN=mine\nBETTER_AUTH_SECRET=${OWN}", "", "mine"},
		"a reference to the file before":              {"OWN=mine", "BETTER_AUTH_SECRET=${OWN}", "mine"},
		"a reference to what is empty":                {"OWN=\nBETTER_AUTH_SECRET=x${OWN}x", "", "xx"},
		"the environment goes before the files":       {"DB_PASSWORD=inside\nBETTER_AUTH_SECRET=${DB_PASSWORD}", "", "fromOutside"},
		"a reference in a value is not read again":    {"OWN='${NOWHERE}'\nBETTER_AUTH_SECRET=${OWN}", "", "${NOWHERE}"},
		"a byte order mark":                           {"\ufeffBETTER_AUTH_SECRET=x", "", "x"},
		"line breaks of Windows":                      {"OWN=1\r\nBETTER_AUTH_SECRET=x\r\nPORT=1\r\n", "", "x"},
		"no line break at the end":                    {"BETTER_AUTH_SECRET=x", "", "x"},
		"export, blanks and a comment":                {"# c\n\n export BETTER_AUTH_SECRET = x y # c\n", "", "x y"},
		"a # in a word":                               {"BETTER_AUTH_SECRET=pa#ss", "", "pa#ss"},
		"a # in quotes":                               {"BETTER_AUTH_SECRET='pa #ss' # c", "", "pa #ss"},
		"a = and quotes in a value":                   {`BETTER_AUTH_SECRET=a=b"c'd==`, "", `a=b"c'd==`},
		"escapes in double quotes":                    {`BETTER_AUTH_SECRET="a\"b\\n\tc\d"`, "", "a\"b\\n\tc\\d"},
		"a backslash without quotes":                  {`BETTER_AUTH_SECRET=a\nb`, "", `a\nb`},
		"another program's key over several lines":    {"KEY=\"-----BEGIN\nx\n-----END\"\nBETTER_AUTH_SECRET=x", "", "x"},
		"another program's name with a dot":           {"spring.name=x\nBETTER_AUTH_SECRET=x", "", "x"},
		"an empty value does not hide the one before": {"BETTER_AUTH_SECRET=x", "BETTER_AUTH_SECRET=", "x"},
		"the local file goes before the shared one":   {"BETTER_AUTH_SECRET=x", "BETTER_AUTH_SECRET=y", "y"},
	} {
		t.Run(symptom, func(t *testing.T) {
			cfg, err := loadFiles(t, c.shared, c.local)
			require.NoError(t, err)
			require.Equal(t, c.want, cfg.Secret)
		})
	}
}

func TestABadDotenvFileIsNamedWithItsLine(t *testing.T) {
	utf16 := "\xff\xfe" + strings.Join(strings.Split("BETTER_AUTH_SECRET=hunter2\n", ""), "\x00") + "\x00"
	for symptom, c := range map[string]struct{ text, want string }{
		"Notepad's Unicode":           {utf16, ".env: is UTF-16"},
		"UTF-16 without its mark":     {utf16[2:], ".env: is UTF-16"},
		"no value":                    {"PORT=1\n\n# c\nhunter2\n", ".env: line 4 is not NAME=value"},
		"after a value of many lines": {"A='1\n2\n3'\nhunter2 = x\nhunter-2=x", ".env: line 5 is not NAME=value"},
		"an open quote":               {"PORT=1\nBETTER_AUTH_SECRET=\"hunter2\nHOST=x\n", ".env: line 2 is not NAME=value"},
		"text after a quote":          {"BETTER_AUTH_SECRET='hunter'2", ".env: line 1 is not NAME=value"},
		"an undefined reference":      {"PORT=1\r\nBETTER_AUTH_SECRET=hunter2${NOWHERE}\r\n", ".env: line 2: ${NOWHERE} is not set"},
		"a reference to a later line": {"BETTER_AUTH_SECRET=hunter2${LATER}\nLATER=1", ".env: line 1: ${LATER} is not set"},
		"a reference with a default":  {"BETTER_AUTH_SECRET=${NOWHERE:-1}", ".env: line 1: ${…} is not set"},
		"a secret like a reference":   {"BETTER_AUTH_SECRET=hunter2${hunter2!}x", ".env: line 1: ${…} is not set"},
	} {
		t.Run(symptom, func(t *testing.T) {
			cfg, err := loadFiles(t, c.text, "")
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "hunter")
			require.Nil(t, cfg)
		})
	}
}

// A container's file may refer to what only the machines of its authors have.
func TestALineThatTheEnvironmentOverridesIsNotExpanded(t *testing.T) {
	t.Setenv("BETTER_AUTH_SECRET", "outside")
	cfg, err := loadFiles(t, "BETTER_AUTH_SECRET=${NOWHERE}", "")
	require.NoError(t, err)
	require.Equal(t, "outside", cfg.Secret)
}
