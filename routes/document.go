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
	Funcs(template.FuncMap{
		"json": toJSON, "list": func(items ...string) []string { return items }, "id": strings.NewReplacer(" ", "_").Replace,
	}).
	ParseFS(documentFiles, "openapi/*.yaml"))

// toJSON writes a value as JSON, which is YAML as well.
func toJSON(value any) (string, error) {
	text, err := encodeJSON(value)
	return string(text), err
}

// documentPart fills in a template.
func documentPart(name string, data any) string {
	var text strings.Builder
	mustDocument(name, templates.ExecuteTemplate(&text, name, data))
	return text.String()
}

// mustDocument panics if there is an error in a part of the document.
func mustDocument(part string, err error) {
	if err != nil {
		panic(fmt.Errorf("the OpenAPI document: %s: %w", part, err))
	}
}

// Document returns the OpenAPI 3.1 document of the program's routes, in YAML.
func Document() []byte {
	inYAML, _ := document(slices.Concat(resources(nil), healthRoutes(nil, nil)))
	return inYAML
}

// document makes the OpenAPI 3.1 document of an app: the general part, then the part of each route that has one.
func document(routes []Route) (inYAML, inJSON []byte) {
	whole := parsePart("general.yaml", documentPart("general.yaml", nil))
	schemas := lookUp(lookUp(whole, "components"), "schemas")
	general := len(schemas.Content)
	for _, r := range routes {
		if r.Document != "" {
			merge(whole, parsePart(r.Method+" "+r.Path, r.Document))
		}
	}
	schemas.Content = slices.Concat(schemas.Content[general:], schemas.Content[:general]) // those of resources first

	tags := lookUp(whole, "tags") // the parts have them by name, so that each is there once
	for i := range len(tags.Content) / 2 {
		tags.Content[i] = tags.Content[2*i+1]
	}
	tags.Kind, tags.Tag, tags.Content = yaml.SequenceNode, "", tags.Content[:len(tags.Content)/2]
	var (
		text  bytes.Buffer
		value any
	)
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	mustDocument("YAML", encoder.Encode(whole))
	mustDocument("YAML", whole.Decode(&value))
	inJSON, err := json.Marshal(value, json.Deterministic(true))
	mustDocument("JSON", err)
	return text.Bytes(), inJSON
}

// parsePart parses a part of the document. Written again, all of it is in block style, without quotes that YAML can do without.
func parsePart(name, text string) *yaml.Node {
	var part yaml.Node
	err := yaml.Unmarshal([]byte(text), &part)
	if err == nil && (len(part.Content) != 1 || part.Content[0].Kind != yaml.MappingNode) {
		err = errors.New("is not a mapping")
	}
	mustDocument(name, err)
	setStyle(part.Content[0])
	return part.Content[0]
}

func setStyle(node *yaml.Node) {
	node.Style &= yaml.LiteralStyle
	for _, child := range node.Content {
		setStyle(child)
	}
}

// merge adds to a mapping the keys that only another one has, at every depth. What both have stays.
func merge(into, from *yaml.Node) {
	for i := 0; i < len(from.Content); i += 2 {
		key, value := from.Content[i], from.Content[i+1]
		if existing := lookUp(into, key.Value); existing == nil {
			into.Content = append(into.Content, key, value)
		} else if existing.Kind == yaml.MappingNode && value.Kind == yaml.MappingNode {
			merge(existing, value)
		}
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
