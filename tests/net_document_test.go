package tests

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// tries lists the ways to send a request to a route: each example of a body, then each value of a parameter.
func (n *isolationNet) tries(r target, parameters openapi3.Parameters, body *openapi3.RequestBodyRef) (tries []try, ok bool) {
	tries = []try{{plain: true}}
	if body != nil {
		if tries = bodyTries(body.Value.Content); len(tries) == 0 {
			n.find("%s: cannot be attacked: the document has no example of its body", r.name)
			return nil, false
		}
	}
	first := tries[0]
	for _, parameter := range parameters {
		p := parameter.Value
		if p.In == openapi3.ParameterInPath {
			continue
		}
		values := parameterValues(p)
		if len(values) == 0 {
			n.find("%s: cannot be attacked: the document has no value of its parameter %s", r.name, p.Name)
			return nil, false
		}
		for _, value := range values {
			with := first.with(p.In, p.Name, value)
			if p.In == openapi3.ParameterInQuery && p.Schema.Value.Type.Is("string") && len(p.Schema.Value.Enum) == 0 {
				with.text = p.Name
			}
			tries = append(tries, with)
		}
	}
	return tries, true
}

// with adds a parameter to a try that has none.
func (t try) with(in, name, value string) try {
	added := try{name: fmt.Sprintf(" (%s %s=%s)", in, name, value), header: maps.Clone(t.header), body: t.body}
	switch {
	case in == openapi3.ParameterInQuery:
		added.query = url.Values{name: {value}}
	case added.header == nil:
		added.header = map[string]string{name: value}
	default:
		added.header[name] = value
	}
	return added
}

// bodyTries are the document's examples of a body, in every media type.
func bodyTries(content openapi3.Content) (tries []try) {
	for _, kind := range slices.Sorted(maps.Keys(content)) {
		media, values := content[kind], map[string]any{}
		if media.Example != nil {
			values["example"] = media.Example
		}
		for name, example := range media.Examples {
			values[name] = example.Value.Value
		}
		if len(values) == 0 && media.Schema != nil && media.Schema.Value.Example != nil {
			values["example"] = media.Schema.Value.Example
		}
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if body, err := json.Marshal(values[name]); err == nil {
				tries = append(tries, try{
					name: fmt.Sprintf(" (%s, %s)", kind, name), body: body, header: map[string]string{"Content-Type": kind}, plain: true,
				})
			}
		}
	}
	return tries
}

// opaqueValues are values of the parameters for which the document has no example, because one would spoil a first call.
var opaqueValues = map[string][]any{
	"If-Match": {"*", `"1"`}, "If-None-Match": {"*", `"1"`}, "Idempotency-Key": {"a-key-of-both-users"}, "cursor": {"x"}, "q": {"a"},
}

// parameterValues are the values of a parameter that the document names, or those of opaqueValues.
func parameterValues(p *openapi3.Parameter) (values []string) {
	add := func(value any) {
		if text := fmt.Sprint(value); value != nil && !slices.Contains(values, text) {
			values = append(values, text)
		}
	}
	schema := p.Schema.Value
	add(p.Example)
	for _, name := range slices.Sorted(maps.Keys(p.Examples)) {
		add(p.Examples[name].Value.Value)
	}
	add(schema.Example)
	add(schema.Default)
	for _, value := range schema.Enum {
		add(value)
	}
	if schema.Type.Is("boolean") {
		add(true)
		add(false)
	}
	if schema.Min != nil {
		add(*schema.Min)
	}
	for _, value := range opaqueValues[p.Name] {
		add(value)
	}
	return values
}
