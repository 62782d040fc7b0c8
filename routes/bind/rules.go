package bind

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-playground/validator/v10"
	"github.com/go-playground/validator/v10/non-standard/validators"
)

// rule is what a rule of the validator is in JSON Schema, and what is wrong with a value that breaks it.
type rule struct {
	keyword string
	Mismatch
}

// rules has those of strings as "string min", and those of numbers as "min". The msg has the parameter of the rule for %s.
var rules = map[string]rule{
	"string min":          {"minLength", Mismatch{"string_too_short", "String should have at least %s characters"}},
	"string max":          {"maxLength", Mismatch{"string_too_long", "String should have at most %s characters"}},
	"string notblank":     {"", Mismatch{"value_error", "Value error, must not be blank"}},
	"string excludesrune": {"", Mismatch{"value_error", "Value error, must not contain the NUL character"}},
	"min":                 {"minimum", Mismatch{"greater_than_equal", "Input should be greater than or equal to %s"}},
	"gte":                 {"minimum", Mismatch{"greater_than_equal", "Input should be greater than or equal to %s"}},
	"gt":                  {"exclusiveMinimum", Mismatch{"greater_than", "Input should be greater than %s"}},
	"max":                 {"maximum", Mismatch{"less_than_equal", "Input should be less than or equal to %s"}},
	"lte":                 {"maximum", Mismatch{"less_than_equal", "Input should be less than or equal to %s"}},
	"lt":                  {"exclusiveMaximum", Mismatch{"less_than", "Input should be less than %s"}},
}

// rule returns the rule of a name for the type of the field.
func (f *Field) rule(name string) (r rule, found bool) {
	if f.Type == "string" {
		name = "string " + name
	}
	r, found = rules[name]
	return r, found
}

// member matches a parameter of the rule oneof.
var member = regexp.MustCompile(`'[^']*'|\S+`)

// readRules splits a validate tag into what the binder decides and what it leaves to the validator. It returns an error
// if the rules and the column do not agree.
func (f *Field) readRules(tag string) error {
	var checks []string
	for check := range strings.SplitSeq(tag, ",") {
		name, parameter, _ := strings.Cut(check, "=")
		switch name {
		case "", "omitnil", "omitempty":
			continue
		case "required":
			if f.Required = true; !f.isString() {
				continue
			}
			check, name, parameter = "min=1", "min", "1" // a string is not empty
		case "oneof":
			for _, text := range member.FindAllString(parameter, -1) {
				f.Members = append(f.Members, strings.Trim(text, "'"))
			}
		case "notblank":
			f.NotBlank = true
		}
		if r, _ := f.rule(name); r.keyword != "" {
			f.Limits[r.keyword] = parameter
		}
		checks = append(checks, check)
	}
	var err error
	if f.isString() {
		checks, err = append(checks, "excludesrune=\x00"), f.checkSize()
	}
	f.checks = strings.Join(checks, ",")
	return err
}

// checkSize returns an error if the rules of a string do not bound its length, or allow more than its column.
func (f *Field) checkSize() error {
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

// check holds a value against the field's rules.
func (f *Field) check(value any) *Mismatch {
	var broken validator.ValidationErrors
	if err := validate.Var(value, f.checks); !errors.As(err, &broken) {
		return nil
	}
	name, parameter := broken[0].Tag(), broken[0].Param()
	if name == "oneof" {
		return f.notMember()
	}
	r, found := f.rule(name)
	if !found {
		return &Mismatch{"value_error", "Value error, must satisfy " + name}
	}
	msg := strings.Replace(r.msg, "%s", parameter, 1)
	if parameter == "1" {
		msg = strings.TrimSuffix(msg, "s") // 1 character
	}
	return &Mismatch{r.kind, msg}
}

// notMember is the mismatch of a value that an enumeration does not have.
func (f *Field) notMember() *Mismatch {
	members, mark := f.Members, ""
	if f.Type == "string" {
		mark = "'"
	}
	last := len(members) - 1
	msg := mark + members[last] + mark
	if last > 0 {
		msg = mark + strings.Join(members[:last], mark+", "+mark) + mark + " or " + msg
	}
	return &Mismatch{"literal_error", "Input should be " + msg}
}

var validate = newValidator()

func newValidator() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	if err := v.RegisterValidation("notblank", validators.NotBlank); err != nil {
		panic(err)
	}
	return v
}
