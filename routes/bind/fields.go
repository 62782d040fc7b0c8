package bind

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

// Field is a field of a model, as its tags declare it. The templates of the document read it as well.
type Field struct {
	kind
	*schema.Field
	JSON, Doc                     string
	Nullable, Required, PatchOnly bool
	NotBlank                      bool
	Fallback, Example             any               // the value of an absent field that is not required (nil is null), and the document's
	Limits                        map[string]string // in the keywords of JSON Schema
	Members                       []string          // of an enumeration
	checks                        string            // the rules for the validator, of a value that is there and not null
}

// Text reports whether the field has any text.
func (f *Field) Text() bool { return f.isString() && f.Members == nil }

// Fields are fields of a model, in its order.
type Fields []*Field

var ownerType, timestampsType = reflect.TypeFor[models.Owner](), reflect.TypeFor[models.Timestamps]()

// NewFields reads the declarations of a model's own fields, those that are not of [models.Owner] or [models.Timestamps]: all,
// those of the input, which the model embeds at an index, and those that PATCH sets. It panics if one is not sound.
func NewFields(model *schema.Schema, inputIndex int) (all, input, patch Fields) {
	names, columns := []string{"id", "user_id", "created_at", "updated_at"}, []string{"id", "user_id", "created_at", "updated_at", "version"}
	for _, declared := range model.Fields {
		index := declared.StructField.Index[0]
		if outer := model.ModelType.Field(index).Type; outer == ownerType || outer == timestampsType {
			continue
		}
		f, err := newField(declared)
		switch {
		case err != nil:
		case slices.Contains(names, f.JSON):
			err = fmt.Errorf("the json name %q is used twice", f.JSON)
		case slices.Contains(columns, f.DBName):
			err = fmt.Errorf("the column %q is used twice", f.DBName)
		}
		if err != nil {
			panic(fmt.Sprintf("%s.%s: %s", model.Name, declared.Name, err))
		}
		all, names, columns = append(all, f), append(names, f.JSON), append(columns, f.DBName)
		if index == inputIndex {
			input, patch = append(input, f), append(patch, f)
		} else if f.PatchOnly = declared.Tag.Get("patch") == "true"; f.PatchOnly {
			patch = append(patch, f)
		}
	}
	return all, input, patch
}

// refusedSettings are settings of GORM that the binder does not know: a column of another type or size refuses values with a
// 500, and a unique one would tell a user about the rows of another.
var refusedSettings = []string{"UNIQUE", "UNIQUEINDEX", "TYPE", "PRECISION", "SCALE", "SERIALIZER", "-"}

func newField(declared *schema.Field) (f *Field, err error) {
	defer func() {
		if fault := recover(); fault != nil { // the validator's, at a rule that it does not know
			err = fmt.Errorf("%v", fault)
		}
	}()
	f = &Field{Field: declared, JSON: declared.Tag.Get("json"), Doc: declared.Tag.Get("doc"), Limits: map[string]string{}}
	var known bool
	f.kind, known = kinds[declared.IndirectFieldType]
	f.Nullable = declared.FieldType.Kind() == reflect.Pointer
	switch {
	case !known || f.Nullable && declared.FieldType.Elem() != declared.IndirectFieldType:
		return nil, fmt.Errorf("the type %s is not supported", declared.FieldType)
	case f.JSON == "" || f.JSON == "-" || strings.Contains(f.JSON, ","):
		return nil, fmt.Errorf("needs a json tag that is a name without options, has %q", f.JSON)
	case f.Nullable == declared.NotNull:
		return nil, errors.New("must be a pointer, or not null in its gorm tag, and not both")
	}
	for setting, value := range declared.TagSettings {
		if slices.Contains(refusedSettings, setting) || strings.Contains(strings.ToLower(value), "unique") || setting == "SIZE" && !f.isString() {
			return nil, fmt.Errorf("the gorm setting %s is not supported", strings.ToLower(setting))
		}
	}
	if err := f.readRules(declared.Tag.Get("validate")); err != nil {
		return nil, err
	}
	return f, f.readValues()
}

// readValues reads the default and the example, and returns an error if one is not valid.
func (f *Field) readValues() (err error) {
	zero := reflect.Zero(f.IndirectFieldType).Interface()
	wrong := f.check(zero)
	text := f.TagSettings["DEFAULT"]
	example, given := f.Tag.Lookup("example")
	switch {
	case f.Required && f.Nullable:
		return errors.New("cannot be required and a pointer, which may be null")
	case f.Required && !given:
		return errors.New("needs an example tag")
	case text != "" && (!f.Nullable || !strings.EqualFold(text, "null")):
		if f.Fallback, err = f.parse(strings.Trim(text, "'")); err != nil {
			return fmt.Errorf("the default %q: %w", text, err)
		}
	case f.Nullable || f.Required:
	case wrong != nil:
		return fmt.Errorf("needs required or a default, because its zero value is not valid: %s", wrong.msg)
	default:
		f.Fallback = zero
	}
	if f.Example = f.Fallback; given {
		if f.Example, err = f.parse(example); err != nil {
			return fmt.Errorf("the example %q: %w", example, err)
		}
	}
	return nil
}

// Read returns the values of a request's body by their columns. Absent fields have their defaults or, in a partial body, no
// value. All faults of the body are one error.
func (all Fields) Read(c *fiber.Ctx, partial bool, mediaTypes ...string) (map[string]any, error) {
	body, err := readBody(c, mediaTypes...)
	if err != nil {
		return nil, err
	}
	values, found := make(map[string]any, len(all)), []Fault(nil)
	for _, f := range all {
		value, given := body.members[f.JSON]
		switch {
		case given:
			decoded, wrong := f.Decode(value)
			if wrong != nil {
				found = append(found, wrong.Fault(value, "body", f.JSON))
			}
			values[f.DBName] = decoded
		case partial:
		case f.Required:
			found = append(found, missing.Fault(body.text, "body", f.JSON))
		default:
			values[f.DBName] = f.Fallback
		}
	}
	if found != nil {
		return nil, Invalid(found...)
	}
	return values, nil
}

// parse reads a default or an example.
func (f *Field) parse(text string) (any, error) {
	value := jsontext.Value(text)
	if f.Type == "string" {
		value, _ = jsontext.AppendQuote(nil, text)
	} else if !value.IsValid() {
		return nil, errors.New("is not JSON")
	}
	decoded, wrong := f.Decode(value)
	if wrong != nil {
		return nil, errors.New(wrong.msg)
	}
	return decoded, nil
}

// Set sets the fields of an input struct to the values of their columns.
func (all Fields) Set(in reflect.Value, values map[string]any) {
	for _, f := range all {
		value, target := reflect.ValueOf(values[f.DBName]), in.FieldByIndex(f.StructField.Index[1:])
		if !value.IsValid() { // null
			continue
		}
		if f.Nullable {
			target.Set(reflect.New(f.IndirectFieldType))
			target = target.Elem()
		}
		target.Set(value)
	}
}
