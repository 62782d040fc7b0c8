package bind

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
)

// Parameter returns the value of a query parameter, of a repeated one the last.
func Parameter(c *fiber.Ctx, name string) (text string, given bool) {
	values := c.Context().QueryArgs().PeekMulti(name)
	if len(values) == 0 {
		return "", false
	}
	return string(values[len(values)-1]), true
}

// notParsed is the mismatch of a parameter that is no integer.
var notParsed = &Mismatch{"int_parsing", "Input should be a valid integer, unable to parse string as an integer"}

// Integer reads a parameter that is an integer from least to most.
func Integer(text string, least, most int) (int, *Mismatch) {
	number, err := strconv.Atoi(text) // the nearest one, if the number is out of range
	switch {
	case errors.Is(err, strconv.ErrSyntax):
		return 0, notParsed
	case number < least:
		return 0, &Mismatch{"greater_than_equal", fmt.Sprint("Input should be greater than or equal to ", least)}
	case number > most:
		return 0, &Mismatch{"less_than_equal", fmt.Sprint("Input should be less than or equal to ", most)}
	}
	return number, nil
}

// Bool reads a parameter that is true or false.
func Bool(text string) (bool, *Mismatch) {
	if text != "true" && text != "false" {
		return false, &Mismatch{"bool_parsing", "Input should be a valid boolean, unable to interpret input"}
	}
	return text == "true", nil
}

// Text checks a parameter that is a text of so many characters at most.
func Text(text string, most int) *Mismatch {
	if !utf8.ValidString(text) {
		return ValueError("must be UTF-8")
	}
	field := Field{kind: kinds[stringType], checks: fmt.Sprintf("max=%d,excludesrune=\x00", most)}
	return field.check(text)
}

// Choice checks a parameter that is one of some names.
func Choice(text string, names []string) *Mismatch {
	if slices.Contains(names, text) {
		return nil
	}
	return (&Field{kind: kinds[stringType], Members: names}).notMember()
}
