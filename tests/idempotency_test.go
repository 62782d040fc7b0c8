package tests

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"taskapi/models"
)

// keyed is the POST of the example's row with an idempotency key.
func (r *resource) keyed(user, key string) request {
	return request{"POST", r.path, user, toBody(r.example), map[string]string{"Idempotency-Key": key}}
}

// once demands that a POST with a key creates a row.
func (r *resource) once(t testing.TB, user, key string) answer {
	t.Helper()
	got := r.s.ask(t, 201, r.keyed(user, key))
	require.Empty(t, got.Header.Values("Idempotency-Replayed"))
	return got
}

// requireReplay demands the answer of the first POST with the key.
func requireReplay(t testing.TB, first, got answer) {
	t.Helper()
	require.Equal(t, []string{"true"}, got.Header.Values("Idempotency-Replayed"))
	got.Header.Del("Idempotency-Replayed")
	require.Empty(t, difference(got, first))
	require.NotEmpty(t, got.Header.Get("Location"))
	require.Equal(t, `"1"`, got.Header.Get("ETag"))
}

// keys counts the idempotency keys of each user that the database has.
func (s *server) keys(t testing.TB) map[string]int {
	t.Helper()
	var users []string
	require.NoError(t, models.AcrossOwners(s.db).Model(&models.IdempotencyKey{}).Pluck("user_id", &users).Error)
	counts := map[string]int{}
	for _, user := range users {
		counts[user]++
	}
	return counts
}

func TestTheSameKeyMakesOneRowAndIsAnsweredTheSame(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		const key = "8e03978e-40d5-43dd-bc93-6894a57f9324"
		first := r.once(t, "ann", key)
		again := func() {
			t.Helper()
			for _, path := range []string{r.path, r.path + "?x=1&limit=0", r.path + "/", r.path + "/?status=x"} {
				for _, spelling := range []string{key, `"` + key + `"`, ` "` + key + `"; a=1 `} {
					retry := r.keyed("ann", spelling)
					retry.path = path
					requireReplay(t, first, r.s.ask(t, 201, retry))
				}
			}
		}
		again()
		require.Len(t, r.list(t, "ann"), 1)
		of := r.toRow(t, first)
		r.call(t, "ann", "PUT", of.path, toBody(r.example))
		again()
		require.EqualValues(t, 2, r.version(t, of), "a replay changed the row")
		r.s.as("ann").call(t, 204, "DELETE", of.path)
		again()
		require.Empty(t, r.list(t, "ann"), "a replay created the row again")
	})
}

func TestTheSameKeyWithAnotherBodyIs422(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		first := r.once(t, "ann", "k")
		for _, body := range []string{
			toBody(r.example) + " ", strings.Replace(toBody(r.example), "{", `{"x":1,`, 1), toBody(r.with(r.fields[0], `"other"`)),
		} {
			other := r.keyed("ann", `"k"`)
			other.body = body
			got := r.s.ask(t, 422, other)
			require.Empty(t, got.Header.Get("Location"))
			faults := decode[validationError](t, got).Detail
			require.Len(t, faults, 1)
			require.Equal(t, []any{"header", "Idempotency-Key"}, faults[0].Loc)
			require.Equal(t, "value_error", faults[0].Type)
			require.Equal(t, `"k"`, string(faults[0].Input))
		}
		requireReplay(t, first, r.s.ask(t, 201, r.keyed("ann", "k")))
		require.Len(t, r.list(t, "ann"), 1)
	})
}

func TestAMalformedKeyIs400(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		long := strings.Repeat("k", 255)
		for _, key := range []string{
			"", " ", `""`, long + "k", `"` + long + `k"`, "a b", `"a b"`, "a\tb", "é", `"é"`, "\xff", `"abc`, `"`, `"a"b`,
			`"a", "b"`, "a, b", `"a\b"`, `"a";`, `"a"; B=1`, "a\r\nb", "a\r\na", "\"a\"\r\n\"a\"",
		} {
			require.Equal(t, `{"detail":"Invalid Idempotency-Key header"}`, string(r.s.ask(t, 400, r.keyed("ann", key)).body), "%q", key)
		}
		require.Empty(t, r.list(t, "ann"))
		good := []string{"1", `"2"`, "?1", ":YWJj:", "*token", "1.5", "@1659578233", "(a)", "a=b;c", "'",
			`a"b`, `a\b`, `"\"c\\"`, "!~", long, `"` + long[1:] + `"`}
		for _, key := range good {
			first := r.once(t, "ann", key)
			requireReplay(t, first, r.s.ask(t, 201, r.keyed("ann", key)))
		}
		require.Len(t, r.list(t, "ann"), len(good))
		r.once(t, "ann", `a\\b`) // bare, a backslash is one
	})
}

func TestKeysOfTwoUsersOrResourcesNeverMeet(t *testing.T) {
	eachEngineWithGadgets(t, func(t *testing.T, s *server) {
		firsts := map[string]answer{}
		users := []string{"ann", "Ann", "ann ", "k", strings.Repeat("é", 255)}
		for _, r := range s.resources(t) {
			for _, user := range users {
				firsts[r.path+user] = r.once(t, user, "k")
			}
		}
		for _, r := range s.resources(t) {
			for _, user := range users {
				requireReplay(t, firsts[r.path+user], s.ask(t, 201, r.keyed(user, "k")))
				require.Len(t, r.list(t, user), 1)
			}
		}
		require.Len(t, s.keys(t), len(users))
	})
}

func TestAfterAnErrorTheKeyIsFree(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		s := newServer(t, databaseURL, "REQUEST_TIMEOUT", "3s")
		r := s.resources(t)[0]
		bad := r.keyed("ann", "k")
		for status, body := range map[int]string{422: "{}", 413: strings.Repeat(" ", 70<<10)} {
			bad.body = body
			s.ask(t, status, bad)
		}
		s.ask(t, 401, r.keyed("", "k"))
		s.ask(t, 415, r.keyed("ann", "k").withHeader("Content-Type", "text/plain"))
		unlock := lockTasks(t, s)
		unavailable(t, s.ask(t, 503, r.keyed("ann", "k")))
		unlock()
		first := r.once(t, "ann", "k")
		requireReplay(t, first, s.ask(t, 201, r.keyed("ann", "k")))
		require.Len(t, r.list(t, "ann"), 1)
		bad.body = "{}"
		s.ask(t, 422, bad)
		requireReplay(t, first, s.ask(t, 201, r.keyed("ann", "k")))
	})
}

// requireKeysEndWith demands that the keys of ann are gone with her, and those of bob stay.
func requireKeysEndWith(t *testing.T, s *server, deleteAnn, returnOfAnn func()) {
	t.Helper()
	r := s.resources(t)[0]
	anns, bobs := r.once(t, "ann", "k"), r.once(t, "bob", "k")
	require.Equal(t, map[string]int{"ann": 1, "bob": 1}, s.keys(t))
	deleteAnn()
	require.Equal(t, map[string]int{"bob": 1}, s.keys(t))
	requireReplay(t, bobs, s.ask(t, 201, r.keyed("bob", "k")))
	returnOfAnn()
	require.NotEqual(t, anns.Header.Get("Location"), r.once(t, "ann", "k").Header.Get("Location"))
}

func TestADeletedAccountTakesItsKeysAlong(t *testing.T) {
	withAccounts(t, func(t *testing.T, auth *accounts) {
		s := auth.start(t)
		s.ask(t, 401, s.resources(t)[0].keyed("ann", "k"))
		auth.signUp(t, "ann", "bob")
		requireKeysEndWith(t, s, func() { auth.deleteAccount(t, "ann") }, func() {
			s.ask(t, 401, s.resources(t)[0].keyed("ann", "k"))
			auth.signUp(t, "ann")
		})
	})
}

func TestADeletedUserTakesItsKeysAlong(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		direct := newAccounts(t, databaseURL, "unrelated")
		s := newServer(t, databaseURL)
		requireKeysEndWith(t, s, func() { direct.exec(t, "DELETE FROM users WHERE id = 'ann'") }, func() {})
	})
}

func TestACopyLeavesTheKeysOut(t *testing.T) {
	eachDatabase(t, func(t *testing.T, from string) {
		source := newServer(t, from)
		first := source.resources(t)[0].once(t, "ann", "k")
		for name, newTarget := range map[string]func(testing.TB) string{"to SQLite": newSQLite, "to PostgreSQL": newPostgres} {
			t.Run(name, func(t *testing.T) {
				to := newTarget(t)
				require.NoError(t, copyModels(t, from, to, models.Owned()))
				target := newServer(t, to)
				require.Empty(t, target.keys(t))
				r := target.resources(t)[0]
				require.Equal(t, []json.RawMessage{first.body}, r.list(t, "ann"))
				require.NotEqual(t, first.Header.Get("Location"), r.once(t, "ann", "k").Header.Get("Location"))
			})
		}
		require.Equal(t, map[string]int{"ann": 1}, source.keys(t))
	})
}
