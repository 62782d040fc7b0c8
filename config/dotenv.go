package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var (
	// dotenvLine matches what a .env file begins with: NAME=value, a comment, or nothing, and the line break. A value in quotes
	// may have several lines. In one without, a # after white space begins a comment.
	dotenvLine = regexp.MustCompile(`^[ \t]*(?:(?:export[ \t]+)?([A-Za-z_][\w.]*)[ \t]*[=:][ \t]*` +
		`(?:'([^']*)'|"((?:[^"\\]|\\(?s:.))*)"|([^\s'"#]\S*(?:[ \t]+[^\s#]\S*)*)?))?[ \t]*(?:#[^\n]*)?(?:\n|$)`)
	// dotenvReference matches ${NAME} and, in double quotes, an escape.
	dotenvReference = regexp.MustCompile(`\$\{([^{}]*)\}`)
	dotenvVariable  = regexp.MustCompile(`^\$\{[A-Za-z_]\w*\}$`)
	dotenvEscape    = regexp.MustCompile(`\\[nrt"\\$]|` + dotenvReference.String())
	dotenvEscapes   = strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\t`, "\t", `\"`, `"`, `\\`, `\`, `\$`, "$")
)

// readDotenv adds the variables of a .env file to vars. Those of the environment take precedence, and an empty value replaces
// none. ${NAME} stands for a variable of the environment, of vars or of the lines before, except in single quotes. Every other
// $ is an ordinary character. The errors name a line, and quote of it only a ${NAME}.
func readDotenv(text string, environment, vars map[string]string) (err error) {
	if strings.Contains(text, "\x00") {
		return errors.New("is UTF-16: save it as UTF-8")
	}
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
	for line := 1; text != ""; {
		found := dotenvLine.FindStringSubmatch(text)
		if found == nil {
			return fmt.Errorf("line %d is not NAME=value", line)
		}
		expand := func(part string) string {
			if !strings.HasPrefix(part, "${") {
				return dotenvEscapes.Replace(part)
			}
			value, set := vars[part[2:len(part)-1]]
			if !set {
				if !dotenvVariable.MatchString(part) {
					part = "${…}" // perhaps a part of a secret
				}
				err = fmt.Errorf("line %d: %s is not set (in single quotes it would be text)", line, part)
			}
			return value
		}
		if name := found[1]; name != "" && strings.TrimSpace(environment[name]) == "" {
			value := found[2] + dotenvEscape.ReplaceAllStringFunc(found[3], expand) + dotenvReference.ReplaceAllStringFunc(found[4], expand)
			if err != nil {
				return err
			}
			if _, set := vars[name]; !set || strings.TrimSpace(value) != "" {
				vars[name] = value
			}
		}
		line += strings.Count(found[0], "\n")
		text = text[len(found[0]):]
	}
	return nil
}
