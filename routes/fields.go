package routes

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/gofiber/fiber/v2"
	"gorm.io/gorm/schema"

	"taskapi/models"
)

// field is a field that clients set, as the tags of its model declare it.
type field struct {
	kind
	*schema.Field
	json     string
	nullable bool
	required bool
	fallback any               // the value of an absent field that is not required; nil is null
	rules    string            // for the validator, of a value that is there and not null
	limits   map[string]string // the rules with a parameter, by their names
	members  []string          // of an enumeration
	doc      string
	example  any
}

// fields are the fields that a request may set, in the order of the model.
type fields []*field

// newFields reads the declarations of a model's own fields, those that are not of [models.Owner] or [models.Timestamps]. It
// panics if one is not sound.
func newFields(model *schema.Schema) (all fields) {
	for _, declared := range model.Fields {
		if outer := model.ModelType.Field(declared.StructField.Index[0]); outer.Type == ownerType || outer.Type == timestampsType {
			continue
		}
		f, err := newField(declared)
		if err == nil && slices.Contains(append(all.Names(), "id", "user_id", "created_at", "updated_at"), f.json) {
			err = fmt.Errorf("the json name %q is used twice", f.json)
		}
		if err != nil {
			panic(fmt.Sprintf("%s.%s: %s", model.Name, declared.Name, err))
		}
		all = append(all, f)
	}
	return all
}

var ownerType, timestampsType = reflect.TypeFor[models.Owner](), reflect.TypeFor[models.Timestamps]()

// filter returns the fields of which choose reports true.
func (all fields) filter(choose func(*field) bool) (some fields) {
	for _, f := range all {
		if choose(f) {
			some = append(some, f)
		}
	}
	return some
}

func newField(declared *schema.Field) (f *field, err error) {
	defer func() {
		if fault := recover(); fault != nil { // the validator's, at a rule that it does not know
			err = fmt.Errorf("%v", fault)
		}
	}()
	f = &field{Field: declared, json: declared.Tag.Get("json"), doc: declared.Tag.Get("doc"), limits: map[string]string{}}
	var known bool
	f.kind, known = kinds[declared.IndirectFieldType]
	f.nullable = declared.FieldType.Kind() == reflect.Pointer
	switch {
	case !known || f.nullable && declared.FieldType.Elem() != declared.IndirectFieldType:
		return nil, fmt.Errorf("the type %s is not supported", declared.FieldType)
	case f.json == "" || strings.ContainsAny(f.json, ",-"):
		return nil, fmt.Errorf("needs a json tag that is a name without options, has %q", f.json)
	case f.nullable == declared.NotNull:
		return nil, errors.New("must be a pointer, or not null in its gorm tag, and not both")
	}
	if err := f.readRules(declared.Tag.Get("validate")); err != nil {
		return nil, err
	}
	if f.required && f.nullable {
		return nil, errors.New("cannot be required and a pointer, which may be null")
	}
	zero := reflect.Zero(declared.IndirectFieldType).Interface()
	wrong := f.check(zero)
	if text := declared.TagSettings["DEFAULT"]; text != "" {
		if f.fallback, err = f.parse(strings.Trim(text, "'")); err != nil {
			return nil, fmt.Errorf("the default %q: %w", text, err)
		}
	} else if !f.nullable && !f.required {
		if f.fallback = zero; wrong != nil {
			return nil, fmt.Errorf("needs required or a default, because its zero value is not valid: %s", wrong.msg)
		}
	}
	f.example = f.fallback
	if text, given := declared.Tag.Lookup("example"); given {
		if f.example, err = f.parse(text); err != nil {
			return nil, fmt.Errorf("the example %q: %w", text, err)
		}
	} else if f.required {
		return nil, errors.New("needs an example tag")
	}
	return f, nil
}

// read returns the values of a request's body by their columns. Absent fields have their defaults or, in a partial body, no
// value. All faults of the body are one error.
func (all fields) read(c *fiber.Ctx, partial bool, mediaTypes ...string) (map[string]any, error) {
	body, err := readBody(c, mediaTypes...)
	if err != nil {
		return nil, err
	}
	values, found := make(map[string]any, len(all)), []fault(nil)
	for _, f := range all {
		value, given := body.members[f.json]
		switch {
		case given:
			decoded, wrong := f.decode(value)
			if wrong != nil {
				found = append(found, newFault(wrong.kind, wrong.msg, value, "body", f.json))
			}
			values[f.DBName] = decoded
		case partial:
		case f.required:
			found = append(found, newFault("missing", "Field required", body.text, "body", f.json))
		default:
			values[f.DBName] = f.fallback
		}
	}
	if found != nil {
		return nil, invalid(found...)
	}
	return values, nil
}

// decode reads a member of a request's body. A nil value is null.
func (f *field) decode(value jsontext.Value) (any, *mismatch) {
	if value.Kind() == 'n' && f.nullable {
		return nil, nil
	}
	decoded, wrong := f.kind.decode(value)
	if wrong == nil {
		wrong = f.check(decoded)
	} else if f.members != nil {
		wrong = f.notMember()
	}
	return decoded, wrong
}

// parse reads a default or an example.
func (f *field) parse(text string) (any, error) {
	value := jsontext.Value(text)
	if f.quoted {
		value, _ = jsontext.AppendQuote(nil, text)
	} else if !value.IsValid() {
		return nil, errors.New("is not JSON")
	}
	decoded, wrong := f.decode(value)
	if wrong != nil {
		return nil, errors.New(wrong.msg)
	}
	return decoded, nil
}

// set sets the fields of an input struct to the values of their columns.
func (all fields) set(in reflect.Value, values map[string]any) {
	for _, f := range all {
		target, value := in.FieldByIndex(f.StructField.Index[1:]), values[f.DBName]
		switch {
		case value == nil:
		case f.nullable:
			pointer := reflect.New(f.IndirectFieldType)
			pointer.Elem().Set(reflect.ValueOf(value))
			target.Set(pointer)
		default:
			target.Set(reflect.ValueOf(value))
		}
	}
}
