package tests

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

const mergePatch = "application/merge-patch+json"

func TestAPatchSetsEachFieldByItselfAndNothingElse(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		for _, name := range slices.Sorted(maps.Keys(r.patch.Properties)) {
			t.Run(name, func(t *testing.T) {
				p := r.patch.Properties[name]
				for _, with := range p.samples() {
					if with.fault != "" {
						continue
					}
					before := r.create(t, "ann", r.example)
					after := r.call(t, "ann", "PATCH", before.path, toBody(map[string]string{name: with.value}))
					requireSame(t, p, with.value, after.members[name])
					require.Greater(t, string(after.members["updated_at"]), string(before.members["updated_at"]),
						"given is changed, even to the same value")
					require.Equal(t, before.except(name, "updated_at"), after.except(name, "updated_at"))
					require.Equal(t, after.text, r.call(t, "ann", "GET", before.path).text, "byte for byte")
				}
			})
		}
	})
}

// except returns the members of a row without some.
func (r row) except(names ...string) map[string]json.RawMessage {
	rest := maps.Clone(r.members)
	for _, name := range names {
		delete(rest, name)
	}
	return rest
}

func TestWhatAClientMayNotSetIsIgnored(t *testing.T) {
	const more = `,"id":4711,"user_id":"bob","created_at":"2001-01-01T00:00:00Z","updated_at":"2001-01-01T00:00:00Z",` +
		`"version":9,"Version":9,"unknown":{"a":[1]}`
	eachResource(t, func(t *testing.T, r *resource) {
		whole := toBody(r.example)
		whole = whole[:len(whole)-1] + more
		created := r.toRow(t, r.s.as("ann").call(t, 201, "POST", r.path, whole+"}"))
		for _, name := range r.patchOnly() {
			whole += "," + quoted(name) + ":" + string(r.patch.Properties[name].Examples[0])
			for _, with := range r.patch.Properties[name].samples() { // the default stays, whatever is sent
				sent := toBody(r.with(name, with.value))
				if with.fault != "json_invalid" {
					require.Equal(t, created.members[name], r.toRow(t, r.s.as("ann").call(t, 201, "POST", r.path, sent)).members[name])
					require.Equal(t, created.members[name], r.call(t, "ann", "PUT", created.path, sent).members[name])
				}
			}
		}
		put := r.call(t, "ann", "PUT", created.path, whole+"}")
		patched := r.call(t, "ann", "PATCH", created.path, whole+"}")
		for _, got := range []row{put, patched} {
			require.Equal(t, created.except("updated_at"), got.except("updated_at"))
			require.NotContains(t, got.text, "2001")
			require.NotContains(t, got.text, "bob")
		}
		require.Equal(t, "[]", string(r.s.as("bob").call(t, 200, "GET", r.path).body))
	})
}

func TestAPatchThatChangesNothingAnswersTheRowAsItIs(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		kept := r.create(t, "ann", r.example)
		for _, body := range []string{`{}`, ` { } `, `{"unknown":1}`, `{"id":4711,"user_id":"bob","updated_at":null}`} {
			t.Run(body, func(t *testing.T) {
				require.Equal(t, kept.text, r.call(t, "ann", "PATCH", kept.path, body).text)
				require.EqualValues(t, 1, r.version(t, kept))
				r.s.as("bob").call(t, 404, "PATCH", kept.path, body)
			})
		}
	})
}

func TestAPatchThatIsNoObjectIsExplained(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		kept := r.create(t, "ann", r.example)
		for body, fault := range map[string]string{
			"": "missing body", " ": "missing body", "null": "missing body",
			"[]": "value_error body", `[{"op":"remove","path":"/a"}]`: "value_error body",
			`"x"`: "value_error body", "5": "value_error body", "true": "value_error body", "{": "json_invalid 1", `{"a":1} {}`: "json_invalid 8",
		} {
			t.Run(body, func(t *testing.T) {
				require.Equal(t, []string{fault}, faultsIn(t, r.s.as("ann").call(t, 422, "PATCH", kept.path, body)))
				require.Equal(t, []string{"int_parsing id", fault}, faultsIn(t, r.s.as("ann").call(t, 422, "PATCH", r.path+"/x", body)))
				r.s.as("").call(t, 401, "PATCH", kept.path, body)
			})
		}
		require.Equal(t, kept.text, r.call(t, "ann", "GET", kept.path).text)
	})
}

func TestAPatchIsOfAMediaTypeForIt(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		kept := r.create(t, "ann", r.example)
		send := func(user, method, kind string) answer {
			path := map[string]string{"POST": r.path}[method]
			if path == "" {
				path = kept.path
			}
			return r.s.send(t, request{method, path, user, toBody(r.example), map[string]string{"Content-Type": kind}})
		}
		for _, kind := range []string{
			"text/plain", "application/json-patch+json", "application/x-www-form-urlencoded", "application/merge-patch", "x",
		} {
			got := send("ann", "PATCH", kind)
			require.Equal(t, 415, got.StatusCode, kind)
			require.Equal(t, `{"detail":"Unsupported Media Type"}`, string(got.body))
			require.Equal(t, mergePatch, got.Header.Get("Accept-Patch"))
			require.Equal(t, 401, send("", "PATCH", kind).StatusCode, "the token comes first")
		}
		for _, method := range []string{"POST", "PUT"} {
			got := send("ann", method, mergePatch)
			require.Equal(t, 415, got.StatusCode)
			require.Empty(t, got.Header.Get("Accept-Patch"))
		}
		require.Equal(t, kept.text, r.call(t, "ann", "GET", kept.path).text)
		for _, kind := range []string{
			mergePatch, mergePatch + "; charset=utf-8", "Application/Merge-Patch+JSON", "application/json", "application/json; charset=utf-8", "",
		} {
			require.Equal(t, 200, send("ann", "PATCH", kind).StatusCode, kind)
		}
		got := r.s.send(t, request{"PATCH", kept.path, "ann", toBody(r.example), map[string]string{"Content-Encoding": "gzip"}})
		require.Equal(t, 415, got.StatusCode)
	})
}
