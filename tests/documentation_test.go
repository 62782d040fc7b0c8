package tests

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"taskapi/routes"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
)

// documentationRoutes are the paths of the routes that the document leaves out.
var documentationRoutes = []string{
	"/", "/docs/", "/docs/*", "/docs/index.html", "/docs/doc.json", "/swagger/*", "/openapi.json", "/openapi.yaml",
}

func TestTheDocumentAndTheRoutesAreTheSame(t *testing.T) {
	t.Parallel()
	doc, err := document()
	require.NoError(t, err)
	var documented, routed []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			documented = append(documented, method+" "+path)
		}
	}
	parameter := regexp.MustCompile(`:(\w+)`)
	for _, route := range newServer(t, newSQLite(t)).app.GetRoutes(true) {
		if route.Method != "HEAD" && !slices.Contains(documentationRoutes, route.Path) {
			routed = append(routed, route.Method+" "+parameter.ReplaceAllString(route.Path, "{$1}"))
		}
	}
	require.ElementsMatch(t, documented, routed)
}

func TestTheDocumentIsValidAndNamesTheOperationsAsClientsKnowThem(t *testing.T) {
	t.Parallel()
	doc, err := document()
	require.NoError(t, err)
	require.NoError(t, doc.Validate(t.Context()))
	var names []string
	for _, item := range doc.Paths.Map() {
		for _, operation := range item.Operations() {
			names = append(names, operation.OperationID)
			require.NotEmpty(t, operation.Summary, operation.OperationID)
			require.NotEmpty(t, operation.Description, operation.OperationID)
		}
	}
	for _, known := range []string{
		"list_tasks", "create_task", "get_task", "update_task", "patch_task", "toggle_task_completion", "delete_task", "health", "ready",
	} {
		require.Contains(t, names, known)
	}
}

func TestTheDocumentIsServedInBothForms(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		text, err := routes.Document(), error(nil)
		require.NoError(t, err)
		yaml := s.send(t, request{method: "GET", path: "/openapi.yaml"})
		require.Equal(t, 200, yaml.StatusCode)
		require.Equal(t, string(text), string(yaml.body))
		require.Contains(t, yaml.Header.Get("Content-Type"), "yaml")

		served := s.send(t, request{method: "GET", path: "/openapi.json"})
		require.Equal(t, "application/json", served.Header.Get("Content-Type"))
		loader := openapi3.NewLoader()
		fromYAML, err := loader.LoadFromData(text)
		require.NoError(t, err)
		fromJSON, err := loader.LoadFromData(served.body)
		require.NoError(t, err)
		want, err := json.Marshal(fromYAML)
		require.NoError(t, err)
		got, err := json.Marshal(fromJSON)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), "the two forms differ")
		alias := s.send(t, request{method: "GET", path: "/docs/doc.json"})
		require.Equal(t, "../openapi.json", alias.Header.Get("Location"), "its server is relative to its own address")
	})
}

func TestTheCommandOpenAPIPrintsTheDocumentThatIsServed(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	got := newHome(t).run(t, nil, "openapi")
	require.Zero(t, got.code, got.stderr)
	require.Empty(t, got.stderr)
	require.Equal(t, string(newServer(t, newSQLite(t)).send(t, request{method: "GET", path: "/openapi.yaml"}).body), got.stdout)
}

func TestEveryWayLeadsToTheDocsPage(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		for path, location := range map[string]string{
			"/": "docs/", "/swagger": "docs/", "/swagger/": "../docs/",
			"/swagger/index.html": "../docs/", "/swagger/a/b?c=/d": "../../docs/", "/docs": "docs/",
		} {
			got := s.send(t, request{method: "GET", path: path, header: map[string]string{"X-Forwarded-Prefix": "//evil.example"}})
			require.Equal(t, 302, got.StatusCode, path)
			require.Equal(t, location, got.Header.Get("Location"), path)
		}
		for _, path := range []string{"/docs/%2F", "/docs//api/tasks", "/docs//health", "/docs/nothing.js"} {
			got := s.send(t, request{method: "GET", path: path, header: map[string]string{"X-Forwarded-Prefix": "//evil.example"}})
			require.Equal(t, 404, got.StatusCode, path)
			require.Equal(t, "no-store", got.Header.Get("Cache-Control"), path)
		}
		page := s.send(t, request{method: "GET", path: "/docs/"})
		require.Equal(t, 200, page.StatusCode)
		require.Equal(t, "text/html; charset=utf-8", page.Header.Get("Content-Type"))
		require.Equal(t, string(page.body), string(s.send(t, request{method: "GET", path: "/docs/index.html"}).body))
		require.NotContains(t, string(page.body), "//fonts.")
		policy := page.Header.Get("Content-Security-Policy")
		require.Contains(t, policy, "default-src 'none'")
		require.Contains(t, policy, "script-src 'self' 'sha256-")
		for _, file := range regexp.MustCompile(`(?:src|href)="\./([^"]+)"`).FindAllStringSubmatch(string(page.body), -1) {
			asset := s.send(t, request{method: "GET", path: "/docs/" + file[1]})
			require.Equal(t, 200, asset.StatusCode, file[1])
			require.NotEmpty(t, asset.body, file[1])
			require.False(t, strings.HasPrefix(asset.Header.Get("Cache-Control"), "no-store"), file[1])
		}
	})
}
