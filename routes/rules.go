package routes

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-playground/validator/v10"
	"github.com/go-playground/validator/v10/non-standard/validators"
)

// member matches a parameter of the rule oneof.
var member = regexp.MustCompile(`'[^']*'|\S+`)

// readRules splits a validate tag into what the binder decides and what it leaves to the validator. It returns an error
// if the rules and the column do not agree.
func (f *field) readRules(tag string) error {
	var rules []string
	for rule := range strings.SplitSeq(tag, ",") {
		name, parameter, _ := strings.Cut(rule, "=")
		switch name {
		case "", "omitnil", "omitempty":
			continue
		case "required":
			if f.Required = true; f.IndirectFieldType.Kind() != reflect.String {
				continue
			}
			rule, name, parameter = "min=1", "min", "1" // a string is not empty
		case "oneof":
			for _, text := range member.FindAllString(parameter, -1) {
				f.Members = append(f.Members, strings.Trim(text, "'"))
			}
		case "notblank":
			f.NotBlank = true
		}
		if keyword := keywords[name]; keyword != nil {
			f.Limits[keyword[f.Type]] = parameter
		}
		rules = append(rules, rule)
	}
	f.rules = strings.Join(rules, ",")
	if f.IndirectFieldType.Kind() != reflect.String {
		return nil
	}
	f.rules = strings.TrimPrefix(f.rules+",excludesrune=\x00", ",")
	longest, err := strconv.Atoi(f.Limits["maxLength"])
	for _, text := range f.Members {
		longest, err = max(longest, utf8.RuneCountInString(text)), nil
	}
	switch {
	case err != nil:
		return fmt.Errorf("needs a rule for its length, such as max=%d", max(f.Size, 100))
	case longest > f.Size:
		return fmt.Errorf("may have %d characters, and its column has the size %d", longest, f.Size)
	}
	return nil
}

// keywords are those of JSON Schema for the rules with a limit, by the type of the field.
var keywords = map[string]map[string]string{
	"min": {"string": "minLength", "integer": "minimum", "number": "minimum"},
	"max": {"string": "maxLength", "integer": "maximum", "number": "maximum"},
	"gte": {"integer": "minimum", "number": "minimum"},
	"lte": {"integer": "maximum", "number": "maximum"},
	"gt":  {"integer": "exclusiveMinimum", "number": "exclusiveMinimum"},
	"lt":  {"integer": "exclusiveMaximum", "number": "exclusiveMaximum"},
}

// limitFaults are the types of the faults of numbers, by the rules that they break.
var limitFaults = map[string]string{
	"min": "greater_than_equal", "gte": "greater_than_equal", "gt": "greater_than",
	"max": "less_than_equal", "lte": "less_than_equal", "lt": "less_than",
}

// check holds a value against the field's rules.
func (f *field) check(value any) *mismatch {
	if f.rules == "" {
		return nil
	}
	var broken validator.ValidationErrors
	if err := validate.Var(value, f.rules); !errors.As(err, &broken) {
		return nil
	}
	rule := broken[0]
	text := f.IndirectFieldType.Kind() == reflect.String
	characters := rule.Param() + " characters"
	if rule.Param() == "1" {
		characters = "1 character"
	}
	switch tag := rule.Tag(); {
	case tag == "oneof":
		return f.notMember()
	case tag == "min" && text:
		return &mismatch{"string_too_short", "String should have at least " + characters}
	case tag == "max" && text:
		return &mismatch{"string_too_long", "String should have at most " + characters}
	case limitFaults[tag] != "":
		than := strings.Replace(strings.ReplaceAll(limitFaults[tag], "_", " "), "equal", "or equal to", 1)
		return &mismatch{limitFaults[tag], "Input should be " + than + " " + rule.Param()}
	case tag == "notblank":
		return &mismatch{"value_error", "Value error, must not be blank"}
	case tag == "excludesrune":
		return &mismatch{"value_error", "Value error, must not contain the NUL character"}
	}
	return &mismatch{"value_error", "Value error, must satisfy " + rule.Tag()}
}

// notMember is the mismatch of a value that an enumeration does not have.
func (f *field) notMember() *mismatch {
	quoted := make([]string, len(f.Members))
	for i, text := range f.Members {
		quoted[i] = text
		if f.Type == "string" {
			quoted[i] = "'" + text + "'"
		}
	}
	last := len(quoted) - 1
	msg := strings.Join(quoted[:last], ", ") + " or " + quoted[last]
	return &mismatch{"literal_error", "Input should be " + strings.TrimPrefix(msg, " or ")}
}

var validate = newValidator()

func newValidator() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	if err := v.RegisterValidation("notblank", validators.NotBlank); err != nil {
		panic(err)
	}
	return v
}
