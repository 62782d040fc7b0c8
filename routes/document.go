package routes

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v3"
)

//go:embed openapi/*.yaml
var documentFiles embed.FS

// templates are the parts of the OpenAPI document: each file but shared.yaml, and the operations of resource.yaml.
var templates = template.Must(template.New("").
	Funcs(template.FuncMap{"json": toJSON, "id": operationID}).
	ParseFS(documentFiles, "openapi/*.yaml"))

// toJSON writes a value as JSON, which is YAML as well.
func toJSON(value any) (string, error) {
	text, err := encodeJSON(value)
	return string(text), err
}

// operationID writes words as a part of an operation's id.
func operationID(words string) string { return strings.ReplaceAll(words, " ", "_") }

// documentPart fills in a template.
func documentPart(name string, data any) string {
	var text strings.Builder
	if err := templates.ExecuteTemplate(&text, name, data); err != nil {
		panic(fmt.Errorf("the OpenAPI document: %w", err))
	}
	return text.String()
}

// Document returns the OpenAPI 3.1 document of the program's routes, in YAML.
func Document() []byte {
	inYAML, _ := document(slices.Concat(resources(nil), healthRoutes(nil, nil)))
	return inYAML
}

// document makes the OpenAPI 3.1 document of an app: the general part, then the part of each route that has one.
func document(routes []Route) (inYAML, inJSON []byte) {
	whole, err := parsePart(documentPart("general.yaml", nil))
	for _, r := range routes {
		if err == nil && r.Document != "" {
			var part *yaml.Node
			if part, err = parsePart(r.Document); err != nil {
				err = fmt.Errorf("%s %s: %w", r.Method, r.Path, err)
			} else {
				merge(whole, part)
			}
		}
	}
	var value any
	if err == nil {
		inYAML, err = toYAML(whole)
	}
	if err == nil {
		err = whole.Decode(&value)
	}
	if err == nil {
		inJSON, err = json.Marshal(value, json.Deterministic(true))
	}
	if err != nil {
		panic(fmt.Errorf("the OpenAPI document: %w", err))
	}
	return inYAML, inJSON
}

func toYAML(node *yaml.Node) ([]byte, error) {
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	err := encoder.Encode(node)
	return text.Bytes(), err
}

// parsePart parses a part of the document. Written again, all of it is in block style, without quotes that YAML can do without.
func parsePart(text string) (*yaml.Node, error) {
	var part yaml.Node
	if err := yaml.Unmarshal([]byte(text), &part); err != nil {
		return nil, err
	}
	if len(part.Content) != 1 || part.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("is not a mapping")
	}
	setStyle(part.Content[0])
	return part.Content[0], nil
}

func setStyle(node *yaml.Node) {
	node.Style &= yaml.LiteralStyle
	for _, child := range node.Content {
		setStyle(child)
	}
}

// merge adds to a mapping the keys that only another one has, and to a sequence the items. What both have stays.
func merge(into, from *yaml.Node) {
	for i := 0; i < len(from.Content); i++ {
		if from.Kind == yaml.SequenceNode {
			if !slices.ContainsFunc(into.Content, func(item *yaml.Node) bool { return equal(item, from.Content[i]) }) {
				into.Content = append(into.Content, from.Content[i])
			}
			continue
		}
		key, value := from.Content[i], from.Content[i+1]
		if existing := lookUp(into, key.Value); existing == nil {
			into.Content = append(into.Content, key, value)
		} else if existing.Kind == value.Kind {
			merge(existing, value)
		}
		i++
	}
}

// lookUp returns the value of a mapping's key, or nil.
func lookUp(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

func equal(a, b *yaml.Node) bool {
	return a.Kind == b.Kind && a.Value == b.Value && slices.EqualFunc(a.Content, b.Content, equal)
}
