package routes

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"gorm.io/gorm/schema"
)

// description is what the templates are filled in from.
type description struct {
	Model, Path             string // Note, /api/notes
	Singular, Plural        string // note, notes
	Filters                 []Filter
	Row, Input, Patch, Only fields // all fields, those of the input, those of PATCH, those of PATCH only
}

// describe describes a resource. The words for its rows are those of the model's name and of the path.
func describe(model *schema.Schema, path string, filters []Filter, row, input, patch, only fields) description {
	words := strings.ReplaceAll(schema.NamingStrategy{}.ColumnName("", model.Name), "_", " ")
	plural := strings.ReplaceAll(path[strings.LastIndex(path, "/")+1:], "-", " ")
	return description{model.Name, path, words, plural, filters, row, input, patch, only}
}

// operation returns the part of the document that the route of an operation has.
func (d description) operation(name string) string { return documentPart(name, d) }

// ID is the singular in operation ids, and PluralID the plural.
func (d description) ID() string       { return strings.ReplaceAll(d.Singular, " ", "_") }
func (d description) PluralID() string { return strings.ReplaceAll(d.Plural, " ", "_") }

// One is the singular with its article.
func (d description) One() string {
	if strings.ContainsAny(d.Singular[:1], "aeiou") {
		return "an " + d.Singular
	}
	return "a " + d.Singular
}

// Fault is what is wrong with a body whose first field has a value of another type.
func (d description) Fault() (string, error) {
	first, value := d.Input[0], jsontext.Value("7")
	if !first.quoted {
		value = jsontext.Value(`"x"`)
	}
	_, wrong := first.decode(value)
	return toJSON(newFault(wrong.kind, wrong.msg, value, "body", first.json))
}

// faultTypes are the types of the faults that the requests of an operation may have, and the name of their schema.
type faultTypes struct {
	Name  string
	Types []string
}

// faultsOf returns the types of the faults that a body with these fields may have, in addition to those of any request.
func faultsOf(name string, all ...*field) faultTypes {
	types := []string{"missing", "string_type", "string_too_short", "string_too_long", "json_invalid", "int_parsing", "value_error"}
	general := len(types)
	add := func(more ...string) {
		for _, text := range more {
			if !slices.Contains(types, text) {
				types = append(types, text)
			}
		}
	}
	for _, f := range all {
		add(f.faults...)
		if f.members != nil {
			add("literal_error")
		}
		for rule := range f.limits {
			if f.name != "string" {
				add(limitFaults[rule])
			}
		}
	}
	slices.Sort(types[general:])
	if len(types) == general {
		name = "Validation" // the general schema
	}
	return faultTypes{name, types}
}

// InputFaults and PatchFaults are the types of the faults of a POST or PUT, and of a PATCH.
func (d description) InputFaults() faultTypes { return faultsOf(d.Model+"Input", d.Input...) }
func (d description) PatchFaults() faultTypes { return faultsOf(d.Model+"Patch", d.Patch...) }

// First are the first of the fields, for an example that changes one.
func (all fields) First() fields { return all[:1] }

// Names are the names in JSON.
func (all fields) Names() (names []string) {
	for _, f := range all {
		names = append(names, f.json)
	}
	return names
}

// Required are the names of the fields that a body must have.
func (all fields) Required() (names []string) {
	for _, f := range all {
		if f.required {
			names = append(names, f.json)
		}
	}
	return names
}

// Words lists the names in a sentence.
func (all fields) Words() string {
	names := strings.Join(all.Names(), "`, `")
	if last := strings.LastIndex(names, ", "); last > 0 {
		names = names[:last] + " and " + names[last+2:]
	}
	return "`" + names + "`"
}

// Members are the fields in an example of a JSON object, without its braces.
func (all fields) Members() (string, error) {
	var members []string
	for _, f := range all {
		value, err := toJSON(f.example)
		if err != nil {
			return "", err
		}
		members = append(members, f.json+": "+value)
	}
	return strings.Join(members, ", "), nil
}

// JSON is the field's name in JSON.
func (f *field) JSON() string { return f.json }

// property is a field's schema (JSON Schema 2020-12).
type property struct {
	Type             any            `json:"type"`
	Format           string         `json:"format,omitempty"`
	Enum             []any          `json:"enum,omitempty"`
	MinLength        jsontext.Value `json:"minLength,omitempty"`
	MaxLength        jsontext.Value `json:"maxLength,omitempty"`
	Minimum          jsontext.Value `json:"minimum,omitempty"`
	ExclusiveMinimum jsontext.Value `json:"exclusiveMinimum,omitempty"`
	Maximum          jsontext.Value `json:"maximum,omitempty"`
	ExclusiveMaximum jsontext.Value `json:"exclusiveMaximum,omitempty"`
	Pattern          string         `json:"pattern,omitempty"`
	Default          any            `json:"default,omitzero"`
	Description      string         `json:"description,omitempty"`
	Examples         []any          `json:"examples"`
}

// Stored is the schema of the field in a row.
func (f *field) Stored() (string, error) { return toJSON(f.property()) }

// Sent is the schema of the field in a request, with its default or, in a merge patch, without.
func (f *field) Sent(withDefault bool) (string, error) {
	p := f.property()
	var rules []string
	switch {
	case f.format == "date-time":
		p.Pattern = timePattern
		rules = append(rules, "Any offset will do, and digits beyond microseconds are cut.")
	case strings.Contains(f.rules, "notblank"):
		// White space, then one character that is neither white space nor NUL, then anything but NUL. RE2 and ECMA-262 both
		// take \x00; RE2 does not take \u0000.
		p.Pattern = `^\s*[^\s\x00][^\x00]*$`
		rules = append(rules, "White space alone is refused, in the Unicode sense of white space, and so is a NUL character (U+0000).")
	case f.name == "string" && f.members == nil:
		p.Pattern = `^[^\x00]*$`
		rules = append(rules, "A NUL character (U+0000) is refused.")
	}
	if withDefault && !f.required {
		p.Default = f.fallback
		if f.fallback == nil {
			rules = append(rules, "Absent is the same as null.")
		}
	}
	p.Description = strings.Join(append([]string{p.Description}, rules...), " ")
	return toJSON(p)
}

func (f *field) property() property {
	limit := func(names ...string) jsontext.Value {
		for _, name := range names {
			if parameter := f.limits[name]; parameter != "" {
				return jsontext.Value(parameter)
			}
		}
		return nil
	}
	p := property{Type: f.name, Format: f.format, Description: f.doc, Examples: []any{f.example}}
	if f.nullable {
		p.Type = []string{f.name, "null"}
	}
	if f.name == "string" {
		p.MinLength, p.MaxLength = limit("min"), limit("max")
	} else {
		p.Minimum, p.Maximum = limit("min", "gte"), limit("max", "lte")
		p.ExclusiveMinimum, p.ExclusiveMaximum = limit("gt"), limit("lt")
	}
	for _, text := range f.members {
		if f.quoted {
			p.Enum = append(p.Enum, text)
		} else {
			p.Enum = append(p.Enum, jsontext.Value(text))
		}
	}
	if p.Enum != nil && f.nullable {
		p.Enum = append(p.Enum, nil)
	}
	return p
}
