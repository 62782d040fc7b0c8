package tests

import (
	"testing"

	"github.com/stretchr/testify/require"

	"taskapi/middleware/token"
)

// requireAccepted demands that a token makes and lists tasks in a user's name.
func requireAccepted(t testing.TB, s *server, token, user string) {
	t.Helper()
	got := s.send(t, request{method: "POST", path: "/api/tasks", body: map[string]any{"title": "Buy groceries"}, header: bearer(token)})
	require.Equal(t, 201, got.StatusCode, "%s", got.body)
	created := decode[task](t, got)
	require.Equal(t, user, created.UserID)
	got = s.send(t, request{method: "GET", path: "/api/tasks", header: bearer(token)})
	require.Equal(t, 200, got.StatusCode, "%s", got.body)
	require.Contains(t, decode[[]task](t, got), created)
}

// requireRefused demands that a token is refused, and that the log says why and does not hold the token.
func requireRefused(t testing.TB, s *server, token string, reason token.Reason) {
	t.Helper()
	require.NotEmpty(t, token)
	got := s.send(t, request{method: "POST", path: "/api/tasks", body: map[string]any{"title": "Buy groceries"}, header: bearer(token)})
	require.Equal(t, 401, got.StatusCode, "%s", got.body)
	lines := s.logs.answered(t, 401)
	require.EqualValues(t, reason, lines[len(lines)-1]["cause"])
	require.NotContains(t, s.logs.String(), token)
}

func TestATokenThatBetterAuthSignsWithTheSharedSecretIsGood(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		ann := startBetterAuth(t, betterAuthOptions{Algorithm: "HS256", UserID: true}).signUp(t, "ann")
		requireAccepted(t, s, ann.token(t), ann.id)
	})
}

func TestWhatElseBetterAuthSignsWithTheSharedSecretIsNoToken(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	ann := startBetterAuth(t, betterAuthOptions{Algorithm: "HS256"}).signUp(t, "ann")
	requireRefused(t, s, ann.token(t), token.NoUserID)
	requireRefused(t, s, ann.cookie(t, "session_data"), token.NoUserID)
	requireRefused(t, s, ann.verification(t, "ann"), token.NoUserID)
	requireRefused(t, s, ann.bearer, token.Malformed)
	requireRefused(t, s, ann.cookie(t, "session_token"), token.Malformed)
	require.Empty(t, s.as(ann.id).list(t))
}
