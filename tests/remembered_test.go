package tests

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"taskapi/middleware/token"
)

// rememberedTokens are how many accepted tokens the server remembers.
const rememberedTokens = 8192

// statusOfEach sends each token to a path that needs no database: 422 is that of an accepted one.
func statusOfEach(t *testing.T, s *server, tokens ...string) (statuses []int) {
	t.Helper()
	for _, signed := range tokens {
		statuses = append(statuses, s.send(t, request{method: "GET", path: "/api/tasks/x", header: bearer(signed)}).StatusCode)
	}
	return statuses
}

func TestARememberedTokenOfTheSecretIsNoPass(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	good := tokenOf(t, "ann")
	short := claim(fmt.Sprintf(`{"user_id":"ann","exp":%f}`, float64(time.Now().Add(1200*time.Millisecond).UnixMilli())/1000))
	require.Equal(t, []int{422, 422, 422, 422}, statusOfEach(t, s, good, short, good, short))
	require.Eventually(t, func() bool { return statusOfEach(t, s, short)[0] == 401 }, waitLimit, 50*time.Millisecond, "it outlives exp")
	refusals := s.logs.answered(t, 401)
	require.EqualValues(t, token.Expired, refusals[len(refusals)-1]["cause"])
	require.Equal(t, 422, statusOfEach(t, s, good)[0])

	rotated := newServer(t, newSQLite(t), "BETTER_AUTH_SECRET", strings.Repeat("another secret ", 3))
	requireRefusal(t, rotated, token.BadSignature, good)
}

func TestATokenThatDiffersFromARememberedOneInOneByteIsRefused(t *testing.T) {
	t.Parallel()
	key := newKey(t, "k", jwt.SigningMethodEdDSA)
	auth := newIssuer(t, key)
	s := newServerOf(t, auth, newSQLite(t))
	for name, good := range map[string]string{"HS256": tokenOf(t, "ann"), "EdDSA": key.sign(t, nil, auth.stock("ann", nil))} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, []int{422, 422}, statusOfEach(t, s, good, good))
			for i := range good {
				other := byte('A')
				if good[i] == other {
					other = 'B'
				}
				require.NotEqual(t, 422, statusOfEach(t, s, good[:i]+string(other)+good[i+1:])[0], "byte %d", i)
			}
			require.NotEqual(t, 422, statusOfEach(t, s, good[:len(good)-1])[0], "without the last byte")
			require.Equal(t, 422, statusOfEach(t, s, good)[0])
		})
	}
}

func TestARememberedTokenIsRefusedUnderAnotherScheme(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	good := tokenOf(t, "ann")
	for scheme, status := range map[string]int{"Bearer ": 422, "bEARER   ": 422, "Basic ": 401, "Bearer": 401, "Bearer  x ": 401, "": 401} {
		for range 2 {
			require.Equal(t, 422, statusOfEach(t, s, good)[0])
			got := s.send(t, request{method: "GET", path: "/api/tasks/x", header: map[string]string{"Authorization": scheme + good}})
			require.Equal(t, status, got.StatusCode, scheme)
		}
	}
}

func TestATokenIsJudgedByItsTimesThoughItWasRefusedBefore(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	begin := float64(time.Now().Add(time.Minute+1200*time.Millisecond).UnixMilli()) / 1000
	early := claim(fmt.Sprintf(`{"user_id":"ann","nbf":%f,"exp":%d}`, begin, time.Now().Add(time.Hour).Unix()))
	requireRefusal(t, s, token.NotYetValid, early)
	require.Eventually(t, func() bool { return statusOfEach(t, s, early)[0] == 422 }, waitLimit, 50*time.Millisecond)
}

func TestRememberedTokensAreBoundedAndKeepNeitherTokensNorFurtherClaims(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	p := newHome(t).start(t, append(inDevelopment, "GOGC=10", "METRICS_ADDR=127.0.0.1:0")...)
	connection, err := net.Dial("tcp", p.address)
	require.NoError(t, err)
	defer connection.Close()
	send := func(tokens int, name string) {
		for i := range tokens {
			payload := fmt.Sprintf(`{"user_id":"%s %d","exp":%d,"%s":"%s"}`, name, i, time.Now().Add(time.Hour).Unix(),
				[]string{"pad", "aud"}[i%2], strings.Repeat("x", 4<<10)) // of which nothing is kept
			require.NoError(t, exchange(connection, rawRequest("GET", "/api/tasks/x", claim(payload), ""), 422))
		}
	}
	send(100, "warm")
	before := p.gauge(t, "go_memstats_heap_alloc_bytes")
	send(2*rememberedTokens, "other")
	require.Less(t, p.gauge(t, "go_memstats_heap_alloc_bytes")-before, float64(rememberedTokens*600))
}
