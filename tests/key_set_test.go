package tests

import (
	"fmt"
	"maps"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"taskapi/middleware/token"
)

var publicMethods = []jwt.SigningMethod{
	jwt.SigningMethodEdDSA, jwt.SigningMethodES256, jwt.SigningMethodES384, jwt.SigningMethodES512,
	jwt.SigningMethodRS256, jwt.SigningMethodRS384, jwt.SigningMethodRS512,
	jwt.SigningMethodPS256, jwt.SigningMethodPS384, jwt.SigningMethodPS512,
}

func TestTokensOfAKeySetAreAcceptedBesideThoseOfTheSecret(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		var keys []signingKey
		for _, method := range publicMethods {
			keys = append(keys, newKey(t, method.Alg(), method))
		}
		auth := newIssuer(t, keys...)
		s := newServerOf(t, auth, databaseURL)
		for _, key := range keys {
			for _, c := range []struct {
				more map[string]any
				user string
			}{
				{nil, "stock-" + key.id},
				{map[string]any{"user_id": "of the payload"}, "of the payload"},
				{map[string]any{"user_id": "alone", "sub": nil}, "alone"},
				{map[string]any{"aud": []string{"https://other.example.com", auth.origin()}}, "stock-" + key.id},
				{map[string]any{"userId": "bob", "SUB": "bob", "nbf": time.Now().Unix()}, "stock-" + key.id},
			} {
				token := key.sign(t, nil, auth.stock("stock-"+key.id, c.more))
				for range 2 { // the second time, the signature is remembered
					got := s.send(t, request{method: "POST", path: "/api/tasks", body: `{"title":"x"}`, header: bearer(token)})
					require.Equal(t, 201, got.StatusCode, "%s: %s", key.id, &s.logs)
					require.Equal(t, c.user, decode[task](t, got).UserID)
				}
			}
		}
		s.as("ann").create(t, "with the secret")
		require.Len(t, s.as("ann").list(t), 1)
		require.Zero(t, auth.strays.Load())
	})
}

func TestAKeySetAloneLeavesNoWayForSecrets(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		key := newKey(t, "k", jwt.SigningMethodEdDSA)
		auth := newIssuer(t, key)
		s := newServerOf(t, auth, databaseURL, "BETTER_AUTH_SECRET", "")
		require.Equal(t, 200, s.statusOf(t, key.sign(t, nil, auth.stock("ann", nil))))
		for _, secret := range []string{"", testSecret, "k"} {
			requireRefusal(t, s, token.WrongAlgorithm, signWith(t, jwt.SigningMethodHS256, []byte(secret)))
		}
	})
}

// requireRefusal requires that a token is refused twice, with the reason in the log each time.
func requireRefusal(t *testing.T, s *server, reason token.Reason, token string) {
	t.Helper()
	for range 2 {
		before := len(s.logs.answered(t, 401))
		got := s.send(t, request{method: "GET", path: "/api/tasks", header: bearer(token)})
		require.Equal(t, 401, got.StatusCode, "%s", got.body)
		require.Equal(t, `{"detail":"Invalid authentication credentials"}`, string(got.body))
		require.Equal(t, "Bearer", got.Header.Get("WWW-Authenticate"))
		lines := s.logs.answered(t, 401)[before:]
		require.Len(t, lines, 1)
		require.EqualValues(t, reason, lines[0]["cause"])
	}
}

func TestTheIssuerMayBeDownAtTheStartAndAnyTimeAfterIt(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		key := newKey(t, "k", jwt.SigningMethodEdDSA)
		auth := newSilentIssuer(t, key)
		good := request{method: "GET", path: "/api/tasks", header: bearer(key.sign(t, nil, auth.stock("ann", nil)))}
		// The issuer accepts connections but does not answer.
		s := newServer(t, databaseURL, "BETTER_AUTH_URL", auth.origin())
		s.as("ann").create(t, "with the secret")
		unavailable(t, s.send(t, good))
		require.Contains(t, s.logs.String(), token.ErrNoKeySet.Error())

		auth.Start()
		require.Eventually(t, func() bool { return s.send(t, good).StatusCode == 200 }, 2*waitLimit, 20*time.Millisecond)
		auth.Close()
		require.Equal(t, 200, s.send(t, good).StatusCode, "an outage of the issuer logs users out")
		again := good
		again.header = bearer(key.sign(t, nil, auth.stock("bob", nil)))
		require.Equal(t, 200, s.send(t, again).StatusCode, "an outage of the issuer logs users out")
		requireRefusal(t, s, token.UnknownKey, newKey(t, "new", jwt.SigningMethodEdDSA).sign(t, nil, auth.stock("ann", nil)))
		require.Equal(t, 200, s.send(t, good).StatusCode, "a failed fetch removed the keys")
	})
}

func TestTheFirstTokenAfterAStartFetchesTheKeySetItself(t *testing.T) {
	t.Parallel()
	key := newKey(t, "k", jwt.SigningMethodEdDSA)
	nonsense := []byte("<html>Bad Gateway</html>")
	for name, c := range map[string]struct {
		prepare func(t *testing.T, auth *issuer) // runs after the start, before the token
		status  int
		atMost  time.Duration
	}{
		"before the first fetch": {func(*testing.T, *issuer) {}, 200, 2 * time.Second},
		"while the retry sleeps": {func(t *testing.T, auth *issuer) {
			require.Eventually(t, func() bool { return auth.fetches.Load() >= 5 }, waitLimit, time.Millisecond) // the next one is 1.6 s away
			auth.publish(t, key)
		}, 200, 2 * time.Second},
		"while the first fetch is slow": {func(t *testing.T, auth *issuer) {
			auth.publish(t, key)
			hang := *auth.hang.Load()
			time.AfterFunc(time.Second, func() { close(hang) })
		}, 200, 2500 * time.Millisecond},
		"while the issuer hangs":            {func(*testing.T, *issuer) {}, 503, 4 * time.Second},
		"while the issuer answers nonsense": {func(*testing.T, *issuer) {}, 503, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			auth := newIssuer(t, key)
			if strings.Contains(name, "sleeps") || strings.Contains(name, "nonsense") {
				auth.set.Store(nonsense)
			}
			hang := make(chan struct{})
			if strings.Contains(name, "slow") || strings.Contains(name, "hangs") {
				auth.hang.Store(&hang)
				t.Cleanup(func() {
					select {
					case <-hang:
					default:
						close(hang)
					}
				})
			}
			s := newServer(t, newSQLite(t), "BETTER_AUTH_URL", auth.origin())
			c.prepare(t, auth)
			start := time.Now()
			require.Equal(t, c.status, s.statusOf(t, key.sign(t, nil, auth.stock("ann", nil))), &s.logs)
			require.Less(t, time.Since(start), c.atMost)
		})
	}
}

func TestTokensBeforeTheFirstFetchCannotHammerTheIssuer(t *testing.T) {
	t.Parallel()
	key := newKey(t, "k", jwt.SigningMethodEdDSA)
	auth := newIssuer(t)
	auth.set.Store([]byte("nonsense"))
	s := newServer(t, newSQLite(t), "BETTER_AUTH_URL", auth.origin())
	start := time.Now()
	var requests sync.WaitGroup
	for i := range 200 {
		garbage := key
		garbage.id = fmt.Sprint("garbage ", i)
		token := garbage.sign(t, nil, auth.stock("ann", nil))
		requests.Go(func() { assert.Equal(t, 503, s.statusOf(t, token)) })
		time.Sleep(5 * time.Millisecond)
	}
	requests.Wait()
	// Five at once and one a second for tokens, beside six or so in the background.
	require.LessOrEqual(t, auth.fetches.Load(), 5+6+int64(time.Since(start)/time.Second)+1)
	auth.publish(t, key)
	require.Equal(t, 200, s.statusOf(t, key.sign(t, nil, auth.stock("ann", nil))))
}

func TestAnIssuerThatAnswersNonsenseIsOneThatIsDown(t *testing.T) {
	t.Parallel()
	key := newKey(t, "k", jwt.SigningMethodEdDSA)
	auth := newIssuer(t)
	good := request{method: "GET", path: "/api/tasks", header: bearer(key.sign(t, nil, auth.stock("ann", nil)))}
	auth.set.Store([]byte("<html>Bad Gateway</html>"))
	s := newServer(t, newSQLite(t), "BETTER_AUTH_URL", auth.origin())
	require.Eventually(t, func() bool { return auth.fetches.Load() > 1 }, waitLimit, time.Millisecond)
	unavailable(t, s.send(t, good))
	auth.publish(t, key)
	require.Eventually(t, func() bool { return s.send(t, good).StatusCode == 200 }, 2*waitLimit, 20*time.Millisecond)
}

func TestARotatedKeyIsTakenAtItsFirstTokenTwiceInAMinute(t *testing.T) {
	t.Parallel()
	first, second := newKey(t, "1", jwt.SigningMethodEdDSA), newKey(t, "2", jwt.SigningMethodES256)
	third := newKey(t, "3", jwt.SigningMethodEdDSA)
	auth := newIssuer(t, first)
	s := newServerOf(t, auth, newSQLite(t))
	status := func(key signingKey) int {
		return s.send(t, request{method: "GET", path: "/api/tasks", header: bearer(key.sign(t, nil, auth.stock("ann", nil)))}).StatusCode
	}
	require.Equal(t, 200, status(first))
	auth.publish(t, first, second)
	var requests sync.WaitGroup
	for range 20 { // an app sends many requests at once with the new token
		requests.Go(func() { assert.Equal(t, 200, status(second)) })
	}
	requests.Wait()
	require.Equal(t, 200, status(first), "a rotation logs out those who have an older token")
	auth.publish(t, second, third)
	require.Equal(t, 200, status(third))
	require.Equal(t, 200, status(second))
	requireRefusal(t, s, token.UnknownKey, first.sign(t, nil, auth.stock("ann", nil)))
}

func TestTokensWithUnknownKeysCannotHammerTheIssuer(t *testing.T) {
	t.Parallel()
	key := newKey(t, "k", jwt.SigningMethodEdDSA)
	auth := newIssuer(t, key)
	s := newServerOf(t, auth, newSQLite(t))
	before := auth.fetches.Load()
	start := time.Now()
	for i := range 100 {
		garbage := key
		garbage.id = fmt.Sprint("garbage ", i)
		requireRefusal(t, s, token.UnknownKey, garbage.sign(t, nil, auth.stock("ann", nil)))
	}
	allowed := 5 + int64(time.Since(start)/(10*time.Second)) + 1
	require.LessOrEqual(t, auth.fetches.Load()-before, allowed)
	require.Equal(t, 200, s.statusOf(t, key.sign(t, nil, auth.stock("ann", nil))))
}

func TestASignatureThatWasSeenBeforeIsNoPass(t *testing.T) {
	t.Parallel()
	for _, method := range publicMethods {
		t.Run(method.Alg(), func(t *testing.T) {
			t.Parallel()
			key := newKey(t, "k", method)
			auth := newIssuer(t, key)
			s := newServerOf(t, auth, newSQLite(t))
			status := func(token string) int {
				return s.send(t, request{method: "GET", path: "/api/tasks", header: bearer(token)}).StatusCode
			}
			short := key.sign(t, nil, auth.stock("ann", map[string]any{"exp": float64(time.Now().Add(1200*time.Millisecond).UnixMilli()) / 1000}))
			long := key.sign(t, nil, auth.stock("ann", nil))
			for range 2 {
				require.Equal(t, 200, status(short))
				require.Equal(t, 200, status(long))
			}
			text, signature := cutSignature(long)
			otherText, _ := cutSignature(short)
			require.Equal(t, 401, status(text+strings.ToLower(signature)), "a remembered text with another signature")
			require.Equal(t, 401, status(otherText+signature), "a remembered signature with another text")
			require.Eventually(t, func() bool { return status(short) == 401 }, waitLimit, 50*time.Millisecond, "it outlives exp")
			require.Equal(t, "expired", s.logs.answered(t, 401)[len(s.logs.answered(t, 401))-1]["cause"])

			other := newKey(t, "k", method) // another key with the same id
			auth.publish(t, other)
			stranger := newKey(t, "stranger", jwt.SigningMethodEdDSA)
			requireRefusal(t, s, token.UnknownKey, stranger.sign(t, nil, auth.stock("ann", nil))) // makes the server fetch the set
			requireRefusal(t, s, token.BadSignature, long)
			require.Equal(t, 200, status(other.sign(t, nil, auth.stock("ann", nil))))
			auth.publish(t)
			requireRefusal(t, s, token.UnknownKey, stranger.sign(t, nil, auth.stock("ann", nil)))
			requireRefusal(t, s, token.UnknownKey, long)
		})
	}
}

// cutSignature splits a token after its last dot.
func cutSignature(token string) (text, signature string) {
	dot := strings.LastIndex(token, ".")
	return token[:dot+1], token[dot+1:]
}

func TestAnyIssuerWithAKeySetWillDo(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		key := newKey(t, "k", jwt.SigningMethodRS256)
		auth := newIssuer(t, key)
		s := newServer(t, databaseURL, "BETTER_AUTH_SECRET", "", "JWKS_URL", auth.origin()+"/api/auth/jwks",
			"JWT_ISSUER", "https://login.example.com/", "JWT_AUDIENCE", "tasks")
		require.Eventually(t, func() bool { return s.hasKeys(t) }, waitLimit, time.Millisecond)
		theirs := map[string]any{"iss": "https://login.example.com/", "aud": []string{"tasks", "mail"}, "email": nil}
		with := func(more map[string]any) string {
			all := maps.Clone(theirs)
			maps.Copy(all, more)
			return key.sign(t, nil, auth.stock("auth0|ann", all))
		}
		got := s.send(t, request{method: "POST", path: "/api/tasks", body: `{"title":"x"}`, header: bearer(with(nil))})
		require.Equal(t, 201, got.StatusCode)
		require.Equal(t, "auth0|ann", decode[task](t, got).UserID)
		requireRefusal(t, s, token.WrongIssuer, with(map[string]any{"iss": "https://login.example.com"}))
		requireRefusal(t, s, token.WrongIssuer, with(map[string]any{"iss": auth.origin()}))
		requireRefusal(t, s, token.WrongAudience, with(map[string]any{"aud": "mail"}))
		requireRefusal(t, s, token.WrongAudience, with(map[string]any{"aud": auth.origin()}))
	})
}

func TestWhatIsNoKeySetDoesNotTakeThePlaceOfOne(t *testing.T) {
	t.Parallel()
	key, stranger := newKey(t, "k", jwt.SigningMethodEdDSA), newKey(t, "stranger", jwt.SigningMethodEdDSA)
	evil := newIssuer(t, stranger)
	for name, answer := range map[string]string{
		"a notice": `{"message":"maintenance"}`, "null": "null", "a list": "[]", "a page": "<html>", "nothing": "", "no list": `{"keys":{}}`,
		"too much": `{"keys":[],"pad":"` + strings.Repeat("x", 1<<20) + `"}`, "moved": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			auth := newIssuer(t, key)
			s := newServerOf(t, auth, newSQLite(t))
			auth.set.Store([]byte(answer))
			if name == "moved" {
				auth.moved.Store(new(evil.origin() + "/api/auth/jwks"))
			}
			requireRefusal(t, s, token.UnknownKey, stranger.sign(t, nil, auth.stock("ann", nil))) // makes the server fetch the set
			require.Contains(t, s.logs.String(), "cannot refresh the key set")
			good := request{method: "GET", path: "/api/tasks", header: bearer(key.sign(t, nil, auth.stock("ann", nil)))}
			require.Equal(t, 200, s.send(t, good).StatusCode, "users are logged out")
		})
	}
}

func TestAParameterOfTheKeySetsURLReachesNoLog(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t), "JWKS_URL", "http://127.0.0.1:1/keys?apikey=hunter2", "JWT_ISSUER", "i", "JWT_AUDIENCE", "a")
	require.Eventually(t, func() bool { return strings.Contains(s.logs.String(), "cannot fetch the key set") }, waitLimit, time.Millisecond)
	s.cfg.Announce(s.logs, s.cfg.Logger(s.logs), &net.TCPAddr{})
	require.Contains(t, s.logs.String(), "http://127.0.0.1:1/keys")
	require.NotContains(t, s.logs.String(), "hunter2")
}

func TestTokensWithUnknownKeysKeepNobodyElseWaitingWhileTheIssuerHangs(t *testing.T) {
	t.Parallel()
	key := newKey(t, "k", jwt.SigningMethodEdDSA)
	auth := newIssuer(t, key)
	s := newServerOf(t, auth, newSQLite(t))
	known := key.sign(t, nil, auth.stock("bob", nil))
	hang := make(chan struct{})
	auth.hang.Store(&hang)
	t.Cleanup(func() { close(hang) })
	var strangers sync.WaitGroup
	for i := range 1100 {
		garbage := key
		garbage.id = fmt.Sprint("garbage ", i)
		token := garbage.sign(t, nil, auth.stock("ann", nil))
		strangers.Go(func() { s.send(t, request{method: "GET", path: "/api/tasks", header: bearer(token)}) })
	}
	require.Eventually(t, func() bool { return auth.fetches.Load() > 1 }, waitLimit, time.Millisecond)
	for range 20 {
		require.Empty(t, s.as("ann").list(t))
		require.Equal(t, 200, s.send(t, request{method: "GET", path: "/api/tasks", header: bearer(known)}).StatusCode)
	}
	strangers.Wait()
}
