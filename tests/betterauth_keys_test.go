package tests

import (
	"context"
	"encoding/json"
	"net/http"
	"os/exec"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"taskapi/middleware/token"
)

const (
	signsFor     = 24 * time.Hour      // how long a key of betterauth/server.mjs signs
	publishedFor = 30 * 24 * time.Hour // how long Better Auth publishes it from then on
)

// newServer starts the program with the key set that Better Auth publishes.
func (b *betterAuth) newServer(t testing.TB, databaseURL string, settings ...string) *server {
	t.Helper()
	return newServer(t, databaseURL, append([]string{"BETTER_AUTH_URL", b.baseURL}, settings...)...)
}

// awaitKeySet waits until a token can be judged.
func (s *server) awaitKeySet(t testing.TB, token string) {
	t.Helper()
	list := request{method: "GET", path: "/api/tasks", header: bearer(token)}
	for start := time.Now(); s.send(t, list).StatusCode == http.StatusServiceUnavailable; {
		require.Less(t, time.Since(start), waitLimit, "the key set is not fetched: %s", s.logs)
		time.Sleep(10 * time.Millisecond)
	}
}

// keyID returns the kid of a token.
func keyID(t testing.TB, token string) any {
	t.Helper()
	parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
	require.NoError(t, err)
	return parsed.Header["kid"]
}

func TestATokenThatBetterAuthSignsWithAPublishedKeyIsGood(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]betterAuthOptions{
		"AsItComes":         {},
		"EdDSAWithUserID":   {UserID: true},
		"ES256":             {Algorithm: "ES256"},
		"ES512":             {Algorithm: "ES512"},
		"RS256":             {Algorithm: "RS256"},
		"PS256WithUserID":   {Algorithm: "PS256", UserID: true},
		"UnderAnotherPath":  {Path: "/sign/in"},
		"ForAnotherService": {Issuer: "https://auth.example.com", Audience: "tasks"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := startBetterAuth(t, options)
			ann, bob := b.signUp(t, "ann"), b.signUp(t, "bob")
			for engine, newDatabase := range map[string]func(testing.TB) string{"SQLite": newSQLite, "PostgreSQL": newPostgres} {
				t.Run(engine, func(t *testing.T) {
					s := b.newServer(t, newDatabase(t), "JWT_ISSUER", options.Issuer, "JWT_AUDIENCE", options.Audience)
					s.awaitKeySet(t, ann.token(t))
					requireAccepted(t, s, ann.token(t), ann.id)
					requireAccepted(t, s, bob.token(t), bob.id)
					require.Len(t, s.as(ann.id).list(t), 1, "with a token of the shared secret")
				})
			}
		})
	}
}

func TestATokenOfAnotherBetterAuthOrForAnotherAudienceIsRefused(t *testing.T) {
	t.Parallel()
	b := startBetterAuth(t, betterAuthOptions{Issuer: "https://auth.example.com", Audience: "tasks"})
	theirs := b.signUp(t, "ann").token(t)
	for reason, settings := range map[token.Reason][]string{
		"wrong_issuer":   {"JWT_AUDIENCE", "tasks"},
		"wrong_audience": {"JWT_ISSUER", "https://auth.example.com"},
	} {
		s := b.newServer(t, newSQLite(t), settings...)
		s.awaitKeySet(t, theirs)
		requireRefused(t, s, theirs, reason)
	}
	other := startBetterAuth(t, betterAuthOptions{})
	s := other.newServer(t, newSQLite(t))
	s.awaitKeySet(t, other.signUp(t, "ann").token(t))
	requireRefused(t, s, theirs, "unknown_key")
}

func TestASessionCookieOfBetterAuthIsNoTokenWhicheverKeySignedIt(t *testing.T) {
	t.Parallel()
	for reason, options := range map[token.Reason]betterAuthOptions{
		"no_user_id": {},
		"wrong_type": {SessionCookieCache: true},
	} {
		b := startBetterAuth(t, options)
		ann := b.signUp(t, "ann")
		s := b.newServer(t, newSQLite(t))
		s.awaitKeySet(t, ann.token(t))
		requireRefused(t, s, ann.cookie(t, "session_data"), reason)
	}
}

func TestBetterAuthRotatesItsKeysWithoutASingle401(t *testing.T) {
	t.Parallel()
	b := startBetterAuth(t, betterAuthOptions{})
	ann := b.signUp(t, "ann")
	tokens := []string{ann.token(t)}
	s := b.newServer(t, newSQLite(t))
	s.awaitKeySet(t, tokens[0])
	for range 2 {
		b.age(t, signsFor)
		tokens = append(tokens, ann.token(t))
		for _, token := range tokens {
			requireAccepted(t, s, token, ann.id)
		}
	}
	require.NotEqual(t, keyID(t, tokens[0]), keyID(t, tokens[1]))
	require.NotEqual(t, keyID(t, tokens[1]), keyID(t, tokens[2]))
	require.Empty(t, s.logs.answered(t, 401))
}

func TestATokenOfAKeyThatBetterAuthWithdrewIsRefused(t *testing.T) {
	t.Parallel()
	b := startBetterAuth(t, betterAuthOptions{})
	ann := b.signUp(t, "ann")
	s := b.newServer(t, newSQLite(t))
	withdrawn := ann.token(t)
	s.awaitKeySet(t, withdrawn)
	requireAccepted(t, s, withdrawn, ann.id)
	b.age(t, signsFor+publishedFor)
	requireAccepted(t, s, ann.token(t), ann.id) // whose key has the set fetched anew
	requireRefused(t, s, withdrawn, "unknown_key")
}

func TestBetterAuthMayBeDown(t *testing.T) {
	t.Parallel()
	port, err := freePort()
	require.NoError(t, err)
	options := betterAuthOptions{Port: port, DatabaseURL: newPostgres(t)} // which keeps its key and account
	b := startBetterAuth(t, options)
	ann := b.signUp(t, "ann")
	token := ann.token(t)
	b.stop()

	s := b.newServer(t, newSQLite(t))
	s.as(ann.id).create(t, "Buy groceries")
	for range 3 {
		got := s.send(t, request{method: "GET", path: "/api/tasks", header: bearer(token)})
		require.Equal(t, 503, got.StatusCode, "%s", got.body)
		require.NotEmpty(t, got.Header.Get("Retry-After"))
	}
	require.Equal(t, 200, s.send(t, request{method: "GET", path: "/health"}).StatusCode)

	b = startBetterAuth(t, options)
	s.awaitKeySet(t, token)
	requireAccepted(t, s, token, ann.id)
	b.stop()
	requireAccepted(t, s, token, ann.id)
	require.Len(t, s.as(ann.id).list(t), 3)
}

func TestAnAccountThatBetterAuthDeletesTakesItsTasksAlong(t *testing.T) {
	t.Parallel()
	database := newPostgres(t)
	b := startBetterAuth(t, betterAuthOptions{DatabaseURL: database}) // makes its tables
	s := b.newServer(t, database, "AUTH_USERS_TABLE", "user")
	ann, bob := b.signUp(t, "ann"), b.signUp(t, "bob")
	token := ann.token(t)
	s.awaitKeySet(t, token)
	requireAccepted(t, s, token, ann.id)
	requireAccepted(t, s, token, ann.id)
	requireAccepted(t, s, bob.token(t), bob.id)

	ann.delete(t)
	require.Empty(t, decode[[]task](t, s.send(t, request{method: "GET", path: "/api/tasks", header: bearer(token)})))
	got := s.send(t, request{method: "POST", path: "/api/tasks", body: map[string]any{"title": "Buy groceries"}, header: bearer(token)})
	require.Equal(t, 401, got.StatusCode, "%s", got.body)
	requireAccepted(t, s, bob.token(t), bob.id)

	conn, err := pgx.Connect(context.Background(), withoutPooler(t, database))
	require.NoError(t, err)
	defer conn.Close(context.Background())
	var owners []string
	require.NoError(t, conn.QueryRow(context.Background(), "SELECT array_agg(DISTINCT user_id) FROM tasks").Scan(&owners))
	require.Equal(t, []string{bob.id}, owners)
}

func TestAFrontEndOfBetterAuthGetsItsTokensByItself(t *testing.T) {
	t.Parallel()
	b := startBetterAuth(t, betterAuthOptions{})
	s := b.newServer(t, newSQLite(t))
	s.awaitKeySet(t, b.signUp(t, "bob").token(t))
	frontEnd := exec.Command("node", "client.mjs", b.origin, s.listen(t))
	frontEnd.Dir = "betterauth"
	out, err := frontEnd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	var got struct {
		User    string
		Created task
		Listed  []task
	}
	require.NoError(t, json.Unmarshal(out, &got), "%s", out)
	require.Equal(t, got.User, got.Created.UserID)
	require.Equal(t, []task{got.Created}, got.Listed)
	require.Len(t, s.logs.answered(t, 401), 1, "the token that has expired")
}
