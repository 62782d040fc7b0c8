package tests

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"taskapi/models"
)

// resource is a resource of an app, as the app's own document describes it.
type resource struct {
	s            *server
	path, model  string
	input, patch object
	fields       []string          // of the input, in the order of the row
	columns      []string          // all members of a row, in their order
	example      map[string]string // values of the input, as JSON
}

// object is the schema of a JSON object in the document.
type object struct {
	Required   []string            `json:"required"`
	Properties map[string]property `json:"properties"`
}

// property is the schema of a member.
type property struct {
	Type             any               `json:"type"`
	Format           string            `json:"format"`
	Enum             []json.RawMessage `json:"enum"`
	MinLength        int               `json:"minLength"`
	MaxLength        int               `json:"maxLength"`
	Minimum          *json.Number      `json:"minimum"`
	Maximum          *json.Number      `json:"maximum"`
	ExclusiveMinimum *json.Number      `json:"exclusiveMinimum"`
	ExclusiveMaximum *json.Number      `json:"exclusiveMaximum"`
	Pattern          string            `json:"pattern"`
	Default          json.RawMessage   `json:"default"`
	Examples         []json.RawMessage `json:"examples"`
}

// eachResource runs a test for every resource of an app that has the program's and the tests', on every engine.
func eachResource(t *testing.T, test func(t *testing.T, r *resource)) {
	t.Helper()
	eachEngineWithGadgets(t, func(t *testing.T, s *server) {
		found := s.resources(t)
		require.GreaterOrEqual(t, len(found), 2, "tasks and gadgets")
		for _, r := range found {
			t.Run(strings.TrimPrefix(r.path, "/api/"), func(t *testing.T) { test(t, r) })
		}
	})
}

// resources returns those that have both a POST and a path with an id in the app's route table.
func (s *server) resources(t testing.TB) (found []*resource) {
	t.Helper()
	type media struct {
		Schema struct {
			Ref string `json:"$ref"`
		} `json:"schema"`
		Examples map[string]struct {
			Value json.RawMessage `json:"value"`
		} `json:"examples"`
	}
	type operation struct {
		RequestBody struct {
			Content map[string]media `json:"content"`
		} `json:"requestBody"`
		Responses map[string]struct {
			Content map[string]media `json:"content"`
		} `json:"responses"`
	}
	var doc struct {
		Paths      map[string]map[string]operation `json:"paths"`
		Components struct {
			Schemas map[string]json.RawMessage `json:"schemas"`
		} `json:"components"`
	}
	require.NoError(t, json.Unmarshal(s.sendUnchecked(t, request{method: "GET", path: "/openapi.json"}).body, &doc))
	schema := func(m media) (name string, o object) {
		name = m.Schema.Ref[strings.LastIndex(m.Schema.Ref, "/")+1:]
		require.NoError(t, json.Unmarshal(doc.Components.Schemas[name], &o))
		return name, o
	}
	for _, route := range s.app.GetRoutes(true) {
		if route.Method != fiber.MethodPost {
			continue
		}
		r := &resource{s: s, path: route.Path, example: map[string]string{}}
		require.True(t, s.hasRoute("GET", r.path+"/:id"), r.path)
		post, patch := doc.Paths[r.path]["post"], doc.Paths[r.path+"/{id}"]["patch"]
		body := post.RequestBody.Content["application/json"]
		_, r.input = schema(body)
		_, r.patch = schema(patch.RequestBody.Content["application/merge-patch+json"])
		var row object
		r.model, row = schema(post.Responses["201"].Content["application/json"])
		r.columns = row.Required
		for _, name := range r.columns {
			if _, there := r.input.Properties[name]; there {
				r.fields = append(r.fields, name)
			}
		}
		require.Len(t, r.fields, len(r.input.Properties))
		for name, value := range toMembers(t, body.Examples[slices.Sorted(maps.Keys(body.Examples))[0]].Value) {
			r.example[name] = string(value)
		}
		require.Len(t, r.example, len(r.fields))
		found = append(found, r)
	}
	return found
}

func (s *server) hasRoute(method, path string) bool {
	return slices.ContainsFunc(s.app.GetRoutes(true), func(r fiber.Route) bool { return r.Method == method && r.Path == path })
}

// with returns the example's values with another value of one field; without it, if the value is "".
func (r *resource) with(field, value string) map[string]string {
	members := maps.Clone(r.example)
	if members[field] = value; value == "" {
		delete(members, field)
	}
	return members
}

// toBody writes members as a JSON object.
func toBody(members map[string]string) string {
	var text []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		text = append(text, quoted(name)+":"+members[name])
	}
	return "{" + strings.Join(text, ",") + "}"
}

// row is an answered row: where it is, its text, and its members as JSON.
type row struct {
	path, text string
	members    map[string]json.RawMessage
}

func (r *resource) toRow(t testing.TB, got answer) row {
	t.Helper()
	members := toMembers(t, got.body)
	return row{r.path + "/" + string(members["id"]), string(got.body), members}
}

// toMembers reads a JSON object.
func toMembers(t testing.TB, text []byte) (members map[string]json.RawMessage) {
	t.Helper()
	require.NoError(t, json.Unmarshal(text, &members), "%s", text)
	return members
}

// create makes a row of a user's.
func (r *resource) create(t testing.TB, user string, members map[string]string) row {
	t.Helper()
	return r.toRow(t, r.s.as(user).call(t, 201, "POST", r.path, toBody(members)))
}

// call sends a request for a row and demands a row.
func (r *resource) call(t testing.TB, user, method, path string, body ...any) row {
	t.Helper()
	return r.toRow(t, r.s.as(user).call(t, 200, method, path, body...))
}

// list returns the rows of a user.
func (r *resource) list(t testing.TB, user string) (rows []json.RawMessage) {
	t.Helper()
	require.NoError(t, json.Unmarshal(r.s.as(user).call(t, 200, "GET", r.path).body, &rows))
	return rows
}

// version returns the version of a row in the database.
func (r *resource) version(t testing.TB, of row) (version int64) {
	t.Helper()
	table := strings.ReplaceAll(r.path[strings.LastIndex(r.path, "/")+1:], "-", "_")
	found := models.AcrossOwners(r.s.db).Raw("SELECT version FROM "+table+" WHERE id = ?", string(of.members["id"])).Scan(&version)
	require.NoError(t, found.Error)
	require.EqualValues(t, 1, found.RowsAffected)
	return version
}

func TestARowOfAnyResourceGoesThroughAllEndpoints(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		ann, bob := r.s.as("ann"), r.s.as("bob")
		require.Equal(t, "[]", string(ann.call(t, 200, "GET", r.path).body))
		answered := ann.call(t, 201, "POST", r.path, toBody(r.example))
		created := r.toRow(t, answered)
		require.Equal(t, created.path, answered.Header.Get("Location"))
		require.Equal(t, r.columns, keys(t, answered.body), "in this order")
		require.Equal(t, `"ann"`, string(created.members["user_id"]))
		require.Equal(t, created.members["created_at"], created.members["updated_at"])
		require.Equal(t, created.text, r.call(t, "ann", "GET", created.path).text, "byte for byte")
		second := r.create(t, "ann", r.example)
		require.Equal(t, "["+second.text+","+created.text+"]", string(ann.call(t, 200, "GET", r.path).body), "newest first")
		for _, name := range r.fields {
			requireSame(t, r.input.Properties[name], r.example[name], created.members[name])
		}
		put := r.call(t, "ann", "PUT", created.path, toBody(r.example))
		patched := r.call(t, "ann", "PATCH", created.path, toBody(r.example))
		require.Equal(t, patched.text, r.call(t, "ann", "GET", created.path).text)
		for last, got := range map[*row]row{&created: put, &put: patched} {
			require.Greater(t, string(got.members["updated_at"]), string(last.members["updated_at"]))
			got.members["updated_at"] = last.members["updated_at"]
			require.Equal(t, last.members, got.members)
		}
		missing := `{"detail":"` + r.model + ` not found"}`
		for _, method := range []string{"GET", "PUT", "PATCH", "DELETE"} {
			require.Equal(t, missing, string(bob.call(t, 404, method, created.path, toBody(r.example)).body), "another user's")
		}
		require.Empty(t, ann.call(t, 204, "DELETE", created.path).body)
		for _, method := range []string{"GET", "PUT", "PATCH", "DELETE"} {
			require.Equal(t, missing, string(ann.call(t, 404, method, created.path, toBody(r.example)).body), "deleted")
		}
		require.Equal(t, "["+second.text+"]", string(ann.call(t, 200, "GET", r.path).body), "and no other row was changed")
	})
}

// keys returns the keys of a JSON object in their order.
func keys(t testing.TB, text []byte) (found []string) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	_, err := decoder.Token()
	require.NoError(t, err)
	for decoder.More() {
		key, err := decoder.Token()
		require.NoError(t, err)
		found = append(found, key.(string))
		require.NoError(t, decoder.Decode(new(json.RawMessage)))
	}
	return found
}

func TestAnAbsentFieldGetsItsDefaultInPostAndPut(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		full := r.create(t, "ann", r.example)
		for _, name := range r.fields {
			p := r.input.Properties[name]
			t.Run(name, func(t *testing.T) {
				if slices.Contains(r.input.Required, name) {
					require.Nil(t, p.Default)
					for method, path := range map[string]string{"POST": r.path, "PUT": full.path} {
						got := r.s.as("ann").call(t, 422, method, path, toBody(r.with(name, "")))
						require.Equal(t, []string{"missing " + name}, faultsIn(t, got))
					}
					return
				}
				want := p.Default
				if want == nil {
					require.Contains(t, p.types(), "null")
					want = json.RawMessage("null")
				}
				for _, got := range []row{r.create(t, "ann", r.with(name, "")), r.call(t, "ann", "PUT", full.path, toBody(r.with(name, "")))} {
					requireSame(t, p, string(want), got.members[name])
				}
			})
		}
	})
}

func TestTheVersionGrowsByOneAtEachChangeAndNeverElse(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		of := r.create(t, "ann", r.example)
		want := int64(1)
		require.Equal(t, want, r.version(t, of))
		changed := func() {
			want++
			require.Equal(t, want, r.version(t, of))
		}
		r.call(t, "ann", "PUT", of.path, toBody(r.example))
		changed()
		r.call(t, "ann", "PATCH", of.path, toBody(r.example))
		changed()
		for _, route := range r.s.app.GetRoutes(true) {
			if route.Method == http.MethodPatch && strings.HasPrefix(route.Path, r.path+"/:id/") {
				r.call(t, "ann", "PATCH", strings.Replace(route.Path, r.path+"/:id", of.path, 1))
				changed()
			}
		}
		r.call(t, "ann", "GET", of.path)
		r.call(t, "ann", "PATCH", of.path, "{}")
		r.s.as("ann").call(t, 422, "PATCH", of.path, toBody(map[string]string{r.fields[0]: "[]"}))
		r.s.as("bob").call(t, 404, "PUT", of.path, toBody(r.example))
		require.Equal(t, want, r.version(t, of))
	})
}
