package tests

import (
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"taskapi/config"
	"taskapi/middleware/token"
)

func TestTheLogSaysOnceWhyARequestWasNotLetIn(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		good := tokenOf(t, "ann")
		for authorization, reason := range map[string]token.Reason{
			"":                     token.NoToken,
			"Basic " + good:        token.NoToken,
			"Bearer abc":           token.Malformed,
			"Bearer " + good + "x": token.BadSignature,
			"Bearer " + signWith(t, jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32))): token.BadSignature,
			"Bearer " + signWith(t, jwt.SigningMethodHS512, []byte(testSecret)):              token.WrongAlgorithm,
			"Bearer " + signWith(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType): token.WrongAlgorithm,
			"Bearer " + forge(`{"alg":"XS1"}`, `{}`):                                         token.WrongAlgorithm,
			"Bearer " + forge(`{"alg":"HS256","crit":["x"]}`, `{}`):                          token.CriticalExtension,
			"Bearer " + claim(`{"user_id":"ann","exp":%d}`, -time.Minute):                    token.Expired,
			"Bearer " + claim(`{"user_id":"ann","exp":"%d"}`, time.Hour):                     token.BadTime,
			"Bearer " + claim(`{"user_id":"ann"}`):                                           token.BadTime,
			"Bearer " + claim(`{"user_id":"ann","exp":%d,"nbf":%d}`, time.Hour, time.Hour):   token.NotYetValid,
			"Bearer " + claim(`{"user_id":"ann","exp":%d,"iat":"x"}`, time.Hour):             token.BadTime,
			"Bearer " + claim(`{"sub":"ann","exp":%d}`, time.Hour):                           token.NoUserID,
			"Bearer " + claim(`{"user_id":"ann","user_id":"bob","exp":%d}`, time.Hour):       token.Malformed,
		} {
			t.Run(string(reason), func(t *testing.T) {
				before := len(s.logs.answered(t, 401))
				r := request{method: "GET", path: "/api/tasks", header: map[string]string{"X-Request-ID": "some-id"}}
				if authorization != "" {
					r.header["Authorization"] = authorization
				}
				require.Equal(t, 401, s.send(t, r).StatusCode)
				lines := s.logs.answered(t, 401)[before:]
				require.Len(t, lines, 1)
				require.Equal(t, "WARN", lines[0]["level"])
				require.Equal(t, "some-id", lines[0]["request_id"])
				require.EqualValues(t, reason, lines[0]["cause"], authorization)
			})
		}
		require.NotContains(t, s.logs.String(), strings.Split(good, ".")[1])
	})
}

func TestASecretRotatesWithoutASingle401(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		older, newer := strings.Repeat("older", 8), strings.Repeat("newer", 8)
		replica := func(settings ...string) *server { return newServer(t, databaseURL, settings...) }
		answers := func(s *server, secret string) int {
			signed, err := token.Sign(secret, "ann", time.Hour)
			require.NoError(t, err)
			return s.send(t, request{method: "GET", path: "/api/tasks", header: map[string]string{"Authorization": "Bearer " + signed}}).StatusCode
		}
		for name, step := range map[string]struct {
			server       *server
			older, newer int
		}{
			"before":               {replica("BETTER_AUTH_SECRET", older), 200, 401},
			"during":               {replica("BETTER_AUTH_SECRET", older, "BETTER_AUTH_SECRETS", "2:"+newer+", 1:"+older), 200, 200},
			"older in its own var": {replica("BETTER_AUTH_SECRET", older, "BETTER_AUTH_SECRETS", "2:"+newer), 200, 200},
			"after":                {replica("BETTER_AUTH_SECRET", "", "BETTER_AUTH_SECRETS", "2:"+newer), 401, 200},
		} {
			t.Run(name, func(t *testing.T) {
				require.Equal(t, step.older, answers(step.server, older))
				require.Equal(t, step.newer, answers(step.server, newer))
			})
		}
		cfg := replica("BETTER_AUTH_SECRET", older, "BETTER_AUTH_SECRETS", "2:"+newer+",1:"+older).cfg
		require.Equal(t, []string{newer, older}, cfg.Secrets(), "the first signs")
	})
}

func TestABadListOfSecretsIsNamedAndNotShown(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 32)
	for _, list := range []string{"hunter2", "x:hunter2", "-1:hunter2", "1:", "2:" + long + ",", "2:" + long + ",hunter2"} {
		t.Run(list, func(t *testing.T) {
			cfg, err := parse("ENVIRONMENT", "production", "BETTER_AUTH_SECRET", testSecret, "BETTER_AUTH_SECRETS", list)
			requireFaults(t, cfg, err, "BETTER_AUTH_SECRETS")
		})
	}
	cfg, err := parse("ENVIRONMENT", "production", "BETTER_AUTH_SECRETS", "2:"+long+",1:hunter2")
	requireFaults(t, cfg, err, "BETTER_AUTH_SECRETS")
	cfg, err = parse("BETTER_AUTH_SECRETS", "7:with:colons")
	require.NoError(t, err)
	require.Equal(t, config.Rotation{"with:colons"}, cfg.Rotation)
}
