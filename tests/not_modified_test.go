package tests

import (
	"cmp"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// requireUnchanged demands the 304 of what was answered before, whatever the method.
func requireUnchanged(t testing.TB, whole, got answer) {
	t.Helper()
	require.Equal(t, http.StatusNotModified, got.StatusCode)
	require.Empty(t, got.body)
	require.NotEmpty(t, got.Header.Get("ETag"))
	require.Equal(t, "private, no-cache", got.Header.Get("Cache-Control"))
	for _, name := range []string{
		"ETag", "Cache-Control", "Vary", "Link", "X-Total-Count", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers",
	} {
		require.Equal(t, whole.Header.Values(name), got.Header.Values(name), name)
	}
	require.Contains(t, got.Header.Get("Vary"), "Authorization")
	require.Contains(t, got.Header.Get("Vary"), "Origin")
}

func TestARowOrListThatTheClientHasIs304WithoutABody(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		of := r.create(t, "ann", r.example)
		r.create(t, "ann", r.example)
		const origin = "https://app.example.com"
		for _, path := range []string{of.path, r.path, r.path + "?limit=1&count=true", r.path + "?q=nothing-has-this"} {
			read := request{method: "GET", path: path, user: "ann"}
			whole := r.s.ask(t, 200, read.withHeader("Origin", origin))
			require.Equal(t, origin, whole.Header.Get("Access-Control-Allow-Origin"))
			tag := whole.Header.Get("ETag")
			require.Regexp(t, `^"[!#-~]+"$`, tag, "strong")
			for _, method := range []string{"GET", "HEAD"} {
				read.method = method
				for _, known := range []string{tag, "W/" + tag, `*`, `"x", ` + tag, "\"x\"\r\n" + tag, `"a,b",,` + tag + ","} {
					requireUnchanged(t, whole, r.s.ask(t, 304, read.withHeader("Origin", origin).withHeader("If-None-Match", known)))
					require.Empty(t, r.s.ask(t, 304, read.withHeader("If-None-Match", known)).Header.Get("Access-Control-Allow-Origin"))
				}
				for _, known := range []string{`""`, `"x"`, `"0"`, `"*"`, `"` + tag[2:]} {
					got := r.s.ask(t, 200, read.withHeader("If-None-Match", known))
					require.Equal(t, tag, got.Header.Get("ETag"))
					if method == "GET" {
						require.Equal(t, string(whole.body), string(got.body))
					}
				}
				for _, known := range noTags {
					got := r.s.ask(t, 400, read.withHeader("If-None-Match", known))
					if method == "GET" {
						require.Equal(t, `{"detail":"Invalid If-None-Match header"}`, string(got.body))
					}
					require.Equal(t, "no-store", got.Header.Get("Cache-Control"))
				}
			}
		}
		for _, read := range []request{{method: "GET", path: of.path, user: "bob"}, {method: "GET", path: r.path + "/4711", user: "bob"}} {
			plain := r.s.ask(t, 404, read)
			for _, known := range []string{`*`, `"1"`} {
				require.Empty(t, difference(r.s.ask(t, 404, read.withHeader("If-None-Match", known)), plain))
			}
		}
	})
}

func TestWhateverChangesAnAnswerChangesItsTag(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		lists := []string{r.path, r.path + "?limit=1&sort=created_at", r.path + "?limit=1&sort=created_at&count=true"}
		known := map[string]string{}
		poll := func(paths ...string) {
			t.Helper()
			for _, path := range paths {
				read := request{method: "GET", path: path, user: "ann"}
				known[path] = r.s.ask(t, 200, read.withHeader("If-None-Match", cmp.Or(known[path], `"none"`))).Header.Get("ETag")
				r.s.ask(t, 304, read.withHeader("If-None-Match", known[path]))
			}
		}
		poll(lists...)
		of := r.create(t, "ann", r.example)
		poll(append(lists, of.path)...)
		r.create(t, "ann", r.example)
		poll(lists...) // of the second one, only Link has changed
		r.create(t, "ann", r.example)
		poll(lists[0], lists[2]) // of the last one, only X-Total-Count has
		require.Equal(t, known[lists[1]], r.s.ask(t, 200, request{method: "GET", path: lists[1], user: "ann"}).Header.Get("ETag"))
		r.call(t, "ann", "PUT", of.path, toBody(r.example))
		poll(append(lists, of.path)...)
		r.call(t, "ann", "PATCH", of.path, toBody(r.example))
		poll(append(lists, of.path)...)
		r.create(t, "bob", r.example) // is nothing to ann
		for path, tag := range known {
			r.s.ask(t, 304, request{method: "GET", path: path, user: "ann", header: map[string]string{"If-None-Match": tag}})
		}
		r.s.as("ann").call(t, 204, "DELETE", of.path)
		poll(lists...)
	})
}

// behindNginx is the server as clients see it through a real nginx, in whose configuration app is the server.
func (s *server) behindNginx(t *testing.T, conf string) *server {
	t.Helper()
	s.listen(t)
	proxied := *s
	proxied.address = startNginx(t, "upstream app { server "+s.address+"; }\n"+conf)
	return &proxied
}

func TestATagThatAProxyWeakenedWorks(t *testing.T) {
	t.Parallel()
	s := newServerWith(t, newSQLite(t), gadgets)
	resources := s.resources(t)
	proxied := s.behindNginx(t, "gzip on; gzip_types application/json; gzip_min_length 1; gzip_proxied any;\n"+
		"server { listen PORT; location / { proxy_pass http://app; } }")
	for _, r := range resources { // Go's client asks for gzip by itself
		r.s = proxied
		of := r.toRow(t, r.s.demand(t, 201, request{method: "POST", path: r.path, user: "ann", body: toBody(r.example)}))
		for _, read := range []request{{method: "GET", path: of.path, user: "ann"}, {method: "GET", path: r.path, user: "ann"}} {
			got := r.s.demand(t, 200, read)
			require.True(t, got.Uncompressed, "nginx did not compress")
			require.Regexp(t, `^W/"`, got.Header.Get("ETag"))
			require.Empty(t, r.s.demand(t, 304, read.withHeader("If-None-Match", got.Header.Get("ETag"))).body)
		}
		for i, write := range r.writes("ann", of) {
			tag := r.s.demand(t, 200, request{method: "GET", path: of.path, user: "ann"}).Header.Get("ETag")
			if i == 0 {
				require.Equal(t, `W/"1"`, tag)
			}
			r.s.demand(t, 412, write.withHeader("If-Match", `W/"99"`))
			if write.method == "DELETE" {
				r.s.demand(t, 204, write.withHeader("If-Match", tag))
			} else {
				r.s.demand(t, 200, write.withHeader("If-Match", tag))
			}
		}
	}
}

func TestASharedCacheServesNoUserWhatIsAnothers(t *testing.T) {
	t.Parallel()
	s := newServerWith(t, newSQLite(t), gadgets)
	resources := s.resources(t)
	proxied := s.behindNginx(t, "proxy_cache_path "+t.TempDir()+" keys_zone=all:1m;\n"+
		"server { listen PORT; proxy_cache all; proxy_cache_valid any 10m; add_header X-Cache $upstream_cache_status always; "+
		"location / { proxy_pass http://app; } }")
	for _, from := range []string{"MISS", "HIT"} {
		asset := proxied.demand(t, 200, request{method: "GET", path: "/docs/swagger-ui.css"})
		require.Equal(t, from, asset.Header.Get("X-Cache"), "the cache does not work")
	}
	for _, r := range resources {
		rows := map[string]row{"ann": r.create(t, "ann", r.example), "bob": r.create(t, "bob", r.example)}
		r.s = proxied
		for range 3 {
			for user, others := range map[string]row{"ann": rows["bob"], "bob": rows["ann"]} {
				for path, body := range map[string]string{r.path: "[" + rows[user].text + "]", rows[user].path: rows[user].text} {
					read := request{method: "GET", path: path, user: user}
					got := r.s.demand(t, 200, read)
					require.Equal(t, body, string(got.body))
					require.NotEqual(t, "HIT", got.Header.Get("X-Cache"))
					again := r.s.sendUnchecked(t, read.withHeader("If-None-Match", got.Header.Get("ETag")))
					if again.StatusCode == 200 { // this cache asks for the whole answer
						require.Equal(t, body, string(again.body))
					} else {
						require.Equal(t, 304, again.StatusCode)
					}
					read.user = ""
					r.s.demand(t, 401, read)
				}
				r.s.demand(t, 404, request{method: "GET", path: others.path, user: user})
			}
		}
	}
}
