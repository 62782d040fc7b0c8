package routes

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

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
			f.required = true
			if f.quoted && f.format == "" { // of a string, it means that it is not empty
				rule, f.limits["min"] = "min=1", "1"
				break
			}
			continue
		case "oneof":
			for _, text := range member.FindAllString(parameter, -1) {
				f.members = append(f.members, strings.Trim(text, "'"))
			}
		case "min", "max", "gt", "gte", "lt", "lte":
			f.limits[name] = parameter
		}
		rules = append(rules, rule)
	}
	if f.IndirectFieldType.Kind() == reflect.String {
		rules = append(rules, "excludesrune=\x00")
		longest, err := strconv.Atoi(f.limits["max"])
		for _, text := range f.members {
			longest, err = max(longest, len([]rune(text))), nil
		}
		switch {
		case err != nil:
			return fmt.Errorf("needs a rule for its length, such as max=%d", max(f.Size, 100))
		case f.Size == 0:
			return fmt.Errorf("needs a column size, such as gorm:\"size:%d\"", longest)
		case longest > f.Size:
			return fmt.Errorf("may have %d characters, and its column %d", longest, f.Size)
		}
	}
	f.rules = strings.Join(rules, ",")
	return nil
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
	err := validate.Var(value, f.rules)
	if err == nil {
		return nil
	}
	rule := err.(validator.ValidationErrors)[0]
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
	quoted := make([]string, len(f.members))
	for i, text := range f.members {
		quoted[i] = text
		if f.quoted {
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
